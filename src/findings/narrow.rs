//! Which part of a diagnosis concerns what was selected.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Diagnosis, Finding, Identity};
use crate::model::{Pid, PipeId, Wait, Wakers};

/// Some waits, the waits of the processes that could end them, and so on to the end of each chain; by their places in the list. Each process
/// and each set of wakers is followed once, however many waits share it.
pub(crate) fn chain(waits: &[Wait], is_start: impl Fn(&Wait) -> bool) -> BTreeSet<usize> {
    let mut waits_of: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
    for (index, wait) in waits.iter().enumerate() {
        waits_of.entry(wait.task.pid).or_default().push(index);
    }
    let mut next: Vec<usize> = (0..waits.len()).filter(|index| is_start(&waits[*index])).collect();
    let (mut chain, mut followed) = (BTreeSet::new(), HashSet::new());
    while let Some(index) = next.pop() {
        let wakers = &waits[index].wakers;
        if chain.insert(index) && followed.insert(wakers.place()) {
            next.extend(wakers.iter().filter_map(|waker| waits_of.remove(&waker.pid)).flatten());
        }
    }
    chain
}

/// Keeps what concerns these processes or, if there are none, these pipes: their waits, the waits of those that could end them, and so on
/// to the end of each chain; the waits for these processes; and the findings about any of those threads, about what is blocked behind them, and
/// about blocked threads of the processes that could end a wait. Returns the pipes in what is left.
pub(crate) fn narrow(diagnosis: &mut Diagnosis, pipes: &BTreeSet<PipeId>, pids: &BTreeSet<Pid>) -> BTreeSet<PipeId> {
    let chain = chain(&diagnosis.waits, |wait| match pids.is_empty() {
        true => wait.pipe().is_some_and(|pipe| pipes.contains(&pipe)),
        false => pids.contains(&wait.task.pid),
    });
    let tasks: BTreeSet<_> = chain.iter().map(|index| diagnosis.waits[*index].task).collect();
    let mut shared = HashSet::new();
    let sets = chain.iter().map(|index| &diagnosis.waits[*index].wakers).filter(|set| shared.insert(set.place()));
    let wakers: BTreeSet<Pid> = sets.flat_map(|set| set.iter()).map(|waker| waker.pid).collect();
    let is_about = |finding: &Finding| {
        let of_pipe = finding.pipes.iter().any(|pipe| pipes.contains(pipe));
        if finding.identity() == Identity::Pipe {
            return of_pipe;
        }
        // A shell holds many pipes that it does not use.
        let mut concerned = finding.tasks.iter().chain(&finding.behind);
        let of_task = concerned.any(|task| tasks.contains(task) || pids.contains(&task.pid));
        // A private futex is no wait of the chain. What a waker only holds is not why it does not act.
        let of_waker = finding.identity().blocked().iter().any(|task| wakers.contains(&task.pid));
        of_task || of_waker || (of_pipe && pids.is_empty())
    };
    diagnosis.findings.retain(is_about);
    let (mut index, mut is_for) = (0.., HashMap::new());
    diagnosis.waits.retain(|wait| {
        let in_chain = index.next().is_some_and(|index| chain.contains(&index));
        let of_place = |wakers: &Wakers| wakers.iter().any(|waker| pids.contains(&waker.pid));
        in_chain || *is_for.entry(wait.wakers.place()).or_insert_with(|| of_place(&wait.wakers))
    });
    let of_findings = diagnosis.findings.iter().flat_map(|finding| finding.pipes.iter().copied());
    diagnosis.waits.iter().filter_map(Wait::pipe).chain(of_findings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attribution, Children, TaskId, Tid, WaitTarget, Waker};

    fn wait(pid: u32, wakers: &[u32]) -> Wait {
        Wait {
            task: TaskId { pid: Pid(pid), tid: Tid(pid) },
            target: WaitTarget::Children(Children::All),
            wakers: wakers.iter().map(|pid| Waker { pid: Pid(*pid), tid: None, fd: None }).collect(),
            besides: None,
            certainty: Attribution::Seen,
            idle: None,
        }
    }

    /// A shell waits for the first and the second, the first for the third, and that one for the first.
    #[test]
    fn a_chain_goes_down_to_its_end_and_not_up() {
        let waits = [wait(10, &[1, 2]), wait(1, &[3]), wait(3, &[1])];
        let from = |pid: u32| chain(&waits, |wait| wait.task.pid == Pid(pid)).into_iter().collect::<Vec<_>>();
        assert_eq!(from(1), [1, 2]);
        assert_eq!(from(10), [0, 1, 2]);
        assert!(from(2).is_empty());
    }

    /// Each of the threads of each process waits for all of them: what is shared is followed once, or this would not end.
    #[test]
    fn a_chain_of_many_that_share_all_they_wait_for() {
        const PROCESSES: u32 = 20_000;
        const THREADS: u32 = 10;
        let one = wait(0, &(0..PROCESSES).collect::<Vec<_>>());
        let of = |pid: u32| (0..THREADS).map(move |tid| TaskId { pid: Pid(pid), tid: Tid(pid * THREADS + tid) });
        let waits: Vec<Wait> = (0..PROCESSES).flat_map(of).map(|task| Wait { task, ..one.clone() }).collect();
        assert_eq!(chain(&waits, |wait| wait.task.pid == Pid(7)).len(), waits.len());
    }
}
