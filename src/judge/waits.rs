//! What the threads wait for, and which processes could end each wait.

use std::collections::BTreeMap;

use super::Groups;
use super::processes::Processes;
use super::side::{self, SideState};
use crate::model::{
    AccessMode, AlternativeWake, Attribution, Children, Endpoint, Operation, Pid, PipeGraph, PipeId, PipeWait, Side,
    Task, TaskId, TaskState, ThreadGroup, Wait, WaitTarget, Waker,
};

/// The signal that says that a child has exited, by its bit in `SigCgt`.
pub(crate) const SIGCHLD: u64 = 1 << 16;

/// Every wait for a pipe or a child, ordered by process, thread and descriptor.
pub(crate) fn waits(graph: &PipeGraph, groups: &Groups, processes: &Processes<'_>) -> Vec<Wait> {
    let mut ends_of: BTreeMap<Pid, Vec<(PipeId, &Endpoint)>> = BTreeMap::new();
    for pipe in &graph.pipes {
        for end in &pipe.ends {
            ends_of.entry(end.pid).or_default().push((pipe.id, end));
        }
    }
    let mut waits = Vec::new();
    for task in groups.values().flat_map(|group| &group.tasks) {
        for target in task.doing.causes() {
            match target {
                WaitTarget::Pipe(wait) if wait.pipe.is_none() && wait.operation != Operation::Open => {
                    let ends = ends_of.get(&task.id.pid).map_or(&[][..], Vec::as_slice);
                    waits.extend(guesses(graph, task, wait, ends));
                }
                WaitTarget::Pipe(_) | WaitTarget::Children(_) => {
                    waits.push(seen(task, target, wakers(graph, processes, task.id.pid, target).collect()));
                }
                WaitTarget::Threads => {}
            }
        }
    }
    // Several that come from one place in the kernel are in the order of their pipes.
    waits.sort_by_key(|wait| (wait.task, wait.fd()));
    waits
}

fn seen(task: &Task, target: &WaitTarget, wakers: Vec<Waker>) -> Wait {
    let besides = if let TaskState::Waits { besides, .. } = task.doing { besides } else { None };
    Wait { task: task.id, target: target.clone(), wakers, besides, certainty: Attribution::Seen, idle: task.idle }
}

/// The threads that wait for each pipe that could be identified, by process and thread.
pub(crate) type ByPipe<'a> = BTreeMap<PipeId, Vec<(&'a Task, &'a PipeWait)>>;

pub(crate) fn by_pipe(groups: &Groups) -> ByPipe<'_> {
    let mut waiting = ByPipe::new();
    for task in groups.values().flat_map(|group| &group.tasks) {
        for wait in task.doing.pipe_waits() {
            if let Some(pipe) = wait.pipe {
                waiting.entry(pipe).or_default().push((task, wait));
            }
        }
    }
    waiting
}

/// The ends and processes that could end a wait of a process.
pub(crate) fn wakers(
    graph: &PipeGraph,
    processes: &Processes<'_>,
    pid: Pid,
    target: &WaitTarget,
) -> impl Iterator<Item = Waker> {
    let (ends, pids): (_, Vec<Pid>) = match target {
        WaitTarget::Pipe(wait) => (Some(holders(graph, wait)), Vec::new()),
        WaitTarget::Children(children) => (None, processes.awaited_children(*children, pid).collect()),
        WaitTarget::Threads => (None, vec![pid]),
    };
    ends.into_iter().flatten().map(Waker::from).chain(pids.into_iter().map(Waker::process))
}

/// The ends on the other side, whose holders could end a wait for a pipe.
fn holders<'a>(graph: &'a PipeGraph, wait: &PipeWait) -> impl Iterator<Item = &'a Endpoint> + use<'a> {
    let pipe = wait.pipe.filter(|_| wait.operation != Operation::Open).and_then(|id| graph.pipe(id));
    let sides: Vec<_> = wait.awaited().collect();
    let ends = pipe.map_or(&[][..], |pipe| &pipe.ends);
    ends.iter().filter(move |end| sides.iter().any(|side| end.access.is_on(*side)))
}

/// The children whose exit wakes a process by SIGCHLD, whatever it waits for: make(1) waits for a token and for a child at once.
pub(crate) fn sigchld_children(group: &ThreadGroup, processes: &Processes<'_>) -> impl Iterator<Item = Pid> {
    let catches = group.catches & SIGCHLD != 0;
    processes.awaited_children(Children::All, group.pid).filter(move |_| catches)
}

/// The sides with an end that no fd table shows, each with the threads that would not be blocked without it: with no process on the other
/// side read(2) would have returned EOF, and write(2) failed with EPIPE (`anon_pipe_read` and `anon_pipe_write` in fs/pipe.c). No thread
/// where only the kernel said so.
pub(crate) fn hidden_ends(graph: &PipeGraph, waits: &[Wait]) -> BTreeMap<(PipeId, Side), Vec<TaskId>> {
    let mut hidden: BTreeMap<(PipeId, Side), Vec<TaskId>> = BTreeMap::new();
    for wait in waits.iter().filter(|wait| wait.certainty == Attribution::Seen && wait.wakers.is_empty()) {
        let WaitTarget::Pipe(PipeWait {
            operation: Operation::Read | Operation::Write, pipe: Some(pipe), access, ..
        }) = wait.target
        else {
            continue;
        };
        // A thread that waits for the lock has not seen the other side yet.
        if wait.besides != Some(AlternativeWake::Lock) {
            let side = if access.is_on(Side::Read) { Side::Write } else { Side::Read };
            hidden.entry((pipe, side)).or_default().push(wait.task);
        }
    }
    for pipe in &graph.pipes {
        for side in Side::BOTH {
            if side::state(graph, pipe, side) == SideState::Hidden {
                hidden.entry((pipe.id, side)).or_default();
            }
        }
    }
    hidden
}

/// Where only the place in the kernel is known: a wait for each of the pipes that it could be for.
fn guesses(graph: &PipeGraph, task: &Task, wait: &PipeWait, ends: &[(PipeId, &Endpoint)]) -> Vec<Wait> {
    let fits = |end: &Endpoint| {
        // The table of another thread is not the one that it uses.
        end.tid.is_none_or(|tid| tid == task.id.tid)
            && (end.access == wait.access || end.access == AccessMode::ReadWrite)
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
        Wait { certainty, ..seen(task, &WaitTarget::Pipe(wait), wakers) }
    };
    pipes.into_iter().map(guess).collect()
}
