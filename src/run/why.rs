//! The steps of `why`, and of `graph`, which draws what `why` sees.

use std::collections::BTreeSet;

use super::{Answer, Error, Exit, Session};
use crate::findings::{ReportedBy, narrow};
use crate::judge::dataflow::within_reach;
use crate::model::{Pid, PipeId};
use crate::note::Note;
use crate::render::Asked;
use crate::select::{keep, selected, selected_processes};

impl Session<'_> {
    /// What is blocked, and why.
    pub(super) fn why(&mut self) -> Result<Answer, Error> {
        let (seen, mut diagnosis) = self.source.diagnose(&self.depth())?;
        let (selection, file, mut graph) = (&self.selection, self.source.file(), seen.graph);
        if let Some(file) = file.filter(|_| !self.source.has_waits()) {
            return Err(Error::NotAsked { file: file.to_owned(), command: "why" });
        }
        // A saved audit has findings of its own.
        diagnosis.findings.retain(|finding| finding.code.about().reported_by == ReportedBy::Why);
        let unmatched = selection.unmatched(&graph);
        let mut notes = Note::unmatched(&unmatched, &self.names, &graph, file);
        let is_waiting = |pid: &Pid| diagnosis.waits.iter().any(|wait| wait.task.pid == *pid);
        if let Some(place) = unmatched.obstacle(selection, selection.pids.iter().any(is_waiting)) {
            return Err(notes.swap_remove(place).into());
        }
        notes.extend(Note::no_other_processes(selection, &graph, file));
        notes.extend(Note::saved_report(&graph, file));
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(seen.probe.as_ref(), &graph));
        let mut asked = Asked::Everything;
        if !selection.is_everything() {
            let pids = selected_processes(&graph, selection);
            let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
            if pipes.is_empty() && pids.is_empty() {
                return Err(Note::nothing_matched(selection, file).into());
            }
            let involved = narrow(&mut diagnosis, &pipes, &pids);
            graph = keep(graph, &pipes.union(&involved).copied().collect());
            asked = if pids.is_empty() { Asked::Pipes(pipes) } else { Asked::Processes(pids) };
        }
        let exit = if diagnosis.is_warning() { Exit::Found } else { Exit::Reported };
        Ok(Answer { threads: seen.threads, diagnosis: Some(diagnosis), asked, exit, ..Answer::new(graph, notes) })
    }

    /// What is selected, with everything that its data come from and go to. What a saved report does not contain is not marked.
    pub(super) fn pipelines(&mut self) -> Result<Answer, Error> {
        let (seen, diagnosis) = self.source.diagnose(&self.depth())?;
        let (selection, file, mut graph) = (&self.selection, self.source.file(), seen.graph);
        let unmatched = selection.unmatched(&graph);
        let mut notes = Note::unmatched(&unmatched, &self.names, &graph, file);
        let is_explained = !unmatched.is_empty();
        let saved_report = Note::saved_report(&graph, file);
        let mut drawing = diagnosis.dataflow(&graph, &seen.threads);
        if !selection.is_everything() {
            let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
            let pids = selection.names_processes().then(|| selected_processes(&graph, selection));
            let reached = within_reach(&drawing, &pipes, pids.as_ref());
            if reached.is_empty() && !is_explained {
                notes.push(match pipes.is_empty() {
                    true => Note::nothing_matched(selection, file),
                    false => Note::only_copies(selection),
                });
            }
            drawing.flows.retain(|flow| reached.contains(&flow.pipe));
            graph = keep(graph, &reached);
        }
        notes.extend(saved_report);
        notes.extend(Note::coverage(&graph, file));
        let is_empty = drawing.flows.is_empty() && !selection.is_everything();
        let exit = if is_empty { Exit::NothingMatched } else { Exit::Reported };
        Ok(Answer { drawing: Some(drawing), exit, ..Answer::new(graph, notes) })
    }
}
