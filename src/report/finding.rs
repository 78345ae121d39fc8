//! What `why` and `audit` add to a report.

use serde::Serialize;

use super::{Named, ReportView};
use crate::findings;
use crate::model::{self, CommandName, FlatDoubt, TaskId};

/// A finding, in which each thread and doubt has the command of its process.
pub(crate) type Finding = findings::Finding<Named<TaskId>, FlatDoubt>;

/// How many findings have each severity.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FindingCounts {
    pub(crate) error: usize,
    pub(crate) warning: usize,
    pub(crate) info: usize,
}

impl ReportView<'_> {
    pub(super) fn finding_entry(&self, finding: &findings::Finding) -> Finding {
        let name = |task: &TaskId| Named { of: *task, command: self.name(task.pid).clone() };
        let doubt = |doubt: &model::Doubt| {
            let mut flat = FlatDoubt::from(doubt.clone());
            let known = doubt.pid().map(|pid| self.name(pid)).filter(|name| *name != CommandName::EMPTY);
            flat.command = known.cloned().or(flat.command);
            flat
        };
        Finding {
            code: finding.code,
            severity: finding.severity,
            certainty: finding.certainty,
            message: finding.message.clone(),
            evidence: finding.evidence.clone(),
            caveat: finding.caveat.clone(),
            advice: finding.advice.clone(),
            tasks: finding.tasks.iter().map(name).collect(),
            behind: finding.behind.iter().map(name).collect(),
            pipes: finding.pipes.clone(),
            doubts: finding.doubts.iter().map(doubt).collect(),
            details: finding.details.clone(),
        }
    }
}
