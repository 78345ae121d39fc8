//! The report, and whole fd tables: observe once, select.

use std::collections::BTreeSet;

use super::{Error, Exit, Report, Session};
use crate::model::Pid;
use crate::note::Note;
use crate::select::{Missing, select, select_tables};

impl Session<'_> {
    /// The selected pipes.
    pub(super) fn pipes(&mut self) -> Result<Report, Error> {
        let seen = self.source.look(&self.depth())?;
        let (selection, file) = (&self.selection, self.source.file());
        let (missing, is_part) = (selection.missing_from(&seen.graph), seen.graph.selected);
        let mut notes = self.missing(&missing, &seen.graph);
        let is_explained = !missing.is_empty();
        let graph = select(seen.graph, selection);
        let is_empty = graph.pipes.is_empty() && !selection.is_everything();
        notes.extend((is_empty && !is_explained).then(|| Note::nothing_matched(selection, file)));
        notes.extend(Note::no_other_processes(selection, &graph, file));
        notes.extend(file.filter(|_| is_part).map(|file| Note::IsPart { file: file.to_owned() }));
        notes.extend(Note::coverage(&graph, file));
        notes.extend(Note::probe(seen.probe.as_ref(), &graph));
        Ok(Report::new(graph, notes, Exit::of_list(is_empty)))
    }

    /// The whole fd tables of these processes.
    pub(super) fn tables(&mut self, pids: &[Pid]) -> Result<Report, Error> {
        let mut graph = self.source.look(&self.depth())?.graph;
        let has_tables = !graph.descriptors.is_empty();
        graph.descriptors.retain(|descriptor| pids.contains(&descriptor.pid));
        let (file, is_empty) = (self.source.file(), graph.descriptors.is_empty());
        let missing = self.selection.missing_from(&graph);
        let mut notes = self.missing(&missing, &graph);
        if let Some(file) = file {
            // The other processes on its pipes are in the report too, without their tables.
            let gaps = graph.coverage.gaps.iter().map(|gap| gap.pid);
            let known: BTreeSet<Pid> = graph.descriptors.iter().map(|descriptor| descriptor.pid).chain(gaps).collect();
            let is_without = |pid: &&Pid| graph.parents.contains_key(pid) && !known.contains(pid);
            let without: Vec<Pid> = pids.iter().filter(is_without).copied().collect();
            if !has_tables || (is_empty && !without.is_empty()) {
                return Err(Error::NotAsked { file: file.to_owned(), command: "fds PID" });
            }
            notes.extend(without.into_iter().map(|pid| Note::NoTable { pid, file: file.to_owned() }));
        }
        if let Some(table) = missing.iter().find(|it| is_empty && matches!(it, Missing::Table(_))) {
            return Err(Note::missing(table, &self.names, &graph, file).into());
        }
        let is_nothing = pids.iter().all(|pid| !graph.parents.contains_key(pid));
        let graph = select_tables(graph);
        notes.extend(Note::coverage(&graph, file));
        Ok(Report::new(graph, notes, Exit::of_list(is_nothing)))
    }
}
