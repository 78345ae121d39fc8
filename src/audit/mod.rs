//! The rules of an audit, beyond what `why` finds: who shares a pipe that should not, and what is about to run out. Pure: a rule takes
//! the pipes and the processes, and returns findings. A file for each rule.

pub mod baseline;
pub mod confirm;

mod audited;
mod containers;
mod deleted;
mod explain;
mod exposed;
mod hoard;
mod inherited;
mod pages;
mod users;

use std::collections::BTreeSet;

use crate::model::{Code, Doubt, Fault, Finding, Pid, Pipe, PipeGraph, PipeId, Risk, Side, TaskId, Tid, Uid};
use crate::why::{Groups, was_told};

pub use self::audited::AuditScope;
pub use self::explain::explain;

/// From where on something is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Thresholds {
    /// `--max-ends`: so many ends a process may hold.
    pub max_ends: Option<u64>,
}

/// What the rules find, the worst first. The facts that they judge by are those of an audit scan; what is
/// not known is not claimed.
#[must_use]
pub fn audit(graph: &PipeGraph, groups: &Groups, thresholds: &Thresholds) -> Vec<Finding> {
    let case = Case { graph, groups, max_ends: thresholds.max_ends.unwrap_or(hoard::USUAL) };
    let mut findings = of_pipes(graph, groups);
    findings.extend(hoard::find(&case));
    findings.extend(pages::find(&case));
    sort(&mut findings);
    findings
}

/// What is wrong with single pipes.
fn of_pipes(graph: &PipeGraph, groups: &Groups) -> Vec<Finding> {
    let case = Case { graph, groups, max_ends: hoard::USUAL };
    let rules = [users::find, containers::find, exposed::find, deleted::find, inherited::find];
    rules.iter().flat_map(|rule| graph.pipes.iter().filter_map(|pipe| rule(&case, pipe))).collect()
}

/// Whether a rule judges by what only an audit looks at. In a report that something else saved, what it does not find may be there.
#[must_use]
pub const fn needs_audit_facts(code: Code) -> bool {
    matches!(code, Code::FifoExposed | Code::CrossesContainers | Code::EndHoard | Code::PipePages)
}

/// What `why` told and what an audit found, as one list, the worst first. What both tell of the same pipe and holder stands once.
#[must_use]
pub fn together(mut told: Vec<Finding>, found: Vec<Finding>) -> Vec<Finding> {
    let leaked: BTreeSet<PipeId> = told
        .iter()
        .filter(|finding| finding.code() == Code::LeakedWriteEnd)
        .flat_map(|finding| finding.pipes.iter().copied())
        .collect();
    told.extend(found.into_iter().filter(|finding| !inherited::is_told_by_leak(finding, &leaked)));
    sort(&mut told);
    told
}

/// Leaves out what is told of the pipeline that the audit itself writes to, such as `sudo lspipe audit | less`: pipes that are one of its
/// standard streams, and of which it and its ancestors alone hold that side.
pub fn exclude_own_pipeline(findings: &mut Vec<Finding>, graph: &PipeGraph, own: Pid) {
    let line: BTreeSet<Pid> = std::iter::once(own).chain(graph.ancestors(own)).collect();
    findings.retain(|finding| {
        let Fault::Risk(
            Risk::CrossesUsers { pipe, .. } | Risk::CrossesContainers { pipe, .. } | Risk::InheritedEnd { pipe, .. },
        ) = &finding.fault
        else {
            return true;
        };
        let Some(pipe) = graph.pipe(*pipe) else { return true };
        let is_own = |side: Side| {
            pipe.side(side).any(|end| end.pid == own && was_told(end.fd))
                && pipe.on(side).all(|pid| line.contains(&pid))
        };
        !Side::BOTH.into_iter().any(is_own)
    });
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.severity(), finding.code()));
}

/// What the rules judge by.
struct Case<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    /// So many ends a process may hold.
    max_ends: u64,
}

impl Case<'_> {
    /// A finding about these pipes and these processes.
    fn finding(
        &self,
        risk: Risk,
        pids: impl IntoIterator<Item = Pid>,
        pipes: Vec<PipeId>,
        doubts: Vec<Doubt>,
    ) -> Finding {
        let pids: BTreeSet<Pid> = pids.into_iter().collect();
        let tasks = pids.into_iter().map(|pid| self.leader(pid)).collect();
        Finding { fault: Fault::Risk(risk), tasks, pipes, doubts }
    }

    /// The first thread of a process that is alive, as far as threads were looked at.
    fn leader(&self, pid: Pid) -> TaskId {
        let first = self.groups.get(&pid).and_then(|group| group.tasks.first());
        first.map_or(TaskId { pid, tid: Tid(pid.0) }, |task| task.id)
    }

    /// The effective user of a process.
    fn user(&self, pid: Pid) -> Option<Uid> {
        self.graph.processes.get(&pid)?.uid
    }
}

/// The processes on either side of a pipe.
fn all_on(pipe: &Pipe) -> BTreeSet<Pid> {
    Side::BOTH.into_iter().flat_map(|side| pipe.on(side)).collect()
}

#[cfg(test)]
mod tests;
