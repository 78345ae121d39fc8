//! What is wrong with the processes in a drawing. Judges nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::words::words;
use crate::model::{Pid, PipeGraph, Severity};

/// What is wrong with a process. Ordered with the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) severity: Severity,
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

/// What is wrong with each process, the worst first; also which are stopped.
pub(super) fn marks(graph: &PipeGraph, found: impl IntoIterator<Item = (Pid, Mark)>) -> BTreeMap<Pid, Vec<Mark>> {
    let stopped = graph.processes.values().filter(|process| matches!(process.state, Some('T' | 't')));
    let mark = Mark { severity: Severity::Warning, kind: MarkKind::Stopped, suspected: false };
    let mut marks: BTreeMap<Pid, BTreeSet<Mark>> = BTreeMap::new();
    for (pid, mark) in found.into_iter().chain(stopped.map(|process| (process.pid, mark))) {
        marks.entry(pid).or_default().insert(mark);
    }
    marks.into_iter().map(|(pid, marks)| (pid, distinct(marks))).collect()
}

/// A process in a deadlock is marked with that alone, and not that it is behind another one too.
fn distinct(marks: BTreeSet<Mark>) -> Vec<Mark> {
    let mut kinds = BTreeSet::new();
    let is_deadlock = |mark: &Mark| matches!(mark.kind, MarkKind::Deadlock | MarkKind::SelfDeadlock);
    let is_in_one = marks.iter().any(is_deadlock);
    let is_new = |mark: &Mark| kinds.insert(mark.kind) && !(is_in_one && mark.kind == MarkKind::Behind);
    marks.into_iter().filter(is_new).collect()
}
