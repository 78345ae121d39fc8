//! `stalled-reader`: a writer is blocked on a full pipe, and its readers are doing something else. Where a reader may not be seen, that is
//! suspected.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phrases::{lines, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::model::{
    Doubt, Operation, Pid, Pipe, PipeId, Severity, Side, SleepOn, Task, TaskId, TaskState, ThreadGroup, WaitTarget,
    time,
};

/// A writer that has not run for this long has seen no read in that time. Less may be a slow reader.
const LONG: Duration = Duration::from_secs(10);

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A writer is blocked on a full pipe, and no holder of the read end is about to
read: each is stopped, or waits for something else.

Warning; notice (info) if the readers wait for a terminal, a socket or other
files, and may read again. It is proven by what their threads are doing, and
suspected where a process that could not be seen may read as well.

Harmless if the reader is only slow, or stopped on purpose.

What to do: see what the reader waits for, or resume it with `kill -CONT PID`.",
    summary: Some([
        "full pipe whose reader is doing something else",
        "full pipes whose readers are doing something else",
    ]),
    evidence_in_chain: true,
    ..super::OF_WHY
};

/// The writers are blocked until a reader reads, or all readers close their ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StalledReader {
    /// The pipe.
    pub pipe: PipeId,
    /// The threads that wait for room.
    pub writers: Vec<TaskId>,
    /// The processes that hold the read end.
    pub readers: Vec<Reader>,
    /// Seconds in which no writer has run, so that no reader has read; null if the kernel does not say.
    #[serde(rename = "idle_seconds", with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub idle: Option<Duration>,
    /// Whether the readers wait for a terminal, a socket or other files, or have only just stopped reading.
    pub may_resume: bool,
}

/// A process that does not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reader {
    /// The process.
    pub pid: Pid,
    /// What keeps it from running; null if it runs, or waits for something else.
    pub held: Option<Held>,
}

crate::model::words::words! {
    /// What keeps a reader from running.
    pub enum Held {
        /// A signal.
        Stopped = "stopped",
        /// Its tracer.
        Traced = "traced",
        /// Its cgroup.
        Frozen = "frozen",
    }
}

impl Kind for StalledReader {
    fn severity(&self, _: bool) -> Severity {
        if self.may_resume { Severity::Info } else { Severity::Warning }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.writers.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        if self.may_resume {
            return Vec::new();
        }
        let writers: Vec<Pid> = self.writers.iter().map(|task| task.pid).collect();
        let readers = self.readers.iter().map(|reader| reader.pid).filter(|pid| !writers.contains(pid)).collect();
        vec![(MarkKind::BlockedWriter, writers), (MarkKind::StalledReader, readers)]
    }

