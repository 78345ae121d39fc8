//! The shapes of what `audit` adds: a part of its report, and the lines of its `--ndjson`.

use serde::{Deserialize, Serialize};

use super::{Finding, Host, Scan, Word};

/// How an audit came to its findings.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Audit {
    /// The codes that were asked for and judged: without a finding, there is none.
    pub(crate) codes: Vec<Word>,
    /// The codes that were asked for and could not be judged.
    pub(crate) not_judged: Vec<Word>,
    /// Findings that are less bad were left out.
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "info"])))]
    pub(crate) severity: Word,
    /// How many findings the baseline knew. They are left out.
    pub(crate) known: usize,
    /// The seconds after which the findings still stood; null if that was not asked for.
    pub(crate) confirmed_after: Option<f64>,
}

/// A line of `lspipe audit --ndjson`: a finding, or, as the last, the whole in numbers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AuditLine<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    pub(crate) schema_version: u32,
    pub(crate) host: Host<'a>,
    pub(crate) taken_at: String,
    pub(crate) scan: Scan<'a>,
    #[serde(flatten)]
    pub(crate) told: AuditTold<'a>,
}

/// What a line tells.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum AuditTold<'a> {
    Finding(Finding<'a>),
    Summary(AuditSummary),
}

/// An audit in numbers. That there is one tells that the audit was done.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AuditSummary {
    pub(crate) pipes: usize,
    pub(crate) ends: usize,
    pub(crate) findings: FindingCounts,
    #[serde(flatten)]
    pub(crate) audit: Audit,
}

/// How many findings are so bad.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FindingCounts {
    pub(crate) error: usize,
    pub(crate) warning: usize,
    pub(crate) info: usize,
}
