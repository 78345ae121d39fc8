//! The steps of `why`: look at what threads are doing and at the pipes, judge, and look again before anything is claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::source::{Sought, Source};
use super::{Answer, Reasons, probe};
use crate::cli::{Question, Request};
use crate::error::Error;
use crate::model::{Diagnosis, Fault, Finding, Operation, Pid, PipeGraph, PipeId, TaskState, Wait, WaitTarget};
use crate::notes;
use crate::observe::join::{add_openers, join};
use crate::observe::proc::{self, Facts, Want};
use crate::render::Asked;
use crate::select::{Selection, keep, selected, selected_processes};
use crate::why::{self, Groups};

/// The pause before the second look, where the first found what may be passing: longer than a busy pipeline rests.
const PAUSE: Duration = Duration::from_millis(300);

/// What was found out about a machine.
pub(super) struct Found {
    pub(super) graph: PipeGraph,
    pub(super) groups: Groups,
    pub(super) diagnosis: Diagnosis,
    /// Whether it tells all that blocks: a saved report need not.
    pub(super) judged: bool,
    pub(super) notes: Vec<String>,
}

pub(super) fn reasons(
    options: &Request,
    source: &Source,
    sought: &Sought,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    let (Sought { selection, names }, file) = (sought, source.file());
    let Found { mut graph, groups, mut diagnosis, judged, notes: probed } =
        find_out(options, source, selection, untouchable)?;
    if let Some(name) = file.filter(|_| !judged) {
        return Err(Error::NotAsked { name: name.to_owned(), command: "why" });
    }
    // An audit finds more.
    diagnosis.findings.retain(|finding| finding.code().reported_by_why());
    let mut notes = notes::no_process(&selection.pids, &graph, file);
    let no_pipe = notes::no_pipe(names, &selection.pipes, &graph);
    // To say that nothing is wrong with what is not there would be misleading.
    for (missing, named) in [(&notes, selection.pids.len()), (&no_pipe, selection.pipes.len())] {
        if let Some(first) = missing.first()
            && missing.len() == named
        {
            return Err(Error::NothingThere(first.clone()));
        }
    }
    let unreadable = notes::unreadable(&selection.pids, &graph, file);
    let waits = |pid: &Pid| diagnosis.waits.iter().any(|wait| wait.task.pid == *pid);
    if let Some(first) = unreadable.first()
        && !selection.pids.iter().any(waits)
    {
        return Err(Error::Unreadable(first.clone()));
    }
    notes.extend(unreadable);
    notes.extend(no_pipe);
    notes.extend(file.filter(|_| selection.descendants).and_then(|file| notes::no_other_processes(file, &graph)));
    notes.extend(notes::of_file(file, &graph));
    notes.extend(notes::coverage(&graph, file));
    notes.extend(probed);
    let pids = selected_processes(&graph, selection);
    let asked = if selection.is_everything() {
        Asked::Everything
    } else {
        let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
        if pipes.is_empty() && pids.is_empty() {
            return Err(Error::NothingThere(notes::nothing_matched(selection, file)));
        }
        narrow(&mut diagnosis, &pipes, &pids);
        graph = keep(graph, &pipes.iter().copied().chain(pipes_of(&diagnosis)).collect());
        if pids.is_empty() { Asked::Pipes(pipes) } else { Asked::Processes(pids) }
    };
    let is_warning = diagnosis.is_warning();
    let may_probe = !options.probe && file.is_none();
    let why = Some(Reasons { diagnosis, groups, asked, audited: None, may_probe });
    Ok(Answer { is_warning, why, ..Answer::of(graph, notes) })
}

