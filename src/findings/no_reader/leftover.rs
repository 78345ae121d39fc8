//! Which writer of a pipe without a reader is left over of a job for which another process waits.
//!
//! A process with a dead stdout is nothing unusual: `sleep 100 | true` never notices, and need not. What is left over is distinguished by what
//! the writer does: it only passes on what it reads, or it has survived writes that failed. None of this depends on its name.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SIGPIPE;
use crate::findings::Case;
use crate::judge::prospect::is_long;
use crate::model::words::words;
use crate::model::{
    AccessMode, Children, Endpoint, Fd, LinkTarget, Operation, Pid, Pipe, PipeWait, Side, Sleep, SleepOn, Task,
    TaskState, ThreadGroup, ViewLimit, WaitTarget,
};

/// A writer that has run within this time, and was started long ago, goes on although its writes fail.
const SHORT: Duration = Duration::from_secs(2);

/// SIGURG by its bit in `SigCgt`. The runtime of Go catches all signals, this one to preempt goroutines, and yet ends by SIGPIPE of a write
/// to stdout or stderr: see package os/signal.
const SIGURG: u64 = 1 << 22;

/// A writer that uses more of the CPU than one part of so many is at work.
const IDLE_PARTS: u64 = 5;

/// The left-over writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Leftover {
    /// It.
    pub writer: Pid,
    /// The process that waits for the job of which it is left, and does not have the pipe itself.
    pub waiter: Pid,
    /// Why the writer does not notice.
    pub kind: LeftoverKind,
}

words! {
    /// Why a writer does not notice that no process reads from it.
    pub enum LeftoverKind {
        /// It waits for data of another pipe, as a filter.
        Filter = "filter",
        /// It waits for events of files.
        Follower = "follower",
        /// Its writes fail, and it goes on.
        Survivor = "survivor",
    }
}

/// Finds the left-over writers. What is known of a process is found once: it may have very many pipes.
pub(super) struct Leftovers<'a> {
    case: &'a Case<'a>,
    known: RefCell<BTreeMap<Pid, (Option<LeftoverKind>, bool)>>,
}

impl<'a> Leftovers<'a> {
    pub(super) const fn new(case: &'a Case<'a>) -> Self {
        Self { case, known: RefCell::new(BTreeMap::new()) }
    }

    /// The first writer of a pipe that is left over.
    pub(super) fn of(&self, pipe: &Pipe) -> Option<Leftover> {
        let holders: BTreeSet<Pid> = pipe.on(Side::Write).collect();
        let candidates: Vec<(Pid, LeftoverKind)> =
            holders.iter().filter_map(|pid| Some((*pid, self.known(*pid).0?))).collect();
        let knows_users = || self.case.knows_users(pipe);
        if candidates.is_empty() || holders.iter().any(|pid| self.known(*pid).1) || !knows_users() {
            return None;
        }
        let users = self.case.users_of(pipe, Side::Write);
        // Under another number it may be the stdin of a child that has ended, which a program need not close.
        let is_output = |end: &Endpoint| matches!(end.fd, Fd(1 | 2));
        let output: BTreeSet<Pid> = pipe.side(Side::Write).filter(|end| is_output(end)).map(|end| end.pid).collect();
        let is_left = |pid: &Pid| users.contains(pid) && output.contains(pid);
        candidates.into_iter().filter(|(pid, _)| is_left(pid)).find_map(|(writer, kind)| {
            if kind == LeftoverKind::Filter && !self.has_input(writer, &holders) {
                return None;
            }
            let waiter = waiter(self.case, writer, &holders, kind)?;
            Some(Leftover { writer, waiter, kind })
        })
    }

    /// Why a process does not notice that it is left over, if it is, and whether it is at work.
    fn known(&self, pid: Pid) -> (Option<LeftoverKind>, bool) {
        *self.known.borrow_mut().entry(pid).or_insert_with(|| {
            let group = self.case.groups.get(&pid).filter(|group| !group.tasks.is_empty());
            group.map_or((None, true), |group| (kind(self.case, group), is_at_work(group)))
        })
    }

    /// Whether what a filter waits for comes from a process without the output: not from another one of its own job, as to a worker.
    fn has_input(&self, pid: Pid, holders: &BTreeSet<Pid>) -> bool {
        let tasks = self.case.groups.get(&pid).into_iter().flat_map(|group| &group.tasks);
        let pipes = tasks.filter(|task| is_long(task.idle) && filters(task)).flat_map(|task| task.doing.pipe_waits());
        let mut inputs = pipes.filter_map(|wait| self.case.graph.pipe(wait.pipe?));
        inputs.any(|input| input.on(Side::Write).any(|pid| !holders.contains(&pid)))
    }
}

