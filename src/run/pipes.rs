//! The steps of the report, and of whole fd tables.

use std::collections::BTreeSet;

use super::{Answer, Error, Exit, Session};
use crate::model::Pid;
use crate::note::Note;
use crate::observe::Depth;
use crate::observe::proc::Facts;
use crate::select::{select, select_tables};

impl Session<'_> {
    /// The pipes that are selected.
    pub(super) fn pipes(&mut self) -> Result<Answer, Error> {
        let request = self.request;
        let selection = self.selection.clone();
        // A pipe is small because of its user.
        let facts = request.format.needs_facts() || !selection.users.is_empty() || request.probe;
        let parents = selection.descendants;
        let seen = self.source.look(&self.depth(facts, parents, Vec::new()))?;
        let file = self.source.file();
        let unmatched = selection.unmatched(&seen.graph);
        let mut notes = Note::unmatched(&unmatched, &self.names, &seen.graph, file);
        let (is_explained, is_part) = (!unmatched.is_empty(), seen.graph.selected);
        let graph = select(seen.graph, &selection);
        let is_empty = graph.pipes.is_empty() && !selection.is_everything();
        if is_empty && !is_explained {
            notes.push(Note::nothing_matched(&selection, file));
        }
        notes.extend(Note::no_other_processes(&selection, &graph, file));
        notes.extend(file.filter(|_| is_part).map(|file| Note::IsPart { file: file.to_owned() }));
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(seen.probe.as_ref(), &graph));
        let exit = if is_empty { Exit::NothingMatched } else { Exit::Reported };
        Ok(Answer { exit, ..Answer::new(graph, notes) })
    }

    /// The whole fd tables of these processes.
    pub(super) fn tables(&mut self, pids: &[Pid]) -> Result<Answer, Error> {
        let facts = self.request.format.needs_facts();
        let mut graph = self.source.look(&self.depth(facts, false, pids.to_vec()))?.graph;
        let has_tables = !graph.descriptors.is_empty();
        graph.descriptors.retain(|descriptor| pids.contains(&descriptor.pid));
        let file = self.source.file();
        let unmatched = self.selection.unmatched(&graph);
        let mut notes = Note::unmatched(&unmatched, &[], &graph, file);
        if let Some(file) = file {
            // The other processes on its pipes are in the report too, without their tables.
            let gaps = graph.coverage.gaps.iter().map(|gap| gap.pid);
            let known: BTreeSet<Pid> = graph.descriptors.iter().map(|descriptor| descriptor.pid).chain(gaps).collect();
            let is_without = |pid: &&Pid| graph.parents.contains_key(pid) && !known.contains(pid);
            let without: Vec<Pid> = pids.iter().filter(is_without).copied().collect();
            if !has_tables || (graph.descriptors.is_empty() && !without.is_empty()) {
                return Err(Error::NotAsked { file: file.to_owned(), command: "fds PID" });
            }
            notes.extend(without.into_iter().map(|pid| Note::NoTable { pid, file: file.to_owned() }));
        }
        if graph.descriptors.is_empty()
            && let Some(gap) = unmatched.unreadable.first()
        {
            return Err(Note::unreadable_table(gap, &graph, file).into());
        }
        let is_empty = pids.iter().all(|pid| !graph.parents.contains_key(pid));
        let graph = select_tables(graph);
        notes.extend(Note::coverage(&graph, file));
        let exit = if is_empty { Exit::NothingMatched } else { Exit::Reported };
        Ok(Answer { exit, ..Answer::new(graph, notes) })
    }

    fn depth(&self, facts: bool, parents: bool, tables: Vec<Pid>) -> Depth {
        Depth {
            flags: self.request.format.needs_flags(),
            facts: if facts { Facts::All } else { Facts::Command },
            parents,
            tables,
            selection: self.selection.clone(),
            probe: self.request.probe,
        }
    }
}
