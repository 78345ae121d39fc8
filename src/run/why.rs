//! `why`, and `graph`, which draws what `why` sees: observe twice, judge, select.

use std::collections::BTreeSet;

use super::{Error, Exit, Report, Session};
use crate::findings::{ReportedBy, narrow};
use crate::judge::dataflow::within_reach;
use crate::model::PipeId;
use crate::note::Note;
use crate::report::Scope;
use crate::select::{keep, selected, selected_processes};

impl Session<'_> {
    /// What is blocked on pipes, and why.
    pub(super) fn why(&mut self) -> Result<Report, Error> {
        let (seen, mut diagnosis) = self.source.diagnose(&self.depth())?;
        let (selection, file, mut graph) = (&self.selection, self.source.file(), seen.graph);
        if let Some(file) = file.filter(|_| !self.source.has_waits()) {
            return Err(Error::NotAsked { file: file.to_owned(), command: "why" });
        }
        // A saved audit has findings of its own.
        diagnosis.findings.retain(|finding| finding.code.about().reported_by == ReportedBy::Why);
        let missing = selection.missing_from(&graph);
        let is_waiting = diagnosis.waits.iter().any(|wait| selection.pids.contains(&wait.task.pid));
        if let Some(obstacle) = selection.obstacle(&missing, is_waiting) {
            return Err(Note::missing(obstacle, &self.names, &graph, file).into());
        }
        let mut notes = self.missing(&missing, &graph);
        notes.extend(Note::no_other_processes(selection, &graph, file));
        notes.extend(Note::saved_report(&graph, file));
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(seen.probe.as_ref(), &graph));
        let mut scope = Scope::Everything;
        if !selection.is_everything() {
            let pids = selected_processes(&graph, selection);
            let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
            if pipes.is_empty() && pids.is_empty() {
                return Err(Note::nothing_matched(selection, file).into());
            }
            let involved = narrow(&mut diagnosis, &pipes, &pids);
            graph = keep(graph, &pipes.union(&involved).copied().collect());
            scope = if pids.is_empty() { Scope::Pipes(pipes) } else { Scope::Processes(pids) };
        }
        let exit = Exit::of_findings(diagnosis.is_warning());
        Ok(Report { threads: seen.threads, diagnosis: Some(diagnosis), scope, ..Report::new(graph, notes, exit) })
    }

    /// The pipelines of the selected pipes and processes. Without findings, as in some saved reports, nothing is marked.
    pub(super) fn pipelines(&mut self) -> Result<Report, Error> {
        let (seen, diagnosis) = self.source.diagnose(&self.depth())?;
        let (selection, file, mut graph) = (&self.selection, self.source.file(), seen.graph);
        let missing = selection.missing_from(&graph);
        let (mut notes, is_explained) = (self.missing(&missing, &graph), !missing.is_empty());
        let saved_report = Note::saved_report(&graph, file);
        let mut drawing = diagnosis.dataflow(&graph, &seen.threads);
        if !selection.is_everything() {
            let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
            let pids = selection.names_processes().then(|| selected_processes(&graph, selection));
            let reached = within_reach(&drawing, &pipes, pids.as_ref());
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