    fn message(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        format!(
            "{} {} blocked writing to {}, which is full, and {} {} not reading it",
            phrases.tasks(&self.writers),
            verb(self.writers.len(), "is", "are"),
            phrases.pipe(self.pipe),
            phrases.processes(self.readers.iter().map(|reader| reader.pid)),
            verb(self.readers.len(), "is", "are"),
        )
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let ends = phrases.graph.pipe(self.pipe).into_iter().flat_map(|pipe| pipe.side(Side::Read));
        // The advice has the command that resumes it.
        let is_stopped = |pid| self.readers.iter().any(|it| it.pid == pid && it.held == Some(Held::Stopped));
        let doing = |pid| match is_stopped(pid) {
            true => "is stopped by a signal".to_owned(),
            false => phrases.process_doing(pid),
        };
        let readers = ends.map(|end| format!("{}; it {}", phrases.holds(end), doing(end.pid)));
        [phrases.waits(&self.writers), lines(Role::Holder, readers)].concat()
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let held = |held| self.readers.iter().find(|reader| reader.held == Some(held)).map(|reader| reader.pid);
        if let Some(pid) = held(Held::Stopped) {
            return format!("To unblock: {}.", phrases.resume(pid));
        }
        if held(Held::Traced).is_some() {
            return "To unblock: resume the reader in its tracer, or detach the tracer.".to_owned();
        }
        if held(Held::Frozen).is_some() {
            return "To unblock: thaw the cgroup of the reader.".to_owned();
        }
        if self.may_resume {
            return "Nothing to do if the reader reads again once it has what it is waiting for.".to_owned();
        }
        let reader = self.readers.first().map_or(Pid(0), |reader| reader.pid);
        format!(
            "To unblock: run `lspipe why -p {reader}` to see what the reader is waiting for, and unblock it. To prevent: close the read \
             end in processes that never read."
        )
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_awaited_pipe(of_pipe)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    let waiting = case.waiting.get(&pipe.id)?;
    let writes = waiting.iter().filter(|(_, wait)| wait.operation == Operation::Write);
    let writers: Vec<&Task> = writes.map(|(task, _)| *task).collect();
    if writers.iter().all(|writer| case.stuck.contains(&writer.id)) {
        return None;
    }
    let pids: BTreeSet<Pid> = pipe.side(Side::Read).map(|end| end.pid).collect();
    let groups: Vec<&ThreadGroup> = pids.iter().map(|pid| case.groups.get(pid)).collect::<Option<_>>()?;
    if groups.is_empty() || groups.iter().any(|group| group.tasks.is_empty()) {
        return None;
    }
    // A writer of which the kernel does not say it may have been blocked for long.
    let is_long = waiting.iter().all(|(task, _)| task.idle.is_none_or(|idle| idle >= LONG));
    let (mut readers, mut may_resume) = (Vec::new(), false);
    for group in groups {
        let mut held = None;
        for task in &group.tasks {
            match attention(task, pipe.id) {
                Attention::Here => return None,
                Attention::Outside => may_resume = true,
                Attention::Busy => may_resume |= !is_long,
                Attention::Held(by) => held = by.into_iter().chain(held).min(),
            }
        }
        readers.push(Reader { pid: group.pid, held });
    }
    let idle = writers.iter().map(|task| task.idle).min().flatten();
    let writers: Vec<TaskId> = writers.iter().map(|task| task.id).collect();
    let mut tasks = writers.clone();
    tasks.extend(case.leaders(pids).into_iter().filter(|task| !writers.contains(task)));
    let details = StalledReader { pipe: pipe.id, writers, readers, idle, may_resume };
    let doubts = case.doubts(pipe.id, Side::Read);
    Some(Judgement { doubts, ..Judgement::new(Details::StalledReader(details), tasks, [pipe.id]) })
}

/// Whether a thread may read from a pipe soon.
enum Attention {
    /// It runs, or waits for the pipe, or for room further down the pipeline, or its state is not known.
    Here,
    /// It waits for something from outside, after which it may read.
    Outside,
    /// It is busy with something that has to end first.
    Busy,
    /// It is kept from running.
    Held(Option<Held>),
}

fn attention(task: &Task, pipe: PipeId) -> Attention {
    match &task.doing {
        TaskState::Runs | TaskState::Unknown => Attention::Here,
        TaskState::Waits { causes, .. } if causes.iter().any(|cause| is_here(cause, pipe)) => Attention::Here,
        TaskState::Waits { besides: None, .. } => Attention::Busy,
        TaskState::Waits { besides: Some(_), .. } => Attention::Outside,
        TaskState::Sleeps { sleep } => match sleep.on {
            // Elsewhere, as on a disk, it does not sleep for long.
            SleepOn::SomeFiles | SleepOn::IoUring | SleepOn::Other => Attention::Here,
            SleepOn::Files | SleepOn::Terminal | SleepOn::Socket => Attention::Outside,
            SleepOn::Timer | SleepOn::Signal | SleepOn::Futex => Attention::Busy,
            SleepOn::FileInPipe { .. } => Attention::Held(None),
        },
        TaskState::Stopped => Attention::Held(Some(Held::Stopped)),
        TaskState::Traced => Attention::Held(Some(Held::Traced)),
        TaskState::Frozen => Attention::Held(Some(Held::Frozen)),
        TaskState::Exits => Attention::Held(None),
    }
}

fn is_here(cause: &WaitTarget, pipe: PipeId) -> bool {
    match cause {
        // What it waits for further down is reported there.
        WaitTarget::Pipe(wait) => {
            wait.pipe == Some(pipe)
                || (wait.pipe.is_none() && wait.operation != Operation::Open)
                || wait.operation == Operation::Write
        }
        WaitTarget::Children(_) | WaitTarget::Threads => false,
    }
}
