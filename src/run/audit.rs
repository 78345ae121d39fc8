//! The steps of an audit: look as `why` does, judge by the rules too, look again later if that was asked for, leave out what is known,
//! and write the files that were asked for.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::source::Source;
use super::why::{self, Found};
use super::{Answer, Reasons};
use crate::audit::baseline::{Baseline, NotABaseline};
use crate::audit::confirm::{self, Look};
use crate::audit::{self, AuditScope, Thresholds};
use crate::cli::{AuditArgs, Request};
use crate::error::Error;
use crate::files;
use crate::model::{Code, PipeId, Severity};
use crate::notes;
use crate::render::{Asked, Format, Style, render};
use crate::select::Selection;
use crate::users::Users;

/// Finds out what is to be reported. What is known already is read first: if that cannot be, there is nothing to wait for.
pub(super) fn findings(
    options: &Request,
    source: &Source,
    wanted: &AuditArgs,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    if let Some(metrics) = &wanted.metrics_file {
        let mut baselines = [&wanted.baseline, &wanted.write_baseline].into_iter().flatten();
        if baselines.any(|baseline| files::is_same(metrics, baseline)) {
            return Err(Error::MetricsInBaseline(metrics.to_string_lossy().into_owned()));
        }
    }
    let known = wanted.baseline.as_deref().map_or_else(|| Ok(Baseline::default()), read_baseline)?;
    let (mut found, mut took) = look(options, source, wanted, untouchable)?;
    if let Some(pause) = wanted.confirm {
        std::thread::sleep(pause);
        let (mut again, longer) = look(options, source, wanted, untouchable)?;
        again.diagnosis.findings = confirm::standing(&seen(&found), &seen(&again));
        (found, took) = (again, longer);
    }
    let Found { graph, groups, mut diagnosis, judged, notes: probed } = found;
    let (told, rules) = diagnosis.findings.into_iter().partition(|finding| finding.code().reported_by_why());
    diagnosis.findings = audit::together(told, rules);
    let severity = wanted.severity.unwrap_or(Severity::Info);
    diagnosis.findings.retain(|finding| finding.severity() <= severity);

    let is_whole = graph.coverage.is_complete() || !options.output.require_complete;
    let mut written = None;
    if let Some(path) = wanted.write_baseline.as_deref().filter(|_| is_whole) {
        write_baseline(path, &Baseline::of(&diagnosis.findings, &graph, &groups))?;
        written = Some(notes::baseline_written(path, diagnosis.findings.len()));
    }
    let all = diagnosis.findings.len();
    diagnosis.findings.retain(|finding| !known.knows(finding, &graph, &groups));
    // In a part of a report nothing is to be found missing.
    let is_judged = |code: &Code| match code.reported_by_why() {
        _ if graph.selected => false,
        true => judged,
        false => source.is_of_audit() || !audit::needs_audit_facts(*code),
    };
    let asked = Code::ALL.into_iter().filter(|code| wanted.wants(*code));
    let (codes, not_judged) = asked.partition(is_judged);
    let audited = AuditScope {
        codes,
        not_judged,
        severity,
        each: wanted.severity == Some(Severity::Info) || !wanted.only.is_empty(),
        known: all - diagnosis.findings.len(),
        confirmed_after: wanted.confirm,
        took,
    };
    let file = source.file();
    let mut notes = notes::of_file(file, &graph);
    notes.extend(notes::coverage(&graph, file));
    notes.extend(probed);
    notes.extend(written);
    let is_warning = diagnosis.is_warning() && wanted.write_baseline.is_none();
    let may_probe = !options.probe && file.is_none();
    let reasons = Reasons { diagnosis, groups, asked: Asked::Everything, audited: Some(audited), may_probe };
    if let Some(path) = &wanted.metrics_file {
        let mut text = Vec::new();
        let style = Style { width: None, color: false };
        render(&graph, &Users::default(), Some(&reasons.told()), None, &Format::Metrics, &style, &mut text)?;
        files::replace(path, &text)?;
    }
    Ok(Answer { is_warning, why: Some(reasons), ..Answer::of(graph, notes) })
}

/// One look at the machine, and how long it took.
fn look(
    options: &Request,
    source: &Source,
    wanted: &AuditArgs,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<(Found, Duration), Error> {
    let started = Instant::now();
    let mut found = why::find_out(options, source, &Selection::default(), untouchable)?;
    let findings = &mut found.diagnosis.findings;
    // The rules judge a saved report anew.
    findings.retain(|finding| finding.code().reported_by_why());
    let mut rules = audit::audit(&found.graph, &found.groups, &Thresholds { max_ends: wanted.max_ends });
    if let Some(scanner) = found.graph.coverage.scanner {
        audit::exclude_own_pipeline(&mut rules, &found.graph, scanner);
    }
    findings.extend(rules);
    findings.retain(|finding| wanted.wants(finding.code()));
    Ok((found, started.elapsed()))
}

fn seen(found: &Found) -> Look<'_> {
    Look { graph: &found.graph, groups: &found.groups, findings: &found.diagnosis.findings }
}

fn read_baseline(path: &Path) -> Result<Baseline, Error> {
    let name = || path.to_string_lossy().into_owned();
    let bytes = files::read(path).map_err(|source| Error::ReadBaseline { path: name(), source })?;
    Baseline::parse(&bytes).map_err(|error| match error {
        NotABaseline::Version(version) => Error::BaselineVersion { path: name(), version },
        NotABaseline::Corrupt(why) => Error::CorruptBaseline { path: name(), why },
    })
}

fn write_baseline(path: &Path, baseline: &Baseline) -> Result<(), Error> {
    let json = baseline.to_json().map_err(std::io::Error::from)?;
    files::replace(path, &json)
}
