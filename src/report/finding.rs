//! What `why` and `audit` add to a report.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Named;
use crate::audit::AuditScope;
use crate::model::{self, Certainty, Code, CommandName, FlatDoubt, PipeId, Role, Severity, TaskId, time};
use crate::render::ReportView;

/// Something that is wrong, or worth knowing.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) certainty: Certainty,
    /// What is wrong, for a person.
    pub(crate) message: String,
    /// By what it is known, a line each, for a person.
    #[serde(default)]
    pub(crate) evidence: Vec<Evidence>,
    /// What would help, for a person.
    pub(crate) advice: String,
    /// The threads that it is about: those that are blocked first, then others by which it is to be cured.
    pub(crate) processes: Vec<TaskName>,
    /// What else is stuck because of it: of a deadlock only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) behind: Vec<TaskName>,
    /// The IDs of the pipes.
    pub(crate) pipes: Vec<PipeId>,
    /// What keeps it from being proven; for `hidden-end`, what may hold the end. Of `no-reader` and `no-writer` the first four: all that may
    /// hold an end of any pipe are in `hidden` and `unreadable`.
    pub(crate) doubts: Vec<Doubt>,
}

/// Something by which a finding is known.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Evidence {
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// A thread.
pub(crate) type TaskName = Named<TaskId>;

/// What keeps a finding from being proven.
pub(crate) type Doubt = FlatDoubt;

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
    pub(super) fn finding_entry(&self, finding: &model::Finding) -> Finding {
        let name = |task: &TaskId| Named { of: *task, command: self.name(task.pid).clone() };
        let doubt = |doubt: &model::Doubt| {
            let mut flat = FlatDoubt::from(doubt.clone());
            let known = doubt.pid().map(|pid| self.name(pid)).filter(|name| *name != CommandName::EMPTY);
            flat.command = known.cloned().or(flat.command);
            flat
        };
        Finding {
            code: finding.code(),
            severity: finding.severity(),
            certainty: finding.proof(),
            message: self.message(finding),
            evidence: self
                .evidence(finding)
                .into_iter()
                .map(|line| Evidence { role: line.role, text: line.text })
                .collect(),
            advice: self.advice(finding),
            processes: finding.tasks.iter().map(name).collect(),
            behind: finding.behind().iter().map(name).collect(),
            pipes: finding.pipes.clone(),
            doubts: finding.doubts.iter().map(doubt).collect(),
        }
    }
}
