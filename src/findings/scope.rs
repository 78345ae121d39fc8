//! What an audit was asked, and how it came to its findings.

use std::time::Duration;

use super::Code;
use crate::model::Severity;

/// What distinguishes "not found" from "not looked for".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditScope {
    /// The codes that were asked for and could be judged, in order.
    pub codes: Vec<Code>,
    /// The codes that were asked for and could not be judged, in order: what is found of them need not be all.
    pub not_judged: Vec<Code>,
    /// Less severe findings are left out.
    pub severity: Severity,
    /// Whether each finding is printed, notices too.
    pub each: bool,
    /// How many findings the baseline knew; they are left out.
    pub known: usize,
    /// The pause after which the findings were confirmed, where that was asked for.
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
