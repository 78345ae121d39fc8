//! `blocked-open`: a process opens a FIFO, and no process has its other side open. The kernel blocks an open(2) for no other reason
//! (`wait_for_partner` in fs/pipe.c), so that is proven. Which FIFO it is, only a path in the memory of the process says, where another may
//! have been written since: so that is inferred.
//!
//! A server waits for its next client in open(2) for reading, so that alone is no problem; a client waits for its server for some seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phrases::{to_do_what, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::escape::quote_name;
use crate::judge::dataflow::MarkKind;
use crate::judge::foreground::waiting_script;
use crate::judge::prospect::is_long;
use crate::model::{
    AccessMode, Certainty, Doubts, Operation, PathName, Pid, PipeId, PipeWait, Severity, Side, TaskId, time,
};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A process is blocked in open(2) of a FIFO, since no process has its other side
open.

Notice (info) while a process opens a FIFO for reading, as a server does that
waits for its next client. Warning
- if it opens the FIFO for writing, and has been blocked for 10 s
- if the FIFO has been deleted or replaced: no file has its path any more, or
  another process has or opens the other side of the file that has the path now,
  which would have woken this one if it were the same file
- if it opens the FIFO for reading and has been blocked for 10 s, and a script
  waits for it in the foreground: a shell has no other child, waits for this
  one, and started it within a minute of its own start. A process that ignores
  SIGINT and SIGQUIT, as one started with `&` does, a job of an interactive
  shell, a service of an init process or a supervisor, and a loop of `sh -c` are
  servers.

The kernel blocks open(2) of a FIFO for no other reason, so it is proven that a
process is blocked. Which FIFO it opens is inferred from the path in its memory,
which it can overwrite while it is blocked. A path that it may not search, or a
FIFO that it may not open, is not looked up.

Harmless where a server waits for its next client in this way.

What to do: start the process that is to open the other side. If the FIFO has
been deleted, no process can open it any more: kill the one that is blocked. If
it has been renamed, open it by its new path. With O_NONBLOCK, open(2) returns
at once.",
    summary: Some(["process waiting in open(2) of a FIFO", "processes waiting in open(2) of FIFOs"]),
    depends_on_hidden: false,
    evidence_in_chain: true,
    ..super::OF_WHY
};

/// They are blocked until a process opens the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockedOpen {
    /// The FIFO; null if it could not be identified.
    pub pipe: Option<PipeId>,
    /// The path that the first of them passed to open(2).
    #[serde(flatten, deserialize_with = "PathName::optional")]
    pub path: Option<PathName>,
    /// Whether no file has the path any more: the FIFO has been deleted, or it, a directory above it or a link to it has been renamed or
    /// removed.
    pub deleted: bool,
    /// True if another process has or opens the other side of the FIFO that has the path now, which would have woken them if it were
    /// theirs: theirs has been replaced. Otherwise missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// The shell that waits for one of them in the foreground, once that has been blocked for 10 s; missing if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Pid>,
    /// The threads that are blocked.
    pub openers: Vec<BlockedOpener>,
}

/// A thread that is blocked in open(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockedOpener {
    /// The thread.
    #[serde(flatten)]
    pub task: TaskId,
    /// How it opens the FIFO; `rw` if that is not known.
    pub access: AccessMode,
    /// Seconds since it last ran; null if the kernel does not say.
    #[serde(default, rename = "idle_seconds", with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub idle: Option<Duration>,
}

impl BlockedOpener {
    fn is_long(&self) -> bool {
        is_long(self.idle)
    }
}

impl BlockedOpen {
    fn tasks(&self) -> Vec<TaskId> {
        self.openers.iter().map(|opener| opener.task).collect()
    }

    fn access(&self) -> AccessMode {
        let first = self.openers.first().map_or(AccessMode::ReadWrite, |opener| opener.access);
        if self.openers.iter().all(|opener| opener.access == first) { first } else { AccessMode::ReadWrite }
    }

    fn name(&self, phrases: &Phrases<'_>) -> String {
        match (self.pipe, &self.path) {
            (Some(pipe), _) => phrases.pipe(pipe),
            (None, Some(path)) => quote_name(path),
            (None, None) => "a FIFO".to_owned(),
        }
    }
}

impl Kind for BlockedOpen {
    fn severity(&self, _: bool) -> Severity {
        let waits_for_server = |opener: &BlockedOpener| opener.access == AccessMode::Write && opener.is_long();
        let is_stuck = self.deleted || self.replaced || self.script.is_some();
        if is_stuck || self.openers.iter().any(waits_for_server) { Severity::Warning } else { Severity::Info }
    }

