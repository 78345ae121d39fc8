//! Who could end each wait.

use std::collections::BTreeMap;

use super::Groups;
use crate::model::{
    AccessMode, Attribution, Children, Endpoint, Operation, Pid, PipeGraph, PipeId, PipeWait, Subject, Task, TaskId,
    TaskState, Wait, WaitTarget, Waker,
};

/// Every wait for a pipe or a child, ordered by process, thread and descriptor.
pub(super) fn waits(graph: &PipeGraph, groups: &Groups) -> Vec<Wait> {
    let mut ends_of: BTreeMap<Pid, Vec<(PipeId, &Endpoint)>> = BTreeMap::new();
    for pipe in &graph.pipes {
        for end in &pipe.ends {
            ends_of.entry(end.pid).or_default().push((pipe.id, end));
        }
    }
    let mut waits = Vec::new();
    for task in groups.values().flat_map(|group| &group.tasks) {
        let TaskState::Waits { causes, .. } = &task.doing else { continue };
        for cause in causes {
            match cause {
                WaitTarget::Pipe(wait) if wait.pipe.is_none() && wait.operation != Operation::Open => {
                    let ends = ends_of.get(&task.id.pid).map_or(&[][..], Vec::as_slice);
                    waits.extend(guesses(graph, task.id, wait, ends));
                }
                WaitTarget::Pipe(wait) => waits.push(Wait {
                    task: task.id,
                    subject: Subject::Pipe(wait.clone()),
                    wakers: holders(graph, wait).map(Waker::from).collect(),
                    certainty: Attribution::Seen,
                }),
                WaitTarget::Children(children) => waits.push(Wait {
                    task: task.id,
                    subject: Subject::Child,
                    wakers: meant(*children, task.id.pid, groups)
                        .map(|pid| Waker { pid, tid: None, fd: None })
                        .collect(),
                    certainty: Attribution::Seen,
                }),
                WaitTarget::Threads => {}
            }
        }
    }
    // Several that come of one place in the kernel are in the order of their pipes.
    waits.sort_by_key(|wait| (wait.task, wait.fd()));
    waits
}

/// Who waits for each pipe that could be told.
pub(super) type ByPipe<'a> = BTreeMap<PipeId, Vec<(&'a Task, &'a PipeWait)>>;

pub(super) fn by_pipe(groups: &Groups) -> ByPipe<'_> {
    let mut waiting = ByPipe::new();
    for task in groups.values().flat_map(|group| &group.tasks) {
        let TaskState::Waits { causes, .. } = &task.doing else { continue };
        for cause in causes {
            if let WaitTarget::Pipe(wait) = cause
                && let Some(pipe) = wait.pipe
            {
                waiting.entry(pipe).or_default().push((task, wait));
            }
        }
    }
    waiting
}

/// The ends whose holders could end a wait for a pipe: those on the other side.
pub(super) fn holders<'a>(graph: &'a PipeGraph, wait: &PipeWait) -> impl Iterator<Item = &'a Endpoint> + use<'a> {
    let pipe = wait.pipe.filter(|_| wait.operation != Operation::Open).and_then(|id| graph.pipe(id));
    let sides: Vec<_> = wait.awaited().collect();
    let ends = pipe.map_or(&[][..], |pipe| &pipe.ends);
    ends.iter().filter(move |end| sides.iter().any(|side| end.access.is_on(*side)))
}

/// The children that a process waits for.
pub(super) fn meant(children: Children, parent: Pid, groups: &Groups) -> impl Iterator<Item = Pid> {
    let is_meant = move |pid: Pid| matches!(children, Children::All) || children == Children::One(pid);
    let own = groups.values().filter(move |group| group.parent == Some(parent) && is_meant(group.pid));
    own.map(|group| group.pid)
}

/// Where only the place is known: a wait for each of the pipes that it could mean.
fn guesses(graph: &PipeGraph, task: TaskId, wait: &PipeWait, ends: &[(PipeId, &Endpoint)]) -> Vec<Wait> {
    let fits = |end: &Endpoint| {
        // The table of another thread is not the one that it uses.
        end.tid.is_none_or(|tid| tid == task.tid) && (end.access == wait.access || end.access == AccessMode::ReadWrite)
    };
    let fitting: Vec<_> = ends.iter().filter(|(_, end)| fits(end)).collect();
    let mut pipes: Vec<PipeId> = fitting.iter().map(|(pipe, _)| *pipe).collect();
    pipes.dedup();
    let certainty = if pipes.len() == 1 { Attribution::Inferred } else { Attribution::Candidate };
    let guess = |pipe: PipeId| {
        let mut fds = fitting.iter().filter(|(other, _)| *other == pipe).map(|(_, end)| end.fd);
        let fd = fds.next().filter(|_| fds.next().is_none());
        let wait = PipeWait { pipe: Some(pipe), fd, ..wait.clone() };
        let wakers = holders(graph, &wait).map(Waker::from).collect();
        Wait { task, subject: Subject::Pipe(wait), wakers, certainty }
    };
    pipes.into_iter().map(guess).collect()
}
