//! The shapes of what `audit` adds: a part of its report, and the lines of its `--ndjson`.

use serde::Serialize;

use super::super::Sheet;
use super::why::FindingView;
use super::{Host, SCHEMA_VERSION, Scan};
use crate::audit::Audited;
use crate::model::{Code, Finding, Severity};

/// How an audit came to its findings.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Audit"))]
pub(super) struct AuditView {
    /// The codes that were asked for and judged: without a finding, there is none.
    codes: Vec<&'static str>,
    /// The codes that were asked for and could not be judged.
    not_judged: Vec<&'static str>,
    /// Findings that are less bad were left out.
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "info"])))]
    severity: &'static str,
    /// How many findings the baseline knew. They are left out.
    known: usize,
    /// The seconds after which the findings still stood; null if that was not asked for.
    confirmed_after: Option<f64>,
}

/// A line of `lspipe audit --ndjson`: a finding, or, as the last, the whole in numbers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in super::super) struct AuditLine<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    host: Host<'a>,
    taken_at: String,
    scan: Scan,
    #[serde(flatten)]
    told: ToldView<'a>,
}

/// What a line tells.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum ToldView<'a> {
    Finding(FindingView<'a>),
    Summary(SummaryView),
}

/// An audit in numbers. That there is one tells that the audit was done.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Summary"))]
struct SummaryView {
    pipes: usize,
    ends: usize,
    findings: CountsView,
    #[serde(flatten)]
    audit: AuditView,
}

/// How many findings are so bad.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Counts"))]
struct CountsView {
    error: usize,
    warning: usize,
    info: usize,
}

impl<'a> Sheet<'a> {
    pub(super) fn audit(&self) -> Option<AuditView> {
        self.told?.audited.map(audit_view)
    }

    pub(in super::super) fn finding_line(&self, finding: &Finding) -> AuditLine<'a> {
        self.audit_line(ToldView::Finding(self.finding_view(finding)))
    }

    /// The last line; none if it is no audit.
    pub(in super::super) fn summary_line(&self) -> Option<AuditLine<'a>> {
        let audit = self.audit()?;
        let findings = self.told.map_or(&[][..], |told| &told.diagnosis.findings);
        let count = |severity| findings.iter().filter(|finding| finding.severity() == severity).count();
        let summary = SummaryView {
            pipes: self.graph.pipes.len(),
            ends: self.graph.pipes.iter().map(|pipe| pipe.ends.len()).sum(),
            findings: CountsView {
                error: count(Severity::Error),
                warning: count(Severity::Warning),
                info: count(Severity::Info),
            },
            audit,
        };
        Some(self.audit_line(ToldView::Summary(summary)))
    }

    fn audit_line(&self, told: ToldView<'a>) -> AuditLine<'a> {
        AuditLine {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            told,
        }
    }
}

fn audit_view(audited: &Audited) -> AuditView {
    let names = |codes: &[Code]| codes.iter().map(|code| code.as_str()).collect();
    AuditView {
        codes: names(&audited.codes),
        not_judged: names(&audited.not_judged),
        severity: audited.severity.as_str(),
        known: audited.known,
        confirmed_after: audited.confirmed_after.map(|pause| pause.as_secs_f64()),
    }
}
