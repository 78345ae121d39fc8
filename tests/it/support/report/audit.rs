//! The strict types of what `audit` adds to a report, and of its lines.

use serde::Deserialize;

use super::{Finding, Host, Scan, Time, nullable};

/// How an audit came to its findings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) codes: Vec<String>,
    pub(crate) not_judged: Vec<String>,
    pub(crate) severity: String,
    pub(crate) known: usize,
    #[serde(deserialize_with = "nullable")]
    pub(crate) confirmed_after: Option<f64>,
}

/// One line of `lspipe audit --ndjson`: a finding or the whole.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditLine {
    pub(crate) schema_version: u32,
    pub(crate) host: Host,
    pub(crate) taken_at: Time,
    pub(crate) scan: Scan,
    #[serde(default)]
    pub(crate) finding: Option<Finding>,
    #[serde(default)]
    pub(crate) summary: Option<Summary>,
}

/// An audit in numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    pub(crate) pipes: usize,
    pub(crate) ends: usize,
    pub(crate) findings: Counts,
    pub(crate) codes: Vec<String>,
    pub(crate) not_judged: Vec<String>,
    pub(crate) severity: String,
    pub(crate) known: usize,
    #[serde(deserialize_with = "nullable")]
    pub(crate) confirmed_after: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    pub(crate) error: usize,
    pub(crate) warning: usize,
    pub(crate) info: usize,
}
