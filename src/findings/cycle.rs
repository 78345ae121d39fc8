//! What `deadlock` and `self-deadlock` share: a cycle of waits in words.

use super::phrases::{idle, in_parentheses, lines};
use super::{Evidence, Phrases, Role};
use crate::judge::deadlock::WaitEdge;
use crate::model::{AccessMode, Endpoint, Pid, Pipe, PipeWait, Side, TaskId, WaitTarget, Waker};

/// Maximum number of ends in a sentence.
const MOST_ENDS: usize = 4;

/// The cycle step by step, then the other threads that are stuck with it.
pub(super) fn evidence<'a>(
    phrases: &Phrases<'_>,
    cycle: &[WaitEdge],
    blocked: &'a [TaskId],
    blocked_behind: &'a [TaskId],
) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> =
        cycle.iter().map(|edge| Evidence { role: Role::Cycle, text: step(phrases, edge) }).collect();
    let outside: Vec<&TaskId> = blocked.get(cycle.len()..).unwrap_or_default().iter().chain(blocked_behind).collect();
    let mut pids: Vec<Pid> = outside.iter().map(|task| task.pid).collect();
    pids.dedup();
    let stuck = pids.iter().map(|pid| {
        let task = outside.iter().find(|task| task.pid == *pid).and_then(|task| phrases.task(**task));
        let doing = task.map_or_else(String::new, |task| format!(" {}", phrases.doing(task)));
        format!("blocked behind it: {}{doing}", phrases.process(*pid, None))
    });
    evidence.extend(lines(Role::Behind, stuck));
    evidence
}

fn step(phrases: &Phrases<'_>, edge: &WaitEdge) -> String {
    let name = phrases.task_name(edge.task);
    let idle = idle(phrases.task(edge.task).and_then(|task| task.idle));
    match &edge.target {
        WaitTarget::Pipe(wait) => {
            let is_own = edge.waker.pid == edge.task.pid;
            let holder = if is_own { "itself".to_owned() } else { phrases.process(edge.waker.pid, edge.waker.tid) };
            let role = wait.awaited().next().unwrap_or(Side::Write).holder();
            let fd = in_parentheses(edge.waker.fd);
            format!("{name} {}{idle}; its {role} is {holder}{fd}", phrases.at_pipe(wait))
        }
        WaitTarget::Children(_) => {
            let child = phrases.process(edge.waker.pid, edge.waker.tid);
            format!("{name} is waiting for its child {child} to exit{idle}")
        }
        WaitTarget::Threads => format!("{name} is waiting for another of its own threads{idle}"),
    }
}

/// The end by which the next in a cycle could end a wait: `fd 4 in sh (PID 201)`.
fn held(phrases: &Phrases<'_>, waker: Waker) -> String {
    let process = phrases.process(waker.pid, waker.tid);
    waker.fd.map_or_else(|| format!("its end in {process}"), |fd| format!("fd {fd} in {process}"))
}

/// What the waits of a cycle are for.
pub(super) struct Waits<'a> {
    cycle: &'a [WaitEdge],
    /// The steps that wait for data.
    reads: Vec<&'a WaitEdge>,
    /// The first step that waits for room.
    writes: Option<&'a WaitEdge>,
}

impl<'a> Waits<'a> {
    pub(super) fn new(cycle: &'a [WaitEdge]) -> Self {
        let at_pipe = |edge: &&WaitEdge, write: bool| {
            pipe_wait(edge).is_some_and(|wait| (wait.access == AccessMode::Write) == write)
        };
        Self {
            cycle,
            reads: cycle.iter().filter(|edge| at_pipe(edge, false)).collect(),
            writes: cycle.iter().find(|edge| at_pipe(edge, true)),
        }
    }

    /// `To unblock: …. To prevent: ….`
    pub(super) fn advice(&self, phrases: &Phrases<'_>, prevention: &str) -> String {
        // The last step first: it is the child rather than the parent.
        let end = phrases.end_one(self.cycle.iter().rev().map(|edge| edge.task.pid));
        format!("To unblock: {end}. To prevent: {prevention}.")
    }

    pub(super) fn prevention_in_one_process(&self, phrases: &Phrases<'_>) -> String {
        match (self.reads.first(), self.writes) {
            (Some(edge), None) if is_read_write(phrases, edge) => {
                "open the FIFO for reading or for writing only: a process that has it open O_RDWR is its own writer and never sees EOF".to_owned()
            }
            (Some(edge), None) => format!(
                "close the write end, {}, in the process that reads, right after fork(2)",
                held(phrases, edge.waker)
            ),
            (_, Some(_)) | (None, None) => "read and write in different threads or processes".to_owned(),
        }
    }

    pub(super) fn prevention(&self, phrases: &Phrases<'_>) -> String {
        let waits_for_child = self.cycle.iter().any(|edge| matches!(edge.target, WaitTarget::Children(_)));
        match (self.reads.first(), self.writes) {
            (_, Some(edge)) if waits_for_child => format!(
                "read what the child writes before waiting for it, as communicate() of Python does; or, if another process was to read \
                 it, close {}",
                held(phrases, edge.waker)
            ),
            (Some(edge), None) if waits_for_child => {
                format!("close the write end before waiting for the child: {}", write_ends(phrases, edge))
            }
            (Some(_), Some(edge)) => format!(
                "read the full pipe, {}, while waiting for the other, with poll(2) or a thread, as communicate() of Python does",
                held(phrases, edge.waker)
            ),
            (None, Some(_)) => {
                "read and write at the same time, with poll(2) or a thread, as communicate() of Python does".to_owned()
            }
            (Some(_), None) => {
                let ends = self.reads.iter().take(MOST_ENDS).map(|edge| held(phrases, edge.waker));
                format!(
                    "let one process write first: flush what is still in a buffer (stdbuf -oL, python3 -u), or close the write end once \
                     all is written: {}",
                    ends.collect::<Vec<_>>().join(", or ")
                )
            }
            (None, None) => "let one of them proceed without the others".to_owned(),
        }
    }
}

fn pipe_wait(edge: &WaitEdge) -> Option<&PipeWait> {
    match &edge.target {
        WaitTarget::Pipe(wait) => Some(wait),
        WaitTarget::Children(_) | WaitTarget::Threads => None,
    }
}

fn pipe_of<'a>(phrases: &Phrases<'a>, edge: &WaitEdge) -> Option<&'a Pipe> {
    phrases.graph.pipe(pipe_wait(edge)?.pipe?)
}

/// Whether the end by which the next could end a wait is open `O_RDWR`.
fn is_read_write(phrases: &Phrases<'_>, edge: &WaitEdge) -> bool {
    let is_waker = |end: &&Endpoint| Waker::from(*end) == edge.waker;
    let mut ends = pipe_of(phrases, edge).into_iter().flat_map(|pipe| &pipe.ends).filter(is_waker);
    ends.any(|end| end.access == AccessMode::ReadWrite)
}

/// All write ends of the pipe that a thread reads.
fn write_ends(phrases: &Phrases<'_>, edge: &WaitEdge) -> String {
    let ends = pipe_of(phrases, edge).into_iter().flat_map(|pipe| pipe.side(Side::Write));
    let ends = ends.take(MOST_ENDS).map(|end| held(phrases, Waker::from(end)));
    ends.collect::<Vec<_>>().join(" and ")
}
