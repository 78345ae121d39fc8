//! Shared by `deadlock` and `self-deadlock`: a cycle of waits, between processes or in one.

use std::collections::BTreeSet;

use super::phrases::{first_lines, idle, in_parentheses, lines};
use super::{Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::judge::deadlock::{Deadlock, WaitCycle, WaitEdge};
use crate::judge::lineage::is_pool;
use crate::judge::stall::Stall;
use crate::model::{
    AccessMode, Certainty, Doubt, Doubts, Endpoint, Operation, Pid, Pipe, PipeId, PipeWait, Severity, Side, TaskId,
    WaitTarget, Waker,
};

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
    let proven = case.deadlocks.iter().filter(|deadlock| is_meant(&deadlock.waits)).map(judgement);
    let inferred =
        case.stalls().iter().filter_map(of_stall).filter(|(waits, _)| is_meant(waits)).map(|(waits, pipe)| {
            let tasks = waits.blocked.clone();
            let mut doubts = case.doubts(pipe, Side::Read);
            let named = case.graph.pipe(pipe).filter(|pipe| pipe.has_name());
            doubts.extend(named.map(|pipe| Doubt::Name(pipe.id)));
            Judgement { doubts, ..Judgement::new(details(waits), tasks, [pipe]) }
        });
    let circles = case.opening_circles.iter().filter(|circle| is_meant(&circle.waits));
    let opening = circles.map(|circle| {
        Judgement::new(details(circle.waits.clone()), circle.waits.blocked.clone(), circle.pipes.clone())
    });
    proven.chain(inferred).chain(opening).collect()
}

/// A full channel whose reader waits for its writer in turn, with the channel.
fn of_stall(stall: &Stall) -> Option<(WaitCycle, PipeId)> {
    let mut blocked: Vec<TaskId> = stall.circle.iter().map(|edge| edge.task).collect();
    let others: Vec<TaskId> = stall.writers.iter().copied().filter(|writer| !blocked.contains(writer)).collect();
    blocked.extend(others);
    let waits = WaitCycle { cycle: stall.circle.clone(), blocked, blocked_behind: Vec::new(), inferred: true };
    (!stall.circle.is_empty()).then_some((waits, stall.pipe))
}

impl Kind for WaitCycle {
    fn severity(&self, doubted: bool) -> Severity {
        if doubted || self.inferred { Severity::Warning } else { Severity::Error }
    }

