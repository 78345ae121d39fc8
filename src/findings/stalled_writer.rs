//! `stalled-writer`: a reader is blocked on an empty pipe, and all processes that should write to it are stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phrases::{lines, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role, leaked_write_end};
use crate::judge::dataflow::MarkKind;
use crate::judge::stall::{Held, held};
use crate::model::{AlternativeWake, Doubts, Operation, Pid, Pipe, PipeId, Severity, Side, TaskId, TaskState, time};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A reader is blocked on an empty pipe, and each process that uses the write side
is stopped by a signal, by its tracer or by its cgroup: neither data nor EOF
comes until it is resumed. A process in the background of a terminal is stopped
when it reads from the terminal (SIGTTIN), or writes to it (SIGTTOU).

Warning; notice (info) if the reader has a timeout or waits for other things as
well. It is proven by the state of all threads, and suspected where a process
that could not be seen may write as well.

Harmless if the writer was stopped on purpose, as by a debugger.

What to do: resume the writer with `kill -CONT PID`. If it was stopped by its
terminal, start it with its stdin from /dev/null, or in the foreground.",
    summary: Some(["pipe whose writers are stopped", "pipes whose writers are stopped"]),
    evidence_in_chain: true,
    ..super::OF_WHY
};

/// The readers are blocked until a writer is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StalledWriter {
    /// The pipe.
    pub pipe: PipeId,
    /// The threads that wait for data.
    pub readers: Vec<TaskId>,
    /// The processes that use the write side, ascending.
    pub writers: Vec<HeldWriter>,
    /// Seconds in which no reader has run; null if the kernel does not say.
    #[serde(rename = "idle_seconds", with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub idle: Option<Duration>,
    /// Whether each of the readers waits for something else as well, or with a timeout.
    pub may_resume: bool,
}

/// A process that cannot write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeldWriter {
    /// The process.
    pub pid: Pid,
    /// What keeps it from running.
    pub held: Held,
}

impl Kind for StalledWriter {
    fn severity(&self, _: bool) -> Severity {
        if self.may_resume { Severity::Info } else { Severity::Warning }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.readers.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        vec![(MarkKind::Stopped, self.writers.iter().map(|writer| writer.pid).collect())]
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let held = match self.writers.first().map(|writer| writer.held) {
            Some(Held::Traced) => "stopped by a tracer",
            Some(Held::Frozen) => "frozen",
            Some(Held::Stopped) | None => "stopped",
        };
        format!(
            "{} {} waiting for data from {}, and {}, which should write to it, {} {held}",
            phrases.tasks(&self.readers),
            verb(self.readers.len(), "is", "are"),
            phrases.pipe(self.pipe),
            phrases.processes(self.writers.iter().map(|writer| writer.pid)),
            verb(self.writers.len(), "is", "are"),
        )
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let pids: BTreeSet<Pid> = self.writers.iter().map(|writer| writer.pid).collect();
        let ends = phrases.graph.pipe(self.pipe).into_iter().flat_map(|pipe| pipe.side(Side::Write));
        let ends = ends.filter(|end| pids.contains(&end.pid));
        let writers =
            lines(Role::Holder, ends, |end| format!("{}; it {}", phrases.holds(end), phrases.process_doing(end.pid)));
        [phrases.waits(&self.readers), writers].concat()
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let of = |held| self.writers.iter().find(|writer| writer.held == held).map(|writer| writer.pid);
        if let Some(pid) = of(Held::Stopped) {
            return format!(
                "To unblock: {}. To prevent: if the terminal stopped it, start it in the foreground or with its stdin from /dev/null.",
                phrases.resume(pid)
            );
        }
        match of(Held::Traced) {
            Some(_) => "To unblock: resume the writer in its tracer, or detach the tracer.".to_owned(),
            None => "To unblock: thaw the cgroup of the writer.".to_owned(),
        }
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let awaited = case.waiting.keys().filter_map(|id| case.graph.pipe(*id));
    let mut found: Vec<Judgement> = awaited.filter_map(|pipe| of_pipe(case, pipe)).collect();
    if !found.is_empty() {
        // A holder that does not belong to the pipeline is more than stopped.
        let leaks = leaked_write_end::find(case);
        let leaked: BTreeSet<PipeId> = leaks.into_iter().flat_map(|leak| leak.pipes).collect();
        found.retain(|judgement| !judgement.pipes.iter().any(|pipe| leaked.contains(pipe)));
    }
    found
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    let reads = case.waiting.get(&pipe.id)?.iter().filter(|(task, wait)| {
        matches!(wait.operation, Operation::Read | Operation::Poll)
            && wait.access.is_on(Side::Read)
            && !case.stuck.contains(&task.id)
            && !matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Lock), .. })
    });
    let mut readers: Vec<TaskId> = reads.clone().map(|(task, _)| task.id).collect();
    readers.dedup();
    if readers.is_empty() {
        return None;
    }
    let writers = case.users_of(pipe, Side::Write);
    let is_held = |pid: Pid| Some(HeldWriter { pid, held: held(case.groups.get(&pid)?)? });
    let writers: Vec<HeldWriter> = writers.into_iter().map(is_held).collect::<Option<_>>()?;
    if writers.is_empty() {
        return None;
    }
    let alone = |doing: &TaskState| matches!(doing, TaskState::Waits { causes, besides: None } if causes.len() == 1);
    let may_resume = !reads.clone().any(|(task, _)| alone(&task.doing));
    let idle = reads.map(|(task, _)| task.idle).min().flatten();
    let mut tasks = readers.clone();
    tasks.extend(case.leaders(writers.iter().map(|writer| writer.pid)));
    let doubts = case.doubts(pipe.id, Side::Write);
    let details = StalledWriter { pipe: pipe.id, readers, writers, idle, may_resume };
    Some(Judgement { doubts, ..Judgement::new(Details::StalledWriter(details), tasks, [pipe.id]) })
}