    fn certainty(&self, _: bool) -> Certainty {
        if self.path.is_none() && self.pipe.is_none() { Certainty::Proven } else { Certainty::Inferred }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.tasks(), self.path.clone())
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        vec![(MarkKind::BlockedOpen, self.openers.iter().map(|opener| opener.task.pid).collect())]
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let tasks = self.tasks();
        let (processes, is) = (phrases.tasks(&tasks), verb(tasks.len(), "is", "are"));
        let (name, for_what) = (self.name(phrases), to_do_what(self.access()));
        let other = match self.access() {
            _ if self.deleted => "the FIFO has been deleted or renamed, so that no process can open it by that path",
            _ if self.replaced => "another process has the other side of a different file with that path",
            AccessMode::Read if self.script.is_some() => {
                "no process has it open for writing, and a script waits for that"
            }
            AccessMode::Read => "no process has it open for writing",
            AccessMode::Write => "no process has it open for reading",
            AccessMode::ReadWrite => "no process has its other side open",
        };
        format!("{processes} {is} blocked in open(2) of {name}{for_what}: {other}")
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let mut lines = phrases.waits(&self.tasks());
        let text = |script| format!("{} waits for it to exit, and has no other child", phrases.process(script, None));
        lines.extend(self.script.map(|script| Evidence { role: Role::Waits, text: text(script) }));
        lines
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        if self.deleted {
            let pids: Vec<Pid> = self.openers.iter().map(|opener| opener.task.pid).collect();
            return format!(
                "To unblock: {}, or, if the FIFO has only been renamed, open its other side by its new path. To prevent: create the \
                 FIFO before the process is started, and delete or rename it only when no process opens it any more.",
                phrases.end_all(&pids)
            );
        }
        if self.replaced {
            let pids: Vec<Pid> = self.openers.iter().map(|opener| opener.task.pid).collect();
            return format!(
                "To unblock: {}, and start it again. To prevent: create the FIFO once, before any process opens it, and do not replace it.",
                phrases.end_all(&pids)
            );
        }
        // The path that the process passed to open(2), not that of another holder.
        let name = self.path.as_deref().map_or_else(|| self.name(phrases), quote_name);
        let (other, nonblock) = match self.access() {
            AccessMode::Read => ("write to", "open it with O_NONBLOCK, with which open(2) for reading returns at once"),
            AccessMode::Write => (
                "read",
                "open it with O_NONBLOCK, with which open(2) for writing fails with ENXIO while there is no reader",
            ),
            AccessMode::ReadWrite => ("use", "open it with O_NONBLOCK"),
        };
        format!("To unblock: start the process that should {other} {name}. To prevent: {nonblock}.")
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let mut found: Vec<BlockedOpen> = Vec::new();
    let mut of_pipe: BTreeMap<PipeId, usize> = BTreeMap::new();
    let tasks = case.groups.values().flat_map(|group| &group.tasks);
    // One that waits for a process which waits for it is a deadlock.
    let in_circle: BTreeSet<TaskId> =
        case.opening_circles.iter().flat_map(|circle| circle.waits.blocked.first().copied()).collect();
    let tasks = tasks.filter(|task| !in_circle.contains(&task.id));
    let waits = tasks.flat_map(|task| task.doing.pipe_waits().map(move |wait| (task, wait)));
    for (task, wait) in waits.filter(|(_, wait)| wait.operation == Operation::Open) {
        let opener = BlockedOpener { task: task.id, access: wait.access, idle: task.idle };
        let is_met = is_met(case, wait);
        let waits_for_client = wait.access == AccessMode::Read && opener.is_long();
        let script = waits_for_client.then(|| waiting_script(&case.processes, task.id.pid)).flatten();
        let index = wait.pipe.and_then(|pipe| of_pipe.get(&pipe).copied()).unwrap_or_else(|| {
            let deleted = wait.deleted || wait.pipe.and_then(|id| case.graph.pipe(id)).is_some_and(|pipe| pipe.deleted);
            let (pipe, path, openers) = (wait.pipe, wait.path.clone(), Vec::new());
            of_pipe.extend(pipe.map(|pipe| (pipe, found.len())));
            found.push(BlockedOpen { pipe, path, deleted, replaced: false, script: None, openers });
            found.len() - 1
        });
        let Some(known) = found.get_mut(index) else { continue };
        known.openers.push(opener);
        known.replaced |= is_met;
        known.script = known.script.or(script);
    }
    for open in &mut found {
        // In open(2) of one FIFO, each would have woken the other.
        let has = |access: AccessMode| open.openers.iter().any(|opener| opener.access == access);
        open.replaced |= has(AccessMode::Read) && has(AccessMode::Write);
    }
    let judgement = |details: BlockedOpen| {
        let (tasks, pipe) = (details.tasks(), details.pipe);
        Judgement::new(Details::BlockedOpen(details), tasks, pipe)
    };
    found.into_iter().map(judgement).collect()
}

/// Whether a process has the other side of what has the path now: then it is another file, since the kernel blocks no open(2) whose
/// other side is open.
fn is_met(case: &Case<'_>, wait: &PipeWait) -> bool {
    let side = match wait.access {
        AccessMode::Read => Side::Write,
        AccessMode::Write => Side::Read,
        AccessMode::ReadWrite => return false,
    };
    let pipe = wait.pipe.and_then(|id| case.graph.pipe(id));
    pipe.is_some_and(|pipe| pipe.side(side).next().is_some())
}
