//! `why`, and `graph`, which draws what `why` sees: observe twice, judge, select.

use std::collections::BTreeSet;
use std::time::Instant;

use super::audit::{look, pause_for};
use super::{Error, Exit, Report, Session};
use crate::findings::confirm::confirmed;
use crate::findings::{AuditScope, Code, Diagnosis, ReportedBy, narrow};
use crate::judge::dataflow::within_reach;
use crate::model::{PipeGraph, PipeId, Users};
use crate::note::Note;
use crate::report::Scope;
use crate::select::{keep, selected, selected_processes};

impl Session<'_> {
    /// What is blocked on pipes, and why.
    pub(super) fn why(&mut self, progress: &mut dyn FnMut(&str)) -> Result<Report, Error> {
        let mut started = Instant::now();
        let (mut seen, mut diagnosis) = self.source.diagnose(&self.depth(&[]))?;
        if let Some(pause) = self.request.findings.confirm {
            pause_for(pause, progress);
            started = Instant::now();
            let (again, mut later) = self.source.diagnose(&self.depth(&[]))?;
            let users = Users::default();
            later.findings = confirmed(&look(&seen, &diagnosis, &users), &look(&again, &later, &users));
            (seen, diagnosis) = (again, later);
        }
        let (selection, file, mut graph) = (&self.selection, self.source.file(), seen.graph);
        if let Some(file) = file.filter(|_| !self.source.has_waits()) {
            return Err(Error::NotAsked { file: file.to_owned(), what: "what threads wait for", command: "why" });
        }
        // A saved audit has findings of its own.
        diagnosis.findings.retain(|finding| finding.code.about().reported_by == ReportedBy::Why);
        let missing = selection.missing_from(&graph);
        let is_waiting = diagnosis.waits.iter().any(|wait| selection.pids.contains(&wait.task.pid));
        if let Some(obstacle) = selection.obstacle(&missing, is_waiting) {
            let error = self.missing_note(obstacle, &graph).into();
            return self.nothing(graph, error, started);
        }
        let mut notes = self.missing(&missing, &graph);
        notes.extend(Note::no_other_processes(selection, &graph, file));
        notes.extend(Note::saved_report(&graph, file));
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(seen.probe.as_ref(), &graph));
        let asked = self.findings_of_why(graph.selected, started);
        let mut scope = Scope::Everything;
        if !selection.is_everything() {
            let (pids, pipes, unmatched) = match self.matched(&graph) {
                Ok(matched) => matched,
                Err(error) => return self.nothing(graph, error, started),
            };
            notes.extend(unmatched);
            let involved = narrow(&mut diagnosis, &pipes, &pids);
            graph = keep(graph, &pipes.union(&involved).copied().collect());
            scope = if pids.is_empty() { Scope::Pipes(pipes) } else { Scope::Processes(pids) };
        }
        let wanted = &self.request.findings;
        diagnosis
            .findings
            .retain(|finding| wanted.wants(finding.code) && finding.severity.is_at_least(wanted.lowest()));
        let exit = Exit::of_findings(diagnosis.is_warning());
        let (diagnosis, why) = (Some(diagnosis), Some(asked));
        Ok(Report { threads: seen.threads, diagnosis, scope, why, ..Report::new(graph, notes, exit) })
    }

    /// The answer where nothing is there that was selected: in a format for machines a report without pipes, otherwise the error.
    fn nothing(&self, graph: PipeGraph, error: Error, started: Instant) -> Result<Report, Error> {
        let asked = self.findings_of_why(graph.selected, started);
        let answer = self.without_pipes(graph, error)?;
        Ok(Report { diagnosis: Some(Diagnosis::default()), why: Some(asked), ..answer })
    }

    /// Which findings were asked for; of a report that was saved with a selection, none is judged completely.
    fn findings_of_why(&self, is_part: bool, started: Instant) -> AuditScope {
        let wanted = &self.request.findings;
        let of_why = Code::ALL.iter().copied().filter(|code| code.about().reported_by == ReportedBy::Why);
        let (codes, not_judged) = of_why.filter(|code| wanted.wants(*code)).partition(|_| !is_part);
        AuditScope {
            codes,
            not_judged,
            severity: wanted.lowest(),
            known: 0,
            confirmed_after: wanted.confirm,
            each: wanted.each(),
            filtered: wanted.is_filter(),
            took: started.elapsed(),
        }
    }

    /// The pipelines of the selected pipes and processes. Without findings, as in some saved reports, nothing is marked.
    pub(super) fn pipelines(&mut self) -> Result<Report, Error> {
        let (seen, diagnosis) = self.source.diagnose(&self.depth(&[]))?;
        let (selection, file, mut graph) = (&self.selection, self.source.file(), seen.graph);
        let missing = selection.missing_from(&graph);
        let (mut notes, is_explained) = (self.missing(&missing, &graph), !missing.is_empty());
        let saved_report = Note::saved_report(&graph, file);
        let mut drawing = diagnosis.dataflow(&graph, &seen.threads);
        if !selection.is_everything() {
            let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
            let pids = selection.names_processes().then(|| selected_processes(&graph, selection));
            let reached = within_reach(&drawing, &pipes, pids.as_ref());
            let unmatched = self.unmatched(&graph, reached.is_empty())?;
            let is_explained = is_explained || !unmatched.is_empty();
            notes.extend(unmatched);
            if reached.is_empty() && !is_explained {
                let nothing = || Note::nothing_matched(selection, file);
                notes.push(if pipes.is_empty() { nothing() } else { Note::only_copies(selection) });
            }
            drawing.flows.retain(|flow| reached.contains(&flow.pipe));
            graph = keep(graph, &reached);
        }
        notes.extend(saved_report);
        notes.extend(Note::coverage(&graph, file));
        let is_empty = drawing.flows.is_empty() && !selection.is_everything();
        Ok(Report { drawing: Some(drawing), ..Report::new(graph, notes, Exit::of_list(is_empty)) })
    }
}
