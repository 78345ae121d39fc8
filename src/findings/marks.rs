//! What a diagnosis says of the processes in a drawing of pipelines. Each finding names its own marks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Diagnosis, Finding};
use crate::judge::Groups;
use crate::judge::dataflow::{Dataflow, Mark, MarkKind, Marks, analyze};
use crate::model::{Certainty, Pid, PipeGraph, Severity};

impl Diagnosis {
    /// The flow of data between processes, with what is wrong with each of them.
    pub(crate) fn dataflow(&self, graph: &PipeGraph, groups: &Groups) -> Dataflow {
        let leaked = self.findings.iter().filter_map(Finding::kind).flat_map(|kind| kind.leaks()).collect();
        analyze(graph, groups, &self.waits, Marks { of: self.marks(graph), leaked })
    }

    /// Notices are left out, except for leaked ends.
    fn marks(&self, graph: &PipeGraph) -> BTreeMap<Pid, Vec<Mark>> {
        let stopped = graph.processes.values().filter(|process| matches!(process.state, Some('T' | 't')));
        let mark = Mark { severity: Severity::Warning, kind: MarkKind::Stopped, suspected: false };
        let stopped = stopped.map(|process| (process.pid, mark));
        let mut marks: BTreeMap<Pid, BTreeSet<Mark>> = BTreeMap::new();
        for (pid, mark) in self.findings.iter().flat_map(of_finding).chain(stopped) {
            marks.entry(pid).or_default().insert(mark);
        }
        marks.into_iter().map(|(pid, marks)| (pid, distinct(marks))).collect()
    }
}

fn of_finding(finding: &Finding) -> impl Iterator<Item = (Pid, Mark)> {
    let (severity, suspected) = (finding.severity, finding.certainty == Certainty::Suspected);
    let marks = finding.kind().map(|kind| kind.marks()).unwrap_or_default().into_iter();
    marks.flat_map(move |(kind, pids)| pids.into_iter().map(move |pid| (pid, Mark { severity, kind, suspected })))
}

/// A process in a deadlock is marked with that alone, not also as blocked behind another one.
fn distinct(marks: BTreeSet<Mark>) -> Vec<Mark> {
    let mut kinds = BTreeSet::new();
    let is_deadlock = |mark: &Mark| matches!(mark.kind, MarkKind::Deadlock | MarkKind::SelfDeadlock);
    let is_in_one = marks.iter().any(is_deadlock);
    let is_new = |mark: &Mark| kinds.insert(mark.kind) && !(is_in_one && mark.kind == MarkKind::Behind);
    marks.into_iter().filter(is_new).collect()
}
