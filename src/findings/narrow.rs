//! Which part of a diagnosis concerns what was selected.

use std::collections::{BTreeMap, BTreeSet};

use super::{Diagnosis, Finding, Identity};
use crate::model::{Pid, PipeId, Wait};

/// Keeps what concerns these processes or, if there are none, these pipes: their waits, the waits of those that could end them, and so on
/// to the end of each chain; the waits for these processes; and the findings about any of those threads. Returns the pipes in what is left.
pub(crate) fn narrow(diagnosis: &mut Diagnosis, pipes: &BTreeSet<PipeId>, pids: &BTreeSet<Pid>) -> BTreeSet<PipeId> {
    let mut waits_of: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
    for (index, wait) in diagnosis.waits.iter().enumerate() {
        waits_of.entry(wait.task.pid).or_default().push(index);
    }
    let is_start = |wait: &Wait| match pids.is_empty() {
        true => wait.pipe().is_some_and(|pipe| pipes.contains(&pipe)),
        false => pids.contains(&wait.task.pid),
    };
    let mut next: Vec<usize> = (0..diagnosis.waits.len()).filter(|index| is_start(&diagnosis.waits[*index])).collect();
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
        if finding.identity() == Identity::Pipe {
            return of_pipe;
        }
        // A shell holds many pipes that it does not use.
        let of_task = finding.tasks.iter().any(|task| tasks.contains(task) || pids.contains(&task.pid));
        of_task || (of_pipe && pids.is_empty())
    };
    diagnosis.findings.retain(is_about);
    let mut index = 0..;
    diagnosis.waits.retain(|wait| {
        let in_chain = index.next().is_some_and(|index| chain.contains(&index));
        in_chain || wait.wakers.iter().any(|waker| pids.contains(&waker.pid))
    });
    let of_findings = diagnosis.findings.iter().flat_map(|finding| finding.pipes.iter().copied());
    diagnosis.waits.iter().filter_map(Wait::pipe).chain(of_findings).collect()
}