impl Leftover {
    /// Whether no process that could not be read may have the missing end: the pipe was made by the waiting process, which does not have it
    /// any more, or below, and none of those is below or in that session.
    pub(super) fn is_made_here(&self, case: &Case<'_>, pipe: &Pipe) -> bool {
        let (processes, coverage) = (&case.processes, &case.graph.coverage);
        let is_apart = |pid: Pid| {
            let sessions = processes.session(pid).zip(processes.session(self.writer));
            !processes.is_ancestor(self.waiter, pid) && sessions.is_some_and(|(one, other)| one != other)
        };
        let mut gaps = coverage.gaps.iter().filter(|gap| gap.may_hold.cover(pipe.id.device(), Side::Read));
        coverage.outside != Some(ViewLimit::Hidepid) && gaps.all(|gap| gap.pid != self.waiter && is_apart(gap.pid))
    }
}

fn kind(case: &Case<'_>, group: &ThreadGroup) -> Option<LeftoverKind> {
    if group.tasks.iter().any(|task| is_long(task.idle) && filters(task)) {
        return Some(LeftoverKind::Filter);
    }
    if let [task] = &group.tasks[..]
        && is_long(task.idle)
        && follows_files(task)
    {
        return Some(LeftoverKind::Follower);
    }
    let survives = group.ignores & SIGPIPE != 0 || (group.catches & SIGPIPE != 0 && group.catches & SIGURG == 0);
    let started = case.processes.facts(group.pid)?.started_at?;
    let is_old = is_long(case.graph.taken_at.since(started));
    let is_awake = group.tasks.iter().any(|task| task.woke.is_some() || task.idle.is_some_and(|idle| idle < SHORT));
    (survives && is_old && is_awake).then_some(LeftoverKind::Survivor)
}

/// Whether a process does more than to wake now and then.
fn is_at_work(group: &ThreadGroup) -> bool {
    let runs = |task: &Task| task.doing == TaskState::Runs && task.woke.is_none();
    group.tasks.iter().any(runs) || group.activity.is_some_and(|it| it.uses_cpu(IDLE_PARTS))
}

/// Whether a thread waits for nothing but data of pipes.
fn filters(task: &Task) -> bool {
    let is_input = |cause: &WaitTarget| {
        matches!(
            cause,
            WaitTarget::Pipe(PipeWait {
                operation: Operation::Read | Operation::Poll,
                access: AccessMode::Read,
                pipe: Some(_),
                ..
            })
        )
    };
    match &task.doing {
        TaskState::Waits { causes, besides: None } => causes.iter().all(is_input),
        _ => false,
    }
}

/// Whether a thread waits for events of files alone, of which all are known.
fn follows_files(task: &Task) -> bool {
    let is_events =
        |target: &Option<LinkTarget>| target.as_ref().is_some_and(|it| it.starts_with(b"anon_inode:inotify"));
    match &task.doing {
        TaskState::Sleeps { sleep: Sleep { on: SleepOn::Files, .. } } => {
            !task.others.is_empty() && task.others.iter().all(|file| is_events(&file.target))
        }
        TaskState::Sleeps { sleep } => is_events(&sleep.target),
        _ => false,
    }
}

/// The first process above the writer that does not have the pipe, if it does nothing but wait for what is below it.
fn waiter(case: &Case<'_>, writer: Pid, holders: &BTreeSet<Pid>, kind: LeftoverKind) -> Option<Pid> {
    let processes = &case.processes;
    let mut line = std::iter::once(writer).chain(processes.ancestors(writer));
    let top = line.find(|pid| processes.parent(*pid).is_some_and(|parent| !holders.contains(&parent)))?;
    let waiter = processes.parent(top)?;
    let group = case.groups.get(&waiter)?;
    // A child reaper waits for whatever comes to it, but a pipeline whose input is a pipe was started by a process that waits for it.
    let is_own = group.adopts.is_none()
        || (kind == LeftoverKind::Filter && processes.process_group(top) == processes.process_group(waiter));
    let waits = |task: &Task| {
        let is_alone = task.id.is_leader() || group.tasks.len() == 1;
        match &task.doing {
            TaskState::Waits { causes, besides: None } => is_alone && causes.iter().all(|cause| is_for(cause, top)),
            // As zsh and timeout(1) do.
            TaskState::Sleeps { sleep: Sleep { on: SleepOn::Signal, .. } } => is_alone && group.adopts.is_none(),
            _ => false,
        }
    };
    (is_own && group.tasks.iter().any(waits)).then_some(waiter)
}

fn is_for(cause: &WaitTarget, child: Pid) -> bool {
    match cause {
        WaitTarget::Children(Children::All) => true,
        WaitTarget::Children(Children::One(one)) => *one == child,
        _ => false,
    }
}
