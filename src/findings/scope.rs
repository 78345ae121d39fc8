//! The parameters and coverage of an audit, and of `why`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Code;
use crate::model::{Severity, time};

/// Distinguishes what was not found from what was not checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Audit"))]
pub(crate) struct AuditScope {
    /// The codes that were asked for and checked, in order: without a finding, there is no such problem.
    pub(crate) codes: Vec<Code>,
    /// The codes that were asked for and could not be checked completely, in order: there may be more findings of them.
    pub(crate) not_judged: Vec<Code>,
    /// The minimum severity: findings below it were left out.
    pub(crate) severity: Severity,
    /// The number of findings in the baseline, which were left out.
    pub(crate) known: usize,
    /// The seconds after which the findings were confirmed by another scan; null without that.
    #[serde(with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub(crate) confirmed_after: Option<Duration>,
    /// Whether the text prints every finding in full, including notices.
    #[serde(skip)]
    pub(crate) each: bool,
    /// Whether findings may have been left out, by their code or severity.
    #[serde(skip)]
    pub(crate) filtered: bool,
    /// The duration of the last scan.
    #[serde(skip)]
    pub(crate) took: Duration,
}

impl AuditScope {
    /// The codes that were asked for.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Code> {
        self.codes.iter().chain(&self.not_judged).copied()
    }
}
