//! What a diagnosis says of the processes in a drawing of pipelines. Each finding names its own marks.

use std::collections::{BTreeMap, BTreeSet};

use super::Diagnosis;
use crate::judge::Groups;
use crate::judge::dataflow::{Dataflow, Mark, MarkKind, Marks, analyze};
use crate::model::{Certainty, Pid, PipeGraph, Severity};

impl Diagnosis {
    /// The flow of data between processes, with what is wrong with each of them.
    pub(crate) fn dataflow(&self, graph: &PipeGraph, groups: &Groups) -> Dataflow {
        let leaked = self.findings.iter().flat_map(|finding| finding.leaks()).collect();
        analyze(graph, groups, &self.waits, Marks { of: self.marks(graph), leaked })
    }

    /// Notices are left out, except for leaked ends.
    fn marks(&self, graph: &PipeGraph) -> BTreeMap<Pid, Vec<Mark>> {
        let mut marks: BTreeMap<Pid, BTreeSet<Mark>> = BTreeMap::new();
        for finding in &self.findings {
            let suspected = finding.certainty == Certainty::Suspected;
            for (kind, pids) in finding.marks() {
                let mark = Mark { severity: finding.severity, kind, suspected };
                for pid in pids {
                    marks.entry(pid).or_default().insert(mark);
                }
            }
        }
        let stopped = graph.processes.values().filter(|process| matches!(process.state, Some('T' | 't')));
        for process in stopped {
            let mark = Mark { severity: Severity::Warning, kind: MarkKind::Stopped, suspected: false };
            marks.entry(process.pid).or_default().insert(mark);
        }
        marks.into_iter().map(|(pid, marks)| (pid, distinct(marks))).collect()
    }
}

/// A process in a deadlock is marked with that alone, not also as blocked behind another one.
fn distinct(marks: BTreeSet<Mark>) -> Vec<Mark> {
    let mut kinds = BTreeSet::new();
    let is_deadlock = |mark: &Mark| matches!(mark.kind, MarkKind::Deadlock | MarkKind::SelfDeadlock);
    let is_in_one = marks.iter().any(is_deadlock);
    let is_new = |mark: &Mark| kinds.insert(mark.kind) && !(is_in_one && mark.kind == MarkKind::Behind);
    marks.into_iter().filter(is_new).collect()
}
