//! `stalled-reader`: a writer is blocked on a full pipe, and its readers are doing something else. Where a reader may not be seen, that is
//! suspected.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phrases::{lines, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::model::{
    Doubts, Operation, Pid, Pipe, PipeId, Severity, Side, SleepOn, Task, TaskId, TaskState, ThreadGroup, WaitTarget,
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
        let writing: BTreeSet<Pid> = writers.iter().copied().collect();
        let readers = self.readers.iter().map(|reader| reader.pid).filter(|pid| !writing.contains(pid)).collect();
        vec![(MarkKind::BlockedWriter, writers), (MarkKind::StalledReader, readers)]
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
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
        let readers = lines(Role::Holder, ends, |end| format!("{}; it {}", phrases.holds(end), doing(end.pid)));
        [phrases.waits(&self.writers), readers].concat()
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
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
    let mut attention = BTreeMap::new();
    let pipes = case.waiting.keys().filter_map(|pipe| case.graph.pipe(*pipe));
    pipes.filter_map(|pipe| of_pipe(case, pipe, &mut attention)).collect()
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe, known: &mut BTreeMap<Pid, Attention>) -> Option<Judgement> {
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
    let at_pipe: BTreeSet<Pid> = waiting.iter().map(|(task, _)| task.id.pid).collect();
    let (mut readers, mut may_resume) = (Vec::new(), false);
    for group in groups {
        let attention = known.entry(group.pid).or_insert_with(|| Attention::of(group));
        if attention.here || at_pipe.contains(&group.pid) {
            return None;
        }
        may_resume |= attention.outside || (attention.busy && !is_long);
        readers.push(Reader { pid: group.pid, held: attention.held });
    }
    let idle = writers.iter().map(|task| task.idle).min().flatten();
    let writers: Vec<TaskId> = writers.iter().map(|task| task.id).collect();
    let mut tasks = writers.clone();
    let writing: BTreeSet<TaskId> = writers.iter().copied().collect();
    tasks.extend(case.leaders(pids).into_iter().filter(|task| !writing.contains(task)));
    let details = StalledReader { pipe: pipe.id, writers, readers, idle, may_resume };
    let doubts = case.doubts(pipe.id, Side::Read);
    Some(Judgement { doubts, ..Judgement::new(Details::StalledReader(details), tasks, [pipe.id]) })
}

/// Whether the threads of a process may read from a pipe soon, of those that do not wait for it. The same for all of its pipes.
#[derive(Default)]
struct Attention {
    /// One runs, or waits for room further down the pipeline, or its state is not known.
    here: bool,
    /// One waits for something from outside, after which it may read.
    outside: bool,
    /// One is busy with something that has to end first.
    busy: bool,
    /// What keeps one from running.
    held: Option<Held>,
}

impl Attention {
    fn of(group: &ThreadGroup) -> Self {
        let mut all = Self::default();
        for task in &group.tasks {
            match &task.doing {
                TaskState::Runs | TaskState::Unknown => all.here = true,
                TaskState::Waits { causes, .. } if causes.iter().any(is_elsewhere) => all.here = true,
                TaskState::Waits { besides: None, .. } => all.busy = true,
                TaskState::Waits { besides: Some(_), .. } => all.outside = true,
                TaskState::Sleeps { sleep } => match sleep.on {
                    // Elsewhere, as on a disk, it does not sleep for long.
                    SleepOn::SomeFiles | SleepOn::IoUring | SleepOn::Other => all.here = true,
                    SleepOn::Files | SleepOn::Terminal | SleepOn::Socket => all.outside = true,
                    SleepOn::Timer | SleepOn::Signal | SleepOn::Futex => all.busy = true,
                    SleepOn::FileInPipe { .. } => {}
                },
                TaskState::Stopped => all.held_by(Held::Stopped),
                TaskState::Traced => all.held_by(Held::Traced),
                TaskState::Frozen => all.held_by(Held::Frozen),
                TaskState::Exits => {}
            }
        }
        all
    }

    /// The first in order says the most.
    fn held_by(&mut self, by: Held) {
        self.held = Some(self.held.map_or(by, |held| held.min(by)));
    }
}

/// Whether a wait is for room further down, or for a pipe that is not known. What it waits for further down is reported there.
fn is_elsewhere(cause: &WaitTarget) -> bool {
    match cause {
        WaitTarget::Pipe(wait) => {
            (wait.pipe.is_none() && wait.operation != Operation::Open) || wait.operation == Operation::Write
        }
        WaitTarget::Children(_) | WaitTarget::Threads => false,
    }
}
