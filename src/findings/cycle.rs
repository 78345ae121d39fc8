//! Shared by `deadlock` and `self-deadlock`: a cycle of waits, between processes or in one.

use super::phrases::{first_lines, idle, in_parentheses, lines};
use super::{Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::judge::deadlock::{Deadlock, WaitCycle, WaitEdge};
use crate::model::{AccessMode, Doubts, Endpoint, Pid, Pipe, PipeWait, Severity, Side, TaskId, WaitTarget, Waker};

/// Maximum number of steps of a cycle in text.
const MOST_STEPS: usize = 20;

/// Maximum number of ends in a sentence.
const MOST_ENDS: usize = 4;

pub(super) fn find(
    case: &Case<'_>,
    is_meant: fn(&WaitCycle) -> bool,
    details: fn(WaitCycle) -> Details,
) -> Vec<Judgement> {
    let judgement = |Deadlock { waits, pipes, doubts }: &Deadlock| Judgement {
        doubts: doubts.clone(),
        ..Judgement::new(details(waits.clone()), waits.blocked.clone(), pipes.clone())
    };
    case.deadlocks.iter().filter(|deadlock| is_meant(&deadlock.waits)).map(judgement).collect()
}

impl Kind for WaitCycle {
    fn severity(&self, doubted: bool) -> Severity {
        if doubted { Severity::Warning } else { Severity::Error }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.blocked.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        let pids = |tasks: &[TaskId]| tasks.iter().map(|task| task.pid).collect();
        let kind = if self.is_in_one_process() { MarkKind::SelfDeadlock } else { MarkKind::Deadlock };
        vec![(kind, pids(&self.blocked)), (MarkKind::Behind, pids(&self.blocked_behind))]
    }

    fn blocked_behind(&self) -> &[TaskId] {
        &self.blocked_behind
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let processes = phrases.processes(self.blocked.iter().map(|task| task.pid));
        if self.is_in_one_process() {
            return format!("{processes} waits for itself, and no other process can unblock it");
        }
        format!("{processes} wait for each other, and no other process can unblock them")
    }

    /// The cycle step by step, then the other threads that are blocked with it.
    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let steps = first_lines(Role::Cycle, MOST_STEPS, "others", &self.cycle, |edge| step(phrases, edge));
        let outside = self.blocked.iter().skip(self.cycle.len()).chain(&self.blocked_behind);
        let mut outside: Vec<TaskId> = outside.copied().collect();
        outside.dedup_by_key(|task| task.pid);
        let stuck = lines(Role::Behind, outside, |task| {
            let doing = phrases.task(task).map_or_else(String::new, |task| format!(" {}", phrases.doing(task)));
            format!("blocked behind it: {}{doing}", phrases.process(task.pid, None))
        });
        [steps, stuck].concat()
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        // The last step first: usually the child, not the parent.
        let end = phrases.end_one(self.cycle.iter().rev().map(|edge| edge.task.pid));
        let prevention = if self.is_in_one_process() { prevention_in_one_process } else { prevention };
        format!("To unblock: {end}. To prevent: {}.", prevention(&self.cycle, phrases))
    }
}

fn step(phrases: &Phrases<'_>, edge: &WaitEdge) -> String {
    let name = phrases.task_name(edge.task);
    let idle = idle(phrases.task(edge.task).and_then(|task| task.idle));
    match &edge.target {
        WaitTarget::Pipe(wait) => {
            let side = wait.awaited().next().unwrap_or(Side::Write);
            let (role, fd) = (side.holder(), in_parentheses(edge.waker.fd));
            let is_own = |pid| pid == edge.task.pid;
            let is_only = || pipe_of(phrases, edge).is_some_and(|pipe| pipe.on(side).all(is_own));
            let holder = match is_own(edge.waker.pid) {
                true if is_only() => format!("its only {role} is the process itself"),
                true => format!("one of its {role}s is the process itself"),
                false => format!("its {role} is {}", phrases.process(edge.waker.pid, edge.waker.tid)),
            };
            format!("{name} {}{idle}; {holder}{fd}", phrases.at_pipe(wait))
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

/// The steps of a cycle that wait for data, and the first that waits for room.
fn reads_and_write(cycle: &[WaitEdge]) -> (Vec<&WaitEdge>, Option<&WaitEdge>) {
    let at_pipe = cycle.iter().filter(|edge| pipe_wait(edge).is_some());
    let (writes, reads): (Vec<&WaitEdge>, _) =
        at_pipe.partition(|edge| pipe_wait(edge).is_some_and(|wait| wait.access == AccessMode::Write));
    (reads, writes.first().copied())
}

fn prevention_in_one_process(cycle: &[WaitEdge], phrases: &Phrases<'_>) -> String {
    let (reads, write) = reads_and_write(cycle);
    match (reads.first(), write) {
        (Some(edge), None) if is_read_write(phrases, edge) => {
            "open the FIFO for reading or for writing only: a process that has it open O_RDWR is its own writer and never sees EOF"
                .to_owned()
        }
        (Some(edge), None) => {
            format!("close {}, the write end, right after fork(2)", held(phrases, edge.waker))
        }
        (_, Some(_)) | (None, None) => "read and write in different threads or processes".to_owned(),
    }
}

fn prevention(cycle: &[WaitEdge], phrases: &Phrases<'_>) -> String {
    let (reads, write) = reads_and_write(cycle);
    let waits_for_child = cycle.iter().any(|edge| matches!(edge.target, WaitTarget::Children(_)));
    match (reads.first(), write) {
        (_, Some(edge)) if waits_for_child => format!(
            "read what the child writes before waiting for it, as Python's subprocess.communicate() does; or, if another process \
             should read it, close {}",
            held(phrases, edge.waker)
        ),
        (Some(edge), None) if waits_for_child => {
            format!("close the write end before waiting for the child: {}", write_ends(phrases, edge))
        }
        (Some(_), Some(edge)) => format!(
            "read the full pipe, {}, while waiting for the other, with poll(2) or a thread, as Python's subprocess.communicate() does",
            held(phrases, edge.waker)
        ),
        (None, Some(_)) => {
            "read and write at the same time, with poll(2) or a thread, as Python's subprocess.communicate() does"
                .to_owned()
        }
        (Some(_), None) => {
            let ends: Vec<String> = reads.iter().take(MOST_ENDS).map(|edge| held(phrases, edge.waker)).collect();
            format!(
                "have one process write first: flush its buffered output (`stdbuf -oL`, `python3 -u`), or close the write end once \
                 everything is written: {}",
                ends.join(", or ")
            )
        }
        (None, None) => "make one of them proceed without the others".to_owned(),
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
