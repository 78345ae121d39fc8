//! The steps of an audit: observe as `why` does, judge by the rules too, look again later if that was asked for, leave out what is known,
//! and write the files that were asked for.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, Exit, Report, Session};
use crate::baseline::Baseline;
use crate::cli::AuditArgs;
use crate::files;
use crate::findings::confirm::{Look, confirmed};
use crate::findings::{self, AuditScope, Code, Diagnosis, Phrases, ReportedBy, narrow};
use crate::model::{Pid, PipeGraph, PipeId, Users};
use crate::note::Note;
use crate::observe::Observation;
use crate::render::{Format, Style};
use crate::select::keep;

impl Session<'_> {
    /// What is wrong. The baseline is read first: if that fails, there is nothing to wait for.
    pub(super) fn audit(&mut self, wanted: &AuditArgs, progress: &mut dyn FnMut(&str)) -> Result<Report, Error> {
        if let Some(metrics) = &wanted.metrics_file {
            let mut baselines = [&wanted.baseline, &wanted.write_baseline].into_iter().flatten();
            if baselines.any(|baseline| files::is_same(metrics, baseline)) {
                return Err(Error::MetricsInBaseline(metrics.clone()));
            }
        }
        let known = wanted.baseline.as_deref().map_or_else(|| Ok(Baseline::default()), Baseline::read)?;
        let (mut seen, mut diagnosis, users, mut took) = self.look_for_problems(wanted)?;
        if let Some(pause) = wanted.findings.confirm {
            pause_for(pause, progress);
            let (again, mut later, users_again, longer) = self.look_for_problems(wanted)?;
            later.findings = confirmed(&look(&seen, &diagnosis, &users), &look(&again, &later, &users_again));
            (seen, diagnosis, took) = (again, later, longer);
        }
        let Observation { graph, threads, probe, .. } = seen;
        let (of_why, of_audit) =
            diagnosis.findings.into_iter().partition(|finding| finding.code.about().reported_by == ReportedBy::Why);
        diagnosis.findings = findings::merge(of_why, of_audit);
        let severity = wanted.findings.lowest();
        diagnosis.findings.retain(|finding| finding.severity.is_at_least(severity));

        let file = self.source.file();
        let is_whole = !graph.selected;
        let asked = Code::ALL.iter().copied().filter(|code| wanted.findings.wants(*code));
        let (codes, not_judged) = asked.partition(|code| is_whole && self.is_judged(*code));
        let mut scope = AuditScope {
            codes,
            not_judged,
            severity,
            each: wanted.findings.each(),
            filtered: wanted.findings.is_filter(),
            known: 0,
            confirmed_after: wanted.findings.confirm,
            took,
        };
        let (kept, mut notes) = match self.narrowed(&graph, &mut diagnosis) {
            Ok(narrowed) => narrowed,
            Err(error) => {
                let nothing = self.without_pipes(graph, error)?;
                return Ok(Report { diagnosis: Some(Diagnosis::default()), audit: Some(scope), ..nothing });
            }
        };
        let graph = match kept {
            Some(kept) => keep(graph, &kept),
            None => graph,
        };
        notes.extend(Note::saved_report(&graph, file));
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(probe.as_ref(), &graph));
        let is_usable = graph.coverage.is_complete() || !self.request.output.require_complete;
        if let Some(path) = wanted.write_baseline.as_deref().filter(|_| is_usable) {
            Baseline::new(&diagnosis.findings, &graph, &threads).write(path)?;
            notes.push(Note::BaselineWritten { path: path.to_owned(), findings: diagnosis.findings.len() });
        }
        let all = diagnosis.findings.len();
        diagnosis.findings.retain(|finding| !known.knows(finding, &graph, &threads));
        scope.known = all - diagnosis.findings.len();
        let fails = diagnosis.findings.iter().any(|finding| wanted.fails_on(finding.severity, finding.code));
        let exit = Exit::of_findings(fails && wanted.write_baseline.is_none());
        let (diagnosis, audit) = (Some(diagnosis), Some(scope));
        let answer = Report { threads, diagnosis, audit, ..Report::new(graph, notes, exit) };
        if let Some(path) = &wanted.metrics_file {
            let mut text = Vec::new();
            let style = Style::default();
            answer.view(&Users::default(), false, false).render(&Format::Metrics, &style, &mut text)?;
            files::write_atomic(path, &text)?;
        }
        Ok(answer)
    }

    /// Keeps the findings about what was selected, and returns the pipes of both, unless that is everything.
    fn narrowed(
        &self,
        graph: &PipeGraph,
        diagnosis: &mut Diagnosis,
    ) -> Result<(Option<BTreeSet<PipeId>>, Vec<Note>), Error> {
        let selection = &self.selection;
        if selection.is_everything() {
            return Ok((None, Vec::new()));
        }
        let missing = selection.missing_from(graph);
        let is_seen =
            |pid: &Pid| graph.processes.contains_key(pid) || diagnosis.waits.iter().any(|wait| wait.task.pid == *pid);
        if let Some(obstacle) = selection.obstacle(&missing, selection.pids.iter().any(is_seen)) {
            return Err(self.missing_note(obstacle, graph).into());
        }
        let (pids, pipes, unmatched) = self.matched(graph)?;
        let notes = self.missing(&missing, graph).into_iter().chain(unmatched).collect();
        let involved = narrow(diagnosis, &pipes, &pids);
        Ok((Some(pipes.union(&involved).copied().collect()), notes))
    }

    /// What one observation proves, with the users in it, and how long it took.
    fn look_for_problems(&mut self, wanted: &AuditArgs) -> Result<(Observation, Diagnosis, Users, Duration), Error> {
        let started = Instant::now();
        let (seen, mut diagnosis) = self.source.diagnose(&self.depth(&[]))?;
        // The rules judge a saved report again.
        diagnosis.findings.retain(|finding| finding.code.about().reported_by == ReportedBy::Why);
        let users = self.users(&seen.graph);
        let phrases = Phrases { graph: &seen.graph, groups: &seen.threads, users: &users };
        let mut of_audit = findings::audit(&phrases, wanted.max_ends);
        if let Some(scanner) = seen.graph.coverage.scanner {
            findings::exclude_own_pipeline(&mut of_audit, &seen.graph, scanner);
        }
        diagnosis.findings.extend(of_audit);
        diagnosis.findings.retain(|finding| wanted.findings.wants(finding.code));
        Ok((seen, diagnosis, users, started.elapsed()))
    }

    /// Whether the source has all facts by which findings of this code are judged.
    fn is_judged(&self, code: Code) -> bool {
        match code.about().reported_by {
            ReportedBy::Why => self.source.has_waits(),
            ReportedBy::Audit => self.source.has_audit_facts() || !code.about().needs_audit_facts,
        }
    }
}

/// Waits before the second look.
pub(super) fn pause_for(pause: Duration, progress: &mut dyn FnMut(&str)) {
    progress(&format!("looks again in {} s", pause.as_secs_f64()));
    thread::sleep(pause);
}

pub(super) fn look<'a>(seen: &'a Observation, diagnosis: &'a Diagnosis, users: &'a Users) -> Look<'a> {
    Look { graph: &seen.graph, groups: &seen.threads, users, findings: &diagnosis.findings }
}
