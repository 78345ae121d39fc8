//! What `why` and `audit` add to a report.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Named;
use crate::findings::{self, AuditScope, Code};
use crate::model::{self, CommandName, FlatDoubt, Severity, TaskId, time};
use crate::render::ReportView;

/// A finding, in which each thread and doubt has the command of its process.
pub(crate) type Finding = findings::Finding<Named<TaskId>, FlatDoubt>;

/// How an audit came to its findings.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Audit {
    /// The codes that were asked for and judged: without a finding, there is none.
    pub(crate) codes: Vec<Code>,
    /// The codes that were asked for and could not be judged.
    pub(crate) not_judged: Vec<Code>,
    /// Findings of less severity were left out.
    pub(crate) severity: Severity,
    /// How many findings the baseline has. They are left out.
    pub(crate) known: usize,
    /// The seconds after which the findings were still there; null if that was not asked for.
    #[serde(with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub(crate) confirmed_after: Option<Duration>,
}

/// How many findings have each severity.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FindingCounts {
    pub(crate) error: usize,
    pub(crate) warning: usize,
    pub(crate) info: usize,
}

impl From<&AuditScope> for Audit {
    fn from(audited: &AuditScope) -> Self {
        Self {
            codes: audited.codes.clone(),
            not_judged: audited.not_judged.clone(),
            severity: audited.severity,
            known: audited.known,
            confirmed_after: audited.confirmed_after,
        }
    }
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
