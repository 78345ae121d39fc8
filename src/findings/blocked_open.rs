//! `blocked-open`: a process opens a FIFO, and no process has its other side open. The kernel blocks an open(2) for no other reason
//! (`wait_for_partner` in fs/pipe.c), so that is proven. Which FIFO it is, only a path in the memory of the process says, where another may
//! have been written since: so that is inferred.

use serde::{Deserialize, Serialize};

use super::phrases::{to_do_what, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases};
use crate::escape::escape_name;
use crate::judge::dataflow::MarkKind;
use crate::model::{AccessMode, Certainty, Doubt, Operation, PathName, Pid, PipeId, Severity, TaskId};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning],
    explain: "\
A process is blocked in open(2) of a FIFO, since no process has its other side
open.

Warning. The kernel blocks open(2) of a FIFO for no other reason, so it is
proven that a process is blocked. Which FIFO it opens is inferred from the path
in its memory, which it can overwrite while it is blocked. A path that it may
not search, or a FIFO that it may not open, is not looked up.

Harmless where a service waits for its next client in this way.

What to do: start the process that is to open the other side. If the FIFO has
been deleted, no process can open it any more: kill the one that is blocked. If
it has been renamed, open it by its new path. With O_NONBLOCK, open(2) returns
at once.",
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
}

impl BlockedOpen {
    fn tasks(&self) -> Vec<TaskId> {
        self.openers.iter().map(|opener| opener.task).collect()
    }

    fn access(&self) -> AccessMode {
        self.openers.first().map_or(AccessMode::ReadWrite, |opener| opener.access)
    }

    fn name(&self, phrases: &Phrases<'_>) -> String {
        match (self.pipe, &self.path) {
            (Some(pipe), _) => phrases.pipe(pipe),
            (None, Some(path)) => escape_name(path),
            (None, None) => "a FIFO".to_owned(),
        }
    }
}

impl Kind for BlockedOpen {
    fn severity(&self, _: bool) -> Severity {
        Severity::Warning
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

    fn message(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let tasks = self.tasks();
        let (processes, is) = (phrases.tasks(&tasks), verb(tasks.len(), "is", "are"));
        let (name, for_what) = (self.name(phrases), to_do_what(self.access()));
        let other = match self.access() {
            _ if self.deleted => "the FIFO has been deleted or renamed, so that no process can open it by that path",
            AccessMode::Read => "no process has it open for writing",
            AccessMode::Write => "no process has it open for reading",
            AccessMode::ReadWrite => "no process has its other side open",
        };
        format!("{processes} {is} blocked in open(2) of {name}{for_what}: {other}")
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        phrases.waits(&self.tasks())
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        if self.deleted {
            let pids: Vec<Pid> = self.openers.iter().map(|opener| opener.task.pid).collect();
            return format!(
                "To unblock: {}, or, if the FIFO has only been renamed, open its other side by its new path. To prevent: create the \
                 FIFO before the process is started, and delete or rename it only when no process opens it any more.",
                phrases.end_all(&pids)
            );
        }
        // The path that the process passed to open(2), not that of another holder.
        let name = self.path.as_deref().map_or_else(|| self.name(phrases), escape_name);
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
    let tasks = case.groups.values().flat_map(|group| &group.tasks);
    let waits = tasks.flat_map(|task| task.doing.pipe_waits().map(|wait| (task.id, wait)));
    for (task, wait) in waits.filter(|(_, wait)| wait.operation == Operation::Open) {
        let opener = BlockedOpener { task, access: wait.access };
        match found.iter_mut().find(|it| it.pipe.is_some() && it.pipe == wait.pipe) {
            Some(known) => known.openers.push(opener),
            None => {
                let deleted =
                    wait.deleted || wait.pipe.and_then(|id| case.graph.pipe(id)).is_some_and(|pipe| pipe.deleted);
                let path = wait.path.clone();
                found.push(BlockedOpen { pipe: wait.pipe, path, deleted, openers: vec![opener] });
            }
        }
    }
    let judgement = |details: BlockedOpen| {
        let (tasks, pipe) = (details.tasks(), details.pipe);
        Judgement::new(Details::BlockedOpen(details), tasks, pipe)
    };
    found.into_iter().map(judgement).collect()
}
