//! What a diagnosis says of the processes in a drawing of pipelines. Each finding names its own marks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Diagnosis, Finding};
use crate::judge::Groups;
use crate::judge::dataflow::{Dataflow, Mark, MarkKind, Marks, analyze};
use crate::model::{Certainty, Pid, PipeGraph, PipeId, PipeWait, Severity, Side, TaskId, Wait, WaitTarget};

type MarkedPids = Vec<(MarkKind, Vec<Pid>)>;

impl Diagnosis {
    /// The flow of data between processes, with what is wrong with each of them.
    pub(crate) fn dataflow(&self, graph: &PipeGraph, groups: &Groups) -> Dataflow {
        let leaks = |finding: &Finding| match finding.kind() {
            Some(kind) => kind.leaks(),
            None => older_leaks(finding, &self.waits),
        };
        let leaked = self.findings.iter().flat_map(leaks).collect();
        analyze(graph, groups, &self.waits, Marks { of: self.marks(graph), leaked })
    }

    /// Notices are left out, except for leaked ends.
    fn marks(&self, graph: &PipeGraph) -> BTreeMap<Pid, Vec<Mark>> {
        let stopped = graph.processes.values().filter(|process| matches!(process.state, Some('T' | 't')));
        let mark = Mark { severity: Severity::Warning, kind: MarkKind::Stopped, suspected: false };
        let stopped = stopped.map(|process| (process.pid, mark));
        let mut marks: BTreeMap<Pid, BTreeSet<Mark>> = BTreeMap::new();
        for (pid, mark) in self.findings.iter().flat_map(|finding| of_finding(finding, &self.waits)).chain(stopped) {
            marks.entry(pid).or_default().insert(mark);
        }
        marks.into_iter().map(|(pid, marks)| (pid, distinct(marks))).collect()
    }
}

fn of_finding(finding: &Finding, waits: &[Wait]) -> impl Iterator<Item = (Pid, Mark)> + use<> {
    let (severity, suspected) = (finding.severity, finding.certainty == Certainty::Suspected);
    let marks = finding.kind().map_or_else(|| older_marks(finding, waits), |kind| kind.marks());
    marks
        .into_iter()
        .flat_map(move |(kind, pids)| pids.into_iter().map(move |pid| (pid, Mark { severity, kind, suspected })))
}

/// The marks of a finding that has no details, from a report of an older version. A later code always has them.
fn older_marks(finding: &Finding, waits: &[Wait]) -> MarkedPids {
    let all = |tasks: &[TaskId]| tasks.iter().map(|task| task.pid).collect();
    let is_bad = finding.severity.is_at_least(Severity::Warning);
    let (waiting, others) = older_parts(finding, waits);
    let mut marks = match finding.code {
        Code::Deadlock => vec![(MarkKind::Deadlock, all(&finding.tasks))],
        Code::SelfDeadlock => vec![(MarkKind::SelfDeadlock, all(&finding.tasks))],
        Code::LeakedWriteEnd if is_bad => vec![(MarkKind::NoEndOfFile, waiting), (MarkKind::LeakedWriteEnd, others)],
        Code::LeakedWriteEnd => vec![(MarkKind::LeakedWriteEnd, others)],
        Code::StalledReader if is_bad => vec![(MarkKind::BlockedWriter, waiting), (MarkKind::StalledReader, others)],
        Code::BlockedOpen => vec![(MarkKind::BlockedOpen, all(&finding.tasks))],
        _ => Vec::new(),
    };
    marks.push((MarkKind::Behind, all(&finding.behind)));
    marks
}

/// Likewise the write ends that keep a reader from EOF.
fn older_leaks(finding: &Finding, waits: &[Wait]) -> Vec<(PipeId, Pid)> {
    if finding.code != Code::LeakedWriteEnd {
        return Vec::new();
    }
    let (_, others) = older_parts(finding, waits);
    finding.pipes.iter().flat_map(|pipe| others.iter().map(|pid| (*pipe, *pid))).collect()
}

/// The processes of a finding that wait for one of its pipes, and the others.
fn older_parts(finding: &Finding, waits: &[Wait]) -> (Vec<Pid>, Vec<Pid>) {
    // A holder of a leaked write end may wait for room in it, and a stalled reader for data in poll(2).
    let side = if finding.code == Code::StalledReader { Side::Write } else { Side::Read };
    let is_its =
        |wait: &PipeWait| wait.access.is_on(side) && wait.pipe.is_some_and(|pipe| finding.pipes.contains(&pipe));
    let waiting = waits.iter().filter(|wait| matches!(&wait.target, WaitTarget::Pipe(wait) if is_its(wait)));
    let waiting: BTreeSet<Pid> = waiting.map(|wait| wait.task.pid).collect();
    let pids: BTreeSet<Pid> = finding.tasks.iter().map(|task| task.pid).collect();
    pids.into_iter().partition(|pid| waiting.contains(pid))
}

/// A process in a deadlock is marked with that alone, not also as blocked behind another one.
fn distinct(marks: BTreeSet<Mark>) -> Vec<Mark> {
    let mut kinds = BTreeSet::new();
    let is_deadlock = |mark: &Mark| matches!(mark.kind, MarkKind::Deadlock | MarkKind::SelfDeadlock);
    let is_in_one = marks.iter().any(is_deadlock);
    let is_new = |mark: &Mark| kinds.insert(mark.kind) && !(is_in_one && mark.kind == MarkKind::Behind);
    marks.into_iter().filter(is_new).collect()
}
