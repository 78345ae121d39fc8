//! The marks of processes in a drawing. Which process has which mark, the findings decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::words::words;
use crate::model::{Pid, PipeId, Severity};

/// What the findings say of the processes in a drawing.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The worst first.
    pub(crate) of: BTreeMap<Pid, Vec<Mark>>,
    /// The write ends that keep a reader from EOF.
    pub(crate) leaked: BTreeSet<(PipeId, Pid)>,
}

/// What is wrong with a process. Ordered with the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Mark {
    pub(crate) severity: Severity,
    #[serde(rename = "mark")]
    pub(crate) kind: MarkKind,
    /// Whether something that could not be seen keeps it from being proven.
    pub(crate) suspected: bool,
}

words! {
    /// What can be wrong with a process.
    pub(crate) enum MarkKind {
        /// It waits for others that wait for it.
        Deadlock = "deadlock",
        /// It waits for itself.
        SelfDeadlock = "self-deadlock",
        /// It waits for a process in a deadlock.
        Behind = "behind-deadlock",
        /// It waits for room in a pipe that no process is about to read.
        BlockedWriter = "blocked-writer",
        /// It does not read a full pipe.
        StalledReader = "stalled-reader",
        /// It waits for end of file, which a process holds back that seems unrelated to it.
        NoEndOfFile = "no-end-of-file",
        /// It holds back an end of file.
        LeakedWriteEnd = "leaked-write-end",
        /// It waits in open(2) of a FIFO for a process to open the other side.
        BlockedOpen = "blocked-open",
        /// It is stopped, by a signal or a tracer.
        Stopped = "stopped",
    }
}
