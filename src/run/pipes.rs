//! The report, and whole fd tables: observe once, select.

use std::collections::BTreeSet;

use super::{Error, Exit, Report, Session};
use crate::cli::BackendName;
use crate::model::Pid;
use crate::note::Note;
use crate::select::{Selection, chosen, select, select_tables, selected};

impl Session<'_> {
    /// The selected pipes.
    pub(super) fn pipes(&mut self) -> Result<Report, Error> {
        let seen = self.source.look(&self.depth(&[]))?;
        // With --probe, a note says why it is not known; a saved report may lack it.
        if !self.request.probe
            && self.source.file().is_none()
            && let Some(column) = self.request.format.unknown_column(&seen.graph)
        {
            let otherwise = match self.request.source.backend {
                BackendName::Proc => "use --backend auto as root",
                _ => "run as root with BPF",
            };
            return Err(Error::OnlyTheKernel { column: column.heading(), otherwise });
        }
        let (selection, file) = (&self.selection, self.source.file());
        let (missing, is_part) = (selection.missing_from(&seen.graph), seen.graph.selected);
        let mut notes = self.missing(&missing, &seen.graph);
        let is_empty = selected(&seen.graph, selection).next().is_none() && !selection.is_everything();
        notes.extend(self.unmatched(&seen.graph, is_empty)?);
        let is_explained = !notes.is_empty();
        let graph = select(seen.graph, selection);
        notes.extend((is_empty && !is_explained).then(|| Note::nothing_matched(selection, file)));
        notes.extend(Note::no_other_processes(selection, &graph, file));
        notes.extend(file.filter(|_| is_part).map(|file| Note::IsPart { file: file.to_owned() }));
        let is_of_pipes = selection.kinds.is_empty() && selection.pipes.is_empty() && !selection.pids.is_empty();
        notes.extend(
            is_of_pipes.then(|| Note::other_files(selection, self.source.other_files(&selection.pids))).flatten(),
        );
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(seen.probe.as_ref(), &graph));
        Ok(Report::new(graph, notes, Exit::of_list(is_empty)))
    }

    /// The whole fd tables of the processes that are named.
    pub(super) fn tables(&mut self) -> Result<Report, Error> {
        let pids = match self.selection.is_of_pids() {
            // No other process has to be looked at.
            true => self.selection.pids.clone(),
            false => {
                let processes = self.source.named_processes()?;
                let pids: Vec<Pid> = chosen(&processes, &self.selection).into_iter().collect();
                if pids.is_empty() {
                    let file = self.source.file();
                    let notes = Note::unmatched(&self.selection, &processes, file, true);
                    let error = notes.into_iter().next().unwrap_or(Note::NoSuchProcess).into();
                    // Only a format for machines takes a report of nothing.
                    return match self.request.format.is_for_machines() {
                        true => {
                            let graph = self.source.look(&self.depth(&[]))?.graph;
                            self.without_pipes(graph, error)
                        }
                        false => Err(error),
                    };
                }
                pids
            }
        };
        let mut graph = self.source.look(&self.depth(&pids))?.graph;
        let has_tables = !graph.descriptors.is_empty();
        graph.descriptors.retain(|descriptor| pids.contains(&descriptor.pid));
        let (file, is_empty) = (self.source.file(), graph.descriptors.is_empty());
        let named = Selection { pids: pids.clone(), ..Selection::default() };
        let missing = named.missing_from(&graph);
        let mut notes = self.missing(&missing, &graph);
        if let Some(file) = file {
            // The other processes on its pipes are in the report too, without their tables.
            let gaps = graph.coverage.gaps.iter().map(|gap| gap.pid);
            let known: BTreeSet<Pid> = graph.descriptors.iter().map(|descriptor| descriptor.pid).chain(gaps).collect();
            let is_without = |pid: &&Pid| graph.parents.contains_key(pid) && !known.contains(pid);
            let without: Vec<Pid> = pids.iter().filter(is_without).copied().collect();
            if !has_tables || (is_empty && !without.is_empty()) {
                return Err(Error::NotAsked { file: file.to_owned(), what: "whole fd tables", command: "fds PID" });
            }
            notes.extend(without.into_iter().map(|pid| Note::NoTable { pid, file: file.to_owned() }));
        }
        if let Some(note) = notes.iter().find(|note| is_empty && matches!(note, Note::UnreadableTable { .. })) {
            return Err(note.clone().into());
        }
        let is_nothing = pids.iter().all(|pid| !graph.parents.contains_key(pid));
        let mut graph = select_tables(graph, &self.selection);
        graph.selected |= self.selection.narrows_pipes();
        let is_nothing = is_nothing || (graph.descriptors.is_empty() && self.selection.narrows_pipes());
        notes.extend((is_nothing && notes.is_empty()).then_some(Note::NothingMatched));
        notes.extend(Note::coverage(&graph, file));
        Ok(Report::new(graph, notes, Exit::of_list(is_nothing)))
    }
}
