//! `stalled-reader`: a writer is blocked on a full pipe, and its readers are doing something else. Where a reader may not be seen, that is
//! suspected.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phrases::{lines, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::judge::stall::{Held, Instead, Stall};
use crate::model::{Doubts, Pid, PipeId, Severity, Side, SleepOn, Task, TaskId, TaskState, time};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A writer is blocked on a full pipe, socket or terminal, and no process that uses
the read side is about to read. A process that only holds a copy of the end does
not count, nor does one that polls the pipe without reading what is in it.

Warning if the writer has been blocked for 10 s or longer, and each reader
sleeps on a timer, a lock or a poll without reading, or waits for a process that
will not go on either, also over TCP on this machine; at once if the reader is
stopped, traced or frozen. A writer is also one that polls for room: if a timer
makes it run now and then, it counts for how long no reader has run.
Notice (info) if a reader is likely to read on: it waits for a terminal, which
is for a person; it reads slowly, or works slowly on what it has read, so that
it has output; it computes; or it waits for a child, another pipe, a connection
or the holder of a file lock that is alive. A reader that may be slow is watched
for 3 s. Of a line of full pipes, the last is reported. Where the reader waits
for the writer, it is a deadlock.

It is proven by what their threads are doing that no process reads, and
suspected where a process that could not be seen may read as well.

Harmless if the reader is only slow, or stopped on purpose.

What to do: see what the reader waits for, or resume it with `kill -CONT PID`.
If it only sleeps, end the writer.",
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
    /// Whether a reader is likely to read again by itself, or has only just stopped reading.
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
    /// What it does instead of reading; null in a report of an older version.
    #[serde(default)]
    pub instead: Option<Instead>,
}

impl StalledReader {
    /// Why a reader is likely to read on.
    fn excuse(&self) -> Option<Instead> {
        let excuses = self.readers.iter().filter(|reader| reader.held.is_none()).filter_map(|reader| reader.instead);
        excuses.filter(|_| self.may_resume).min()
    }

    /// Whether the only reader has started the writers.
    fn are_children(&self, phrases: &Phrases<'_>) -> bool {
        let parent = |task: &TaskId| phrases.groups.get(&task.pid).and_then(|group| group.parent);
        matches!(&self.readers[..], [reader] if self.writers.iter().all(|task| parent(task) == Some(reader.pid)))
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
        let readers = phrases.processes(self.readers.iter().map(|reader| reader.pid));
        let count = self.readers.len();
        let is = verb(count, "is", "are");
        let instead = match self.excuse() {
            Some(Instead::Terminal) => {
                format!("{readers} {} for a terminal before reading on", verb(count, "waits", "wait"))
            }
            Some(Instead::Reads) => format!("{readers} {} it slowly", verb(count, "reads", "read")),
            Some(Instead::Works) => format!("{readers} {is} busy before reading on"),
            Some(Instead::Waits) => format!("{readers} {is} waiting for something else before reading on"),
            Some(Instead::Unknown | Instead::WaitsInVain | Instead::Sleeps) | None => {
                format!("{readers} {is} not reading it")
            }
        };
        let is = verb(self.writers.len(), "is", "are");
        format!(
            "{} {is} blocked writing to {}, which is full, and {instead}",
            phrases.tasks(&self.writers),
            phrases.pipe(self.pipe)
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
            return match self.excuse() {
                Some(Instead::Reads | Instead::Works) => {
                    "Nothing to do: the writer goes on as fast as the reader reads."
                }
                _ => "Nothing to do if the reader reads again once it has what it is waiting for.",
            }
            .to_owned();
        }
        let prevent = if self.are_children(phrases) {
            "To prevent: read what the child writes before waiting for its exit, as Python's subprocess.communicate() does."
        } else {
            "To prevent: close the read end in processes that never read."
        };
        if self.readers.iter().all(|reader| sleeps(phrases, reader)) {
            // No other process is to blame.
            let mut writers: Vec<Pid> = self.writers.iter().map(|task| task.pid).collect();
            writers.dedup();
            let noun = verb(writers.len(), "writer", "writers");
            return format!("To unblock: {} (the blocked {noun}). {prevent}", phrases.end_all(&writers));
        }
        let reader = self.readers.first().map_or(Pid(0), |reader| reader.pid);
        format!(
            "To unblock: run `lspipe why -p {reader}` to see what the reader is waiting for, and unblock it. {prevent}"
        )
    }
}

/// Whether each thread of a reader sleeps on what is no channel, so that another look at it says no more.
fn sleeps(phrases: &Phrases<'_>, reader: &Reader) -> bool {
    let is_no_channel = |on| matches!(on, SleepOn::Timer | SleepOn::Signal | SleepOn::Futex);
    let on_no_channel =
        |task: &Task| matches!(task.last_seen(), TaskState::Sleeps { sleep } if is_no_channel(sleep.on));
    let tasks = phrases.groups.get(&reader.pid).map_or(&[][..], |group| &group.tasks);
    !tasks.is_empty() && tasks.iter().all(on_no_channel)
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    // One in which a reader waits for the writer is a deadlock.
    let stalls = case.stalls().iter().filter(|stall| stall.circle.is_empty());
    stalls.map(|stall| judgement(case, stall)).collect()
}

fn judgement(case: &Case<'_>, stall: &Stall) -> Judgement {
    let Stall { pipe, writers, idle, may_resume, .. } = stall.clone();
    let readers: Vec<Reader> =
        stall.readers.iter().map(|it| Reader { pid: it.pid, held: it.held, instead: Some(it.instead) }).collect();
    let mut tasks = writers.clone();
    let leaders = case.leaders(readers.iter().map(|reader| reader.pid));
    tasks.extend(leaders.into_iter().filter(|task| writers.binary_search(task).is_err()));
    let details = StalledReader { pipe, writers, readers, idle, may_resume };
    let doubts = case.doubts(pipe, Side::Read);
    Judgement { doubts, ..Judgement::new(Details::StalledReader(details), tasks, [pipe]) }
}
