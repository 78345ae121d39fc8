//! How an audit came to its findings.

use std::time::Duration;

use crate::model::{Code, Severity};

/// What tells that something was not found from that it was not looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditScope {
    /// The codes that were asked for and could be judged, in order.
    pub codes: Vec<Code>,
    /// The codes that were asked for and could not be judged, in order: what is found of them need not be all.
    pub not_judged: Vec<Code>,
    /// Findings that are less bad are left out.
    pub severity: Severity,
    /// Whether a person is to be told of each, also of what is only worth knowing.
    pub each: bool,
    /// How many findings a baseline knew; they are left out.
    pub known: usize,
    /// The pause after which the findings still stood, where that was asked for.
    pub confirmed_after: Option<Duration>,
    /// How long the last look took.
    pub took: Duration,
}

impl AuditScope {
    /// The codes that were asked for.
    pub fn asked(&self) -> impl Iterator<Item = Code> {
        self.codes.iter().chain(&self.not_judged).copied()
    }
}
