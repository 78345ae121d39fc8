//! How an audit came to its findings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Code;
use crate::model::{Severity, time};

/// Distinguishes what was not found from what was not looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Audit"))]
pub(crate) struct AuditScope {
    /// The codes that were asked for and judged, in order: without a finding, there is none.
    pub(crate) codes: Vec<Code>,
    /// The codes that were asked for and could not be judged, in order: what is found of them need not be all.
    pub(crate) not_judged: Vec<Code>,
    /// Findings of less severity were left out.
    pub(crate) severity: Severity,
    /// How many findings the baseline has. They are left out.
    pub(crate) known: usize,
    /// The seconds after which the findings were still there; null if that was not asked for.
    #[serde(with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub(crate) confirmed_after: Option<Duration>,
    /// Whether each finding is printed in the text, also the notices.
    #[serde(skip)]
    pub(crate) each: bool,
    /// How long the last look took.
    #[serde(skip)]
    pub(crate) took: Duration,
}

impl AuditScope {
    /// The codes that were asked for.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Code> {
        self.codes.iter().chain(&self.not_judged).copied()
    }
}
