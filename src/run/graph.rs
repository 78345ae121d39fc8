//! The steps of `graph`: find out what `why` would, say how data flow, and keep what is within reach of the selection.

use std::collections::BTreeSet;

use super::Answer;
use super::source::{Sought, Source};
use super::why::{Found, find_out};
use crate::cli::Request;
use crate::error::Error;
use crate::judge::dataflow::{draw, within_reach};
use crate::model::PipeId;
use crate::notes;
use crate::select::{keep, selected, selected_processes};

/// Draws what is selected, with all that its data come from and go to. What a saved report does not tell is not marked.
pub(super) fn pipelines(
    options: &Request,
    source: &Source,
    sought: &Sought,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    let (Sought { selection, names }, file) = (sought, source.file());
    let Found { mut graph, diagnosis, .. } = find_out(options, source, selection, untouchable)?;
    let mut notes = notes::not_there(selection, names, &graph, file);
    let of_file = notes::of_file(file, &graph);
    let mut drawing = draw(&graph, &diagnosis);
    if !selection.is_everything() {
        let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
        let pids = selection.names_processes().then(|| selected_processes(&graph, selection));
        let reached = within_reach(&drawing, &pipes, pids.as_ref());
        if reached.is_empty() && notes.is_empty() {
            let is_copy = !pipes.is_empty();
            notes.push(if is_copy { notes::only_copies(selection) } else { notes::nothing_matched(selection, file) });
        }
        drawing.flows.retain(|flow| reached.contains(&flow.pipe));
        graph = keep(graph, &reached);
    }
    notes.extend(of_file);
    notes.extend(notes::coverage(&graph, file));
    let nothing_matched = drawing.flows.is_empty() && !selection.is_everything();
    Ok(Answer { nothing_matched, drawing: Some(drawing), ..Answer::of(graph, notes) })
}
