//! What a diagnosis says of the processes in a drawing.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Code, Diagnosis, Finding, Operation, Pid, PipeGraph, PipeId, PipeWait, Proof, Severity, Side, Subject, TaskId,
};

/// What is wrong with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub trouble: Trouble,
    /// Whether something that could not be seen keeps it from being proven.
    pub suspected: bool,
}

/// What can be wrong with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// It waits for others that wait for it.
    Deadlock,
    /// It waits for itself.
    SelfDeadlock,
    /// It waits for somebody in a deadlock.
    Behind,
    /// It waits for room in a pipe that nobody is about to read.
    BlockedWriter,
    /// It does not read a full pipe.
    StalledReader,
    /// It waits for end of file, which somebody keeps back who seems to have nothing to do with it.
    NoEndOfFile,
    /// It keeps back an end of file.
    LeakedWriteEnd,
    /// It waits in open(2) of a FIFO for somebody on the other side.
    BlockedOpen,
    /// It is stopped, by a signal or a tracer.
    Stopped,
}

impl Trouble {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::SelfDeadlock => "self-deadlock",
            Self::Behind => "behind-deadlock",
            Self::BlockedWriter => "blocked-writer",
            Self::StalledReader => "stalled-reader",
            Self::NoEndOfFile => "no-end-of-file",
            Self::LeakedWriteEnd => "leaked-write-end",
            Self::BlockedOpen => "blocked-open",
            Self::Stopped => "stopped",
        }
    }
}

/// What is wrong with each process, the worst first. What is only worth knowing is left out, but for leaked ends.
pub(super) fn marks(graph: &PipeGraph, diagnosis: Option<&Diagnosis>) -> BTreeMap<Pid, Vec<Mark>> {
    let mut marks: BTreeMap<Pid, BTreeSet<Mark>> = BTreeMap::new();
    let waits = || diagnosis.into_iter().flat_map(|diagnosis| &diagnosis.waits);
    let waiting: BTreeSet<(TaskId, PipeId)> = waits().filter_map(|wait| Some((wait.task, wait.pipe()?))).collect();
    let pid = |task: &TaskId| task.pid;
    for finding in diagnosis.into_iter().flat_map(|diagnosis| &diagnosis.findings) {
        let severity = finding.severity();
        let suspected = finding.proof() == Proof::Suspected;
        let mut add = |pids: &mut dyn Iterator<Item = Pid>, trouble: Trouble| {
            for pid in pids {
                marks.entry(pid).or_default().insert(Mark { severity, trouble, suspected });
            }
        };
        let is_bad = severity < Severity::Info;
        let tasks = finding.tasks.iter();
        let waits = |task: &&TaskId| finding.pipes.iter().any(|pipe| waiting.contains(&(**task, *pipe)));
        match finding.code() {
            Code::Deadlock => add(&mut tasks.map(pid), Trouble::Deadlock),
            Code::SelfDeadlock => add(&mut tasks.map(pid), Trouble::SelfDeadlock),
            Code::LeakedWriteEnd => {
                add(&mut tasks.filter(waits).map(pid).filter(|_| is_bad), Trouble::NoEndOfFile);
                add(&mut on_side(graph, finding, Side::Write), Trouble::LeakedWriteEnd);
            }
            Code::StalledReader if is_bad => {
                add(&mut tasks.filter(waits).map(pid), Trouble::BlockedWriter);
                add(&mut on_side(graph, finding, Side::Read), Trouble::StalledReader);
            }
            Code::BlockedOpen => add(&mut tasks.map(pid), Trouble::BlockedOpen),
            _ => {}
        }
        add(&mut finding.behind().iter().map(pid), Trouble::Behind);
    }
    let stopped = graph.processes.values().filter(|process| matches!(process.state, Some('T' | 't')));
    for process in stopped {
        let mark = Mark { severity: Severity::Warning, trouble: Trouble::Stopped, suspected: false };
        marks.entry(process.pid).or_default().insert(mark);
    }
    marks.into_iter().map(|(pid, marks)| (pid, told_once(marks))).collect()
}

/// Who is in a deadlock is told that alone, and not that it is behind another one too.
fn told_once(marks: BTreeSet<Mark>) -> Vec<Mark> {
    let mut troubles = BTreeSet::new();
    let is_deadlock = |mark: &Mark| matches!(mark.trouble, Trouble::Deadlock | Trouble::SelfDeadlock);
    let is_in_one = marks.iter().any(is_deadlock);
    let is_new = |mark: &Mark| troubles.insert(mark.trouble) && !(is_in_one && mark.trouble == Trouble::Behind);
    marks.into_iter().filter(is_new).collect()
}

/// The processes that are seen to wait for a pipe, and whether that is to read from it.
pub(super) fn at_it(diagnosis: &Diagnosis) -> BTreeSet<(PipeId, Pid, bool)> {
    let waits = diagnosis.waits.iter().filter(|wait| wait.certainty != crate::model::Certainty::Candidate);
    let of_pipes = waits.filter_map(|wait| match &wait.subject {
        Subject::Pipe(PipeWait { pipe: Some(pipe), operation, access, .. }) if *operation != Operation::Open => {
            Some((*pipe, wait.task.pid, *access))
        }
        _ => None,
    });
    of_pipes
        .flat_map(|(pipe, pid, access)| {
            let sides = Side::BOTH.into_iter().filter(move |side| access.is_on(*side));
            sides.map(move |side| (pipe, pid, side == Side::Read))
        })
        .collect()
}

/// The write ends that keep somebody from end of file: all that there are of such a pipe.
pub(super) fn leaked(graph: &PipeGraph, diagnosis: &Diagnosis) -> BTreeSet<(PipeId, Pid)> {
    let leaks = diagnosis.findings.iter().filter(|finding| finding.code() == Code::LeakedWriteEnd);
    let pipes = leaks.flat_map(|finding| &finding.pipes).filter_map(|pipe| graph.pipe(*pipe));
    pipes.flat_map(|pipe| pipe.side(Side::Write).map(|end| (pipe.id, end.pid))).collect()
}

/// Who holds an end on that side of the pipes of a finding.
fn on_side<'a>(graph: &'a PipeGraph, finding: &'a Finding, side: Side) -> impl Iterator<Item = Pid> + 'a {
    let pipes = finding.pipes.iter().filter_map(|pipe| graph.pipe(*pipe));
    pipes.flat_map(move |pipe| pipe.side(side).map(|end| end.pid))
}
