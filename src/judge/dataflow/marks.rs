//! What a diagnosis says of the processes in a drawing.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::words::words;
use crate::model::{
    Certainty, Code, Diagnosis, Finding, Pid, PipeGraph, PipeId, PipeWait, Severity, Side, Subject, TaskId, Wait,
};

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

/// What is wrong with each process, the worst first. What is only worth knowing is left out, but for leaked ends.
pub(super) fn marks(graph: &PipeGraph, diagnosis: &Diagnosis) -> BTreeMap<Pid, Vec<Mark>> {
    let mut marks: BTreeMap<Pid, BTreeSet<Mark>> = BTreeMap::new();
    let waiting = waiting(diagnosis);
    for finding in &diagnosis.findings {
        let severity = finding.severity();
        let is_bad = severity < Severity::Info;
        let (waits, others) = parts(&waiting, finding);
        let told: Vec<(BTreeSet<Pid>, MarkKind)> = match finding.code() {
            Code::Deadlock => vec![(all(&finding.tasks), MarkKind::Deadlock)],
            Code::SelfDeadlock => vec![(all(&finding.tasks), MarkKind::SelfDeadlock)],
            Code::LeakedWriteEnd if is_bad => {
                vec![(waits, MarkKind::NoEndOfFile), (others, MarkKind::LeakedWriteEnd)]
            }
            Code::LeakedWriteEnd => vec![(others, MarkKind::LeakedWriteEnd)],
            Code::StalledReader if is_bad => vec![(waits, MarkKind::BlockedWriter), (others, MarkKind::StalledReader)],
            Code::BlockedOpen => vec![(all(&finding.tasks), MarkKind::BlockedOpen)],
            _ => Vec::new(),
        };
        let suspected = finding.proof() == Certainty::Suspected;
        for (pids, kind) in told.into_iter().chain([(all(finding.behind()), MarkKind::Behind)]) {
            for pid in pids {
                marks.entry(pid).or_default().insert(Mark { severity, kind, suspected });
            }
        }
    }
    let stopped = graph.processes.values().filter(|process| matches!(process.state, Some('T' | 't')));
    for process in stopped {
        let mark = Mark { severity: Severity::Warning, kind: MarkKind::Stopped, suspected: false };
        marks.entry(process.pid).or_default().insert(mark);
    }
    marks.into_iter().map(|(pid, marks)| (pid, told_once(marks))).collect()
}

fn all(tasks: &[TaskId]) -> BTreeSet<Pid> {
    tasks.iter().map(|task| task.pid).collect()
}

/// Who waits for which pipe, and on which side of it.
fn waiting(diagnosis: &Diagnosis) -> BTreeSet<(PipeId, Pid, Side)> {
    let sides = |wait: &Wait| {
        let Subject::Pipe(PipeWait { pipe: Some(pipe), access, .. }) = wait.subject else { return Vec::new() };
        let pid = wait.task.pid;
        Side::BOTH.into_iter().filter(|side| access.is_on(*side)).map(|side| (pipe, pid, side)).collect()
    };
    diagnosis.waits.iter().flat_map(sides).collect()
}

/// Those that a finding is about: who waits for one of its pipes, and the others. A saved report has no more of them than this.
fn parts(waiting: &BTreeSet<(PipeId, Pid, Side)>, finding: &Finding) -> (BTreeSet<Pid>, BTreeSet<Pid>) {
    // A holder of a leaked write end may wait for room in it, and a stalled reader for data in poll(2).
    let side = if finding.code() == Code::StalledReader { Side::Write } else { Side::Read };
    let waits = |pid: &Pid| finding.pipes.iter().any(|pipe| waiting.contains(&(*pipe, *pid, side)));
    all(&finding.tasks).into_iter().partition(waits)
}

/// Who is in a deadlock is told that alone, and not that it is behind another one too.
fn told_once(marks: BTreeSet<Mark>) -> Vec<Mark> {
    let mut kinds = BTreeSet::new();
    let is_deadlock = |mark: &Mark| matches!(mark.kind, MarkKind::Deadlock | MarkKind::SelfDeadlock);
    let is_in_one = marks.iter().any(is_deadlock);
    let is_new = |mark: &Mark| kinds.insert(mark.kind) && !(is_in_one && mark.kind == MarkKind::Behind);
    marks.into_iter().filter(is_new).collect()
}

/// The write ends that keep somebody from end of file.
pub(super) fn leaked(diagnosis: &Diagnosis) -> BTreeSet<(PipeId, Pid)> {
    let waiting = waiting(diagnosis);
    let leaks = diagnosis.findings.iter().filter(|finding| finding.code() == Code::LeakedWriteEnd);
    leaks
        .flat_map(|finding| {
            let (_, others) = parts(&waiting, finding);
            finding.pipes.iter().flat_map(move |pipe| others.clone().into_iter().map(|pid| (*pipe, pid)))
        })
        .collect()
}