    fn certainty(&self, doubted: bool) -> Certainty {
        match (doubted, self.inferred) {
            (true, _) => Certainty::Suspected,
            (false, true) => Certainty::Inferred,
            (false, false) => Certainty::Proven,
        }
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
        match (self.is_in_one_process(), self.inferred) {
            (true, true) => return format!("{processes} waits for itself, and no other process reads what it writes"),
            (true, false) => return format!("{processes} waits for itself, and no other process can unblock it"),
            (false, true) => {
                return format!("{processes} wait for each other, and appear to have no other way to go on");
            }
            (false, false) => {}
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
        format!("To unblock: {end}. To prevent: {}.", prevention(self, phrases))
    }
}

fn step(phrases: &Phrases<'_>, edge: &WaitEdge) -> String {
    let name = phrases.task_name(edge.task);
    let idle = idle(phrases.task(edge.task).and_then(|task| task.idle));
    match &edge.target {
        WaitTarget::Pipe(wait) => {
            let side = wait.awaited().next().unwrap_or(Side::Write);
            if wait.operation == Operation::Open {
                let other = phrases.process(edge.waker.pid, edge.waker.tid);
                return format!(
                    "{name} {}{idle}; {other} has it among its arguments, and has not opened it",
                    phrases.at_pipe(wait)
                );
            }
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
        WaitTarget::Threads => format!("{name} {}{idle}", phrases.for_threads(edge.task.pid)),
        WaitTarget::Lock(_) => {
            let holder = phrases.process(edge.waker.pid, edge.waker.tid);
            format!("{name} is waiting for a lock (futex) in memory that {holder} shares{idle}")
        }
        WaitTarget::Event(_) => {
            let holder = phrases.process(edge.waker.pid, edge.waker.tid);
            format!("{name} is waiting for an eventfd of {holder}{idle}")
        }
        WaitTarget::FileLock(wait) => format!("{name} {}{idle}", phrases.for_file_lock(wait, Some(edge.waker))),
    }
}

/// The end by which the next in a cycle could end a wait: `fd 4 in sh (PID 201)`.
fn held(phrases: &Phrases<'_>, waker: Waker) -> String {
    let process = phrases.process(waker.pid, waker.tid);
    waker.fd.map_or_else(|| format!("its end in {process}"), |fd| format!("fd {fd} in {process}"))
}

/// The steps of a cycle that wait for data, and the first that waits for room. A poll for a hang-up is neither.
fn reads_and_write(cycle: &[WaitEdge]) -> (Vec<&WaitEdge>, Option<&WaitEdge>) {
    let is_data = |edge: &&WaitEdge| pipe_wait(edge).is_some_and(|wait| wait.operation != Operation::Hangup);
    let (writes, reads): (Vec<&WaitEdge>, _) = (cycle.iter().filter(is_data))
        .partition(|edge| pipe_wait(edge).is_some_and(|wait| wait.access == AccessMode::Write));
    (reads, writes.first().copied())
}

fn prevention_in_one_process(waits: &WaitCycle, phrases: &Phrases<'_>) -> String {
    let (reads, write) = reads_and_write(&waits.cycle);
    let pid = waits.blocked.first().map(|task| task.pid);
    let is_alone = pid.is_some_and(|pid| phrases.is_alone(pid));
    match (reads.first(), write) {
        (Some(edge), None) if is_read_write(phrases, edge) => {
            "open the FIFO for reading or for writing only: a process that has it open O_RDWR is its own writer and never sees EOF"
                .to_owned()
        }
        (Some(edge), None) if is_alone => {
            format!("close {}, the write end, right after fork(2)", held(phrases, edge.waker))
        }
        (Some(edge), None) => format!(
            "close {}, the write end, once the writers have ended, and before waiting for the thread that reads",
            held(phrases, edge.waker)
        ),
        (_, Some(_)) if is_alone => "read and write in different threads or processes".to_owned(),
        (_, Some(_)) => "read and write in different processes, or in different threads of which the one that writes holds no lock that the \
                         other needs, such as the GIL of Python"
            .to_owned(),
        (None, None) if is_alone => "do not fork(2) while another thread holds a lock: fork before the first thread is started, or use the \
                                     start method `spawn` or `forkserver` of Python's multiprocessing"
            .to_owned(),
        (None, None) => {
            "acquire locks in the same order in all threads, and do not fork(2) while another thread holds one".to_owned()
        }
    }
}

fn prevention(waits: &WaitCycle, phrases: &Phrases<'_>) -> String {
    let cycle = &waits.cycle;
    if cycle.iter().any(|edge| matches!(edge.target, WaitTarget::FileLock(_))) {
        return "release the lock before writing to the pipe, or take it in one of the processes only".to_owned();
    }
    if cycle.iter().any(|edge| pipe_wait(edge).is_some_and(|wait| wait.operation == Operation::Open)) {
        return "open the FIFOs in the same order in both programs, or each in a thread of its own".to_owned();
    }
    let (reads, write) = reads_and_write(cycle);
    let waits_for_child = cycle.iter().any(|edge| matches!(edge.target, WaitTarget::Children(_)));
    // Another thread than that of the cycle may do it.
    let awaits_exit = |task: &TaskId| {
        let causes = phrases.task(*task).map_or(&[][..], |task| task.doing.causes());
        causes.iter().any(|cause| matches!(cause, WaitTarget::Children(_)))
    };
    let parents: BTreeSet<Pid> = waits.blocked.iter().filter(|task| awaits_exit(task)).map(|task| task.pid).collect();
    let of_child = reads.iter().find(|edge| parents.contains(&edge.waker.pid));
    match (of_child.or(reads.first()), write) {
        (_, Some(edge)) if waits_for_child => format!(
            "read what the child writes before waiting for it, as Python's subprocess.communicate() does; or, if another process \
             should read it, close {}",
            held(phrases, edge.waker)
        ),
        (Some(edge), None) if have_both_ends(phrases, edge) => {
            "write what each reader waits for, such as the end mark of a queue or the token of a jobserver: each of the processes has both \
             ends, so that none sees EOF"
                .to_owned()
        }
        (Some(edge), None) if !parents.is_empty() => {
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

/// Whether more processes than a parent and a child have the pipe that a thread reads, and each has both ends. Of two, each has forgotten to
/// close one.
fn have_both_ends(phrases: &Phrases<'_>, edge: &WaitEdge) -> bool {
    pipe_of(phrases, edge).is_some_and(|pipe| {
        let on_both = pipe.on_both();
        on_both.len() > 2 && is_pool(pipe.ends.iter().map(|end| end.pid), |pid| on_both.contains(&pid))
    })
}

fn pipe_wait(edge: &WaitEdge) -> Option<&PipeWait> {
    match &edge.target {
        WaitTarget::Pipe(wait) => Some(wait),
        _ => None,
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
