//! The last word of an audit: how much was found, how much was not told one by one, and what was not judged.

use super::super::Sheet;
use super::Told;
use crate::audit::Audited;
use crate::model::{Finding, Severity};

impl Sheet<'_> {
    /// The last word. `counted` are the findings that were not told one by one.
    pub(super) fn audit_closing(&self, told: &Told<'_>, audited: &Audited, counted: &[&Finding]) -> String {
        let findings = &told.diagnosis.findings;
        let mut sentences = vec![match (findings.len(), audited.known) {
            (0, 0) if self.graph.coverage.is_complete() => "Nothing was found.".to_owned(),
            (0, 0) => "Nothing was found in what could be seen.".to_owned(),
            (0, _) => "Nothing new was found.".to_owned(),
            (count, _) => format!("{count} {}: {}.", noun(count), by_severity(findings)),
        }];
        let codes = audited.codes.iter().map(|code| (code, counted.iter().filter(|it| it.code() == *code).count()));
        let codes: Vec<String> =
            codes.filter(|(_, count)| *count > 0).map(|(code, count)| format!("{count} {code}")).collect();
        if !codes.is_empty() {
            sentences.push(format!("Not told one by one, since they are often as they should be: {}; --severity info tells each, --explain CODE what they mean.", codes.join(", ")));
        }
        match audited.known {
            0 => {}
            1 => sentences.push("1 finding is known by the baseline and left out.".to_owned()),
            known => sentences.push(format!("{known} findings are known by the baseline and left out.")),
        }
        if !audited.not_judged.is_empty() {
            let codes: Vec<&str> = audited.not_judged.iter().map(|code| code.as_str()).collect();
            sentences.push(format!("What it takes to judge these was not there: {}.", codes.join(", ")));
        }
        sentences.join(" ")
    }
}

fn noun(count: usize) -> &'static str {
    if count == 1 { "finding" } else { "findings" }
}

/// `1 error, 2 warnings, 3 infos`, without what there is none of.
fn by_severity(findings: &[Finding]) -> String {
    let counted = Severity::ALL.into_iter().filter_map(|severity| {
        match findings.iter().filter(|finding| finding.severity() == severity).count() {
            0 => None,
            1 => Some(format!("1 {}", severity.as_str())),
            count => Some(format!("{count} {}s", severity.as_str())),
        }
    });
    counted.collect::<Vec<_>>().join(", ")
}
