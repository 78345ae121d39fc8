//! From the model to the shapes of what `audit` adds: a part of its report, and the lines of its `--ndjson`.

use super::super::ReportView;
use crate::audit::AuditScope;
use crate::model::{Code, Finding, Severity};
use crate::shape::{Audit, AuditLine, AuditSummary, AuditTold, FindingCounts, SCHEMA_VERSION};

impl<'a> ReportView<'a> {
    pub(super) fn audit(&self) -> Option<Audit> {
        self.told?.audited.map(audit_view)
    }

    pub(in super::super) fn finding_line(&self, finding: &'a Finding) -> AuditLine<'a> {
        self.audit_line(AuditTold::Finding(self.finding_view(finding)))
    }

    /// The last line; none if it is no audit.
    pub(in super::super) fn summary_line(&self) -> Option<AuditLine<'a>> {
        let audit = self.audit()?;
        let findings = self.told.map_or(&[][..], |told| &told.diagnosis.findings);
        let count = |severity| findings.iter().filter(|finding| finding.severity() == severity).count();
        let summary = AuditSummary {
            pipes: self.graph.pipes.len(),
            ends: self.graph.pipes.iter().map(|pipe| pipe.ends.len()).sum(),
            findings: FindingCounts {
                error: count(Severity::Error),
                warning: count(Severity::Warning),
                info: count(Severity::Info),
            },
            audit,
        };
        Some(self.audit_line(AuditTold::Summary(summary)))
    }

    fn audit_line(&self, told: AuditTold<'a>) -> AuditLine<'a> {
        AuditLine {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            told,
        }
    }
}

fn audit_view(audited: &AuditScope) -> Audit {
    let names = |codes: &[Code]| codes.iter().map(|code| code.as_str().into()).collect();
    Audit {
        codes: names(&audited.codes),
        not_judged: names(&audited.not_judged),
        severity: audited.severity.as_str().into(),
        known: audited.known,
        confirmed_after: audited.confirmed_after.map(|pause| pause.as_secs_f64()),
    }
}
