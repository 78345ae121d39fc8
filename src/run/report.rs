//! The steps of the report, and of whole fd tables.

use std::collections::BTreeSet;
use std::path::Path;

use super::source::{Sought, Source};
use super::{Answer, probe, why};
use crate::cli::Request;
use crate::error::Error;
use crate::model::{Pid, PipeGraph, PipeId};
use crate::notes;
use crate::observe::join::{add_openers, join};
use crate::observe::proc::{self, Facts, Want};
use crate::select::{PipeMatch, Selection, select, select_tables};
use crate::why::{Groups, locked};

pub(super) fn pipes(
    options: &Request,
    source: &Source,
    sought: &Sought,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    let Sought { selection, names } = sought;
    let (graph, file) = match source {
        Source::Live(root) => (look(options, root, selection)?, None),
        Source::Saved { name, saved } => (saved.graph.clone(), Some(name.as_str())),
    };
    let mut notes = notes::not_there(selection, names, &graph, file);
    let is_part = graph.selected;
    let mut graph = select(graph, selection);
    let nothing_matched = graph.pipes.is_empty() && !selection.is_everything();
    if nothing_matched && notes.is_empty() {
        notes.push(notes::nothing_matched(selection, file));
    }
    notes.extend(file.filter(|_| selection.descendants).and_then(|file| notes::no_other_processes(file, &graph)));
    notes.extend(file.filter(|_| is_part).map(notes::is_part));
    notes.extend(notes::coverage(&graph, file));
    if options.probe
        && let Source::Live(root) = source
    {
        let holders: Vec<Pid> = graph.processes.keys().copied().collect();
        untouchable.extend(locked(&proc::threads(root, Some(&holders))?));
        let shown: Vec<PipeId> = graph.pipes.iter().map(|pipe| pipe.id).collect();
        notes.extend(probe(&mut graph, &shown, untouchable)?);
    }
    Ok(Answer { nothing_matched, ..Answer::of(graph, notes) })
}

fn look(options: &Request, root: &Path, selection: &Selection) -> Result<PipeGraph, Error> {
    // Whoever opens a FIFO has no descriptor yet: to find them, every thread has to be looked at.
    let names_fifo =
        selection.pipes.iter().any(|pipe| matches!(pipe, PipeMatch::Id(PipeId::Fifo { .. }) | PipeMatch::Inode(_)));
    let groups = if names_fifo { proc::threads(root, None)? } else { Groups::new() };
    let mut graph = join(proc::scan(&Want {
        proc_root: root.to_owned(),
        flags: options.format.needs_flags(),
        // Whose a pipe is tells why it is small.
        facts: facts(options.format.needs_facts() || !selection.users.is_empty() || options.probe),
        parents: selection.descendants,
        tables: Vec::new(),
        also: why::opening(&groups),
    })?);
    add_openers(&mut graph, &groups);
    Ok(graph)
}

pub(super) fn tables(options: &Request, source: &Source, pids: &[Pid]) -> Result<Answer, Error> {
    let (graph, file) = match source {
        Source::Live(root) => {
            let graph = join(proc::scan(&Want {
                proc_root: root.clone(),
                flags: options.format.needs_flags(),
                facts: facts(options.format.needs_facts()),
                parents: false,
                tables: pids.to_vec(),
                also: Vec::new(),
            })?);
            (graph, None)
        }
        Source::Saved { name, saved } if saved.graph.descriptors.is_empty() => {
            return Err(Error::NotAsked { name: name.clone(), command: "fds PID" });
        }
        Source::Saved { name, saved } => {
            let mut graph = saved.graph.clone();
            graph.descriptors.retain(|descriptor| pids.contains(&descriptor.pid));
            (graph, Some(name.as_str()))
        }
    };
    let mut notes = notes::no_process(pids, &graph, file);
    if let Some(name) = file {
        // The others on its pipes are in the report too, without their tables.
        let has_table = |pid: &Pid| {
            let gaps = graph.coverage.gaps.iter().map(|gap| gap.pid);
            graph.descriptors.iter().map(|descriptor| descriptor.pid).chain(gaps).any(|known| known == *pid)
        };
        let is_without = |pid: &Pid| graph.parents.contains_key(pid) && !has_table(pid);
        let without: Vec<Pid> = pids.iter().copied().filter(is_without).collect();
        if graph.descriptors.is_empty() && !without.is_empty() {
            return Err(Error::NotAsked { name: name.to_owned(), command: "fds PID" });
        }
        notes.extend(notes::no_table(&without, name));
    }
    let unreadable = notes::unreadable(pids, &graph, file);
    if graph.descriptors.is_empty()
        && let Some(reason) = unreadable.first()
    {
        return Err(Error::Unreadable(reason.clone()));
    }
    notes.extend(unreadable);
    let nothing_matched = pids.iter().all(|pid| !graph.parents.contains_key(pid));
    let graph = select_tables(graph);
    notes.extend(notes::coverage(&graph, file));
    Ok(Answer { nothing_matched, ..Answer::of(graph, notes) })
}

const fn facts(all: bool) -> Facts {
    if all { Facts::All } else { Facts::Command }
}