/// What a saved report tells, or what a look at the machine does, twice if anything seems wrong. Of the pipes that are selected the
/// kernel is asked, if it is to be asked.
pub(super) fn find_out(
    options: &Request,
    source: &Source,
    selection: &Selection,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Found, Error> {
    let root = match source {
        Source::Live(root) => root,
        Source::Saved { saved, .. } => {
            return Ok(Found {
                graph: saved.graph.clone(),
                groups: saved.groups.clone(),
                diagnosis: saved.diagnosis.clone().unwrap_or_default(),
                judged: saved.judged,
                notes: Vec::new(),
            });
        }
    };
    let groups = proc::threads(root, None)?;
    // What only the rules of an audit judge by.
    let facts = if matches!(options.question, Question::Audit(_)) { Facts::Audit } else { Facts::All };
    let mut graph = pipes(root, &groups, facts)?;
    let mut diagnosis = why::diagnose(&graph, &groups);
    let is_live = graph.pipefs.is_some();
    let mut notes = Vec::new();
    // In a tree of plain files nothing moves.
    if !is_live && diagnosis.findings.iter().any(asks_who_hides) {
        graph.hidden = proc::hidden(root)?;
        diagnosis = why::diagnose(&graph, &groups);
    }
    if !is_live || (diagnosis.findings.is_empty() && !options.probe) {
        if options.probe {
            // It says why the kernel cannot be asked.
            notes = probe(&mut graph, &[], untouchable)?;
        }
        return Ok(Found { graph, groups, diagnosis, judged: true, notes });
    }
    if diagnosis.findings.iter().any(may_pass) {
        std::thread::sleep(PAUSE);
    }
    // Whoever has not moved from before the second scan until after it held what it held then all the while.
    let mut again = why::pids_to_recheck(&groups, &diagnosis);
    again.extend(selected_processes(&graph, selection));
    let before = look_again(root, groups, &mut again)?;
    let mut second = pipes(root, &before, facts)?;
    if diagnosis.findings.iter().any(asks_who_hides) {
        second.hidden = proc::hidden(root)?;
    }
    if options.probe {
        untouchable.extend(why::locked(&before));
        let shown: Vec<PipeId> = selected(&second, selection).map(|pipe| pipe.id).collect();
        notes = probe(&mut second, &shown, untouchable)?;
    }
    let still = look_again(root, before, &mut again)?;
    // Who is gone by now holds nothing: on a busy machine somebody is always exiting.
    second.hidden.keep(&proc::processes(root)?);
    let first = PipeGraph { hidden: second.hidden.clone(), probed: second.probed.clone(), ..graph };
    let confirmed_by = why::confirmed_by(why::diagnose(&second, &still), &why::diagnose(&first, &still));
    Ok(Found { graph: second, groups: still, diagnosis: confirmed_by, judged: true, notes })
}

/// Looks once more at these processes, and at those that are new.
fn look_again(root: &Path, groups: Groups, again: &mut BTreeSet<Pid>) -> Result<Groups, Error> {
    again.extend(proc::processes(root)?.into_iter().filter(|pid| !groups.contains_key(pid)));
    let pids: Vec<Pid> = again.iter().copied().collect();
    Ok(why::retain_unmoved(groups, again, proc::threads(root, Some(&pids))?))
}

/// Whether a finding depends on who else may hold an end.
fn asks_who_hides(finding: &Finding) -> bool {
    matches!(
        finding.fault,
        Fault::Deadlock { .. }
            | Fault::LeakedWriteEnd { .. }
            | Fault::StalledReader { .. }
            | Fault::HiddenEnd { .. }
            | Fault::Missing { .. }
    )
}

/// Whether a finding may be true for a moment on a healthy machine.
fn may_pass(finding: &Finding) -> bool {
    !matches!(finding.fault, Fault::Missing { .. })
}

/// All pipes with their ends, and with those who are blocked in opening one.
fn pipes(root: &Path, groups: &Groups, facts: Facts) -> Result<PipeGraph, Error> {
    let mut graph = join(proc::scan(&Want {
        proc_root: root.to_owned(),
        flags: true,
        facts,
        parents: true,
        tables: Vec::new(),
        also: opening(groups),
    })?);
    add_openers(&mut graph, groups);
    Ok(graph)
}

/// The processes that are blocked in opening a FIFO that could be told.
pub(super) fn opening(groups: &Groups) -> Vec<Pid> {
    let opens = |cause: &WaitTarget| matches!(cause, WaitTarget::Pipe(wait) if wait.operation == Operation::Open && wait.pipe.is_some());
    let is_opening = |doing: &TaskState| matches!(doing, TaskState::Waits { causes, .. } if causes.iter().any(opens));
    let groups = groups.values().filter(|group| group.tasks.iter().any(|task| is_opening(&task.doing)));
    groups.map(|group| group.pid).collect()
}

/// The pipes that a diagnosis tells of.
fn pipes_of(diagnosis: &Diagnosis) -> impl Iterator<Item = PipeId> {
    let of_findings = diagnosis.findings.iter().flat_map(|finding| finding.pipes.iter().copied());
    diagnosis.waits.iter().filter_map(Wait::pipe).chain(of_findings)
}

/// Keeps what has to do with these processes, or, if they are none, with these pipes: their waits, those of whoever could
/// end them, and so on to the end of each chain; who waits for these processes; and the findings about any of those threads.
fn narrow(diagnosis: &mut Diagnosis, pipes: &BTreeSet<PipeId>, pids: &BTreeSet<Pid>) {
    let mut waits_of: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
    for (index, wait) in diagnosis.waits.iter().enumerate() {
        waits_of.entry(wait.task.pid).or_default().push(index);
    }
    let begins = |wait: &Wait| match pids.is_empty() {
        true => wait.pipe().is_some_and(|pipe| pipes.contains(&pipe)),
        false => pids.contains(&wait.task.pid),
    };
    let mut next: Vec<usize> = (0..diagnosis.waits.len()).filter(|index| begins(&diagnosis.waits[*index])).collect();
    let mut chain = BTreeSet::new();
    while let Some(index) = next.pop() {
        if chain.insert(index) {
            let wakers = &diagnosis.waits[index].wakers;
            next.extend(wakers.iter().filter_map(|waker| waits_of.get(&waker.pid)).flatten());
        }
    }
    let tasks: BTreeSet<_> = chain.iter().map(|index| diagnosis.waits[*index].task).collect();
    let is_about = |finding: &Finding| {
        let of_pipe = finding.pipes.iter().any(|pipe| pipes.contains(pipe));
        let of_task = finding.tasks.iter().any(|task| tasks.contains(task) || pids.contains(&task.pid));
        // A shell holds many pipes that are not its business.
        of_task || (of_pipe && (pids.is_empty() || finding.tasks.is_empty()))
    };
    diagnosis.findings.retain(is_about);
    let mut index = 0..;
    diagnosis.waits.retain(|wait| {
        let in_chain = index.next().is_some_and(|index| chain.contains(&index));
        in_chain || wait.wakers.iter().any(|waker| pids.contains(&waker.pid))
    });
}
