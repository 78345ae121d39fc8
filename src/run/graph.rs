//! The steps of `graph`: find out what `why` would, say how data flow, and keep what is within reach of the selection.

use std::collections::BTreeSet;

use super::Answer;
use super::why::{Found, find_out};
use crate::error::Error;
use crate::graph::{draw, within_reach};
use crate::model::PipeId;
use crate::notes;
use crate::options::{Options, Wanted};
use crate::select::{Selection, keep, selected, selected_processes};

/// Draws what is selected, with all that its data come from and go to.
pub(super) fn pipelines(
    options: &Options,
    wanted: &Wanted,
    selection: &Selection,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    let Found { mut graph, diagnosis, .. } = find_out(options, selection, untouchable)?;
    let mut notes = notes::no_process(&selection.pids, &graph);
    notes.extend(notes::unreadable(&selection.pids, &graph));
    notes.extend(notes::no_pipe(&wanted.pipes, &selection.pipes, &graph));
    let mut drawing = draw(&graph, Some(&diagnosis));
    if !selection.is_everything() {
        let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
        let pids = selection.names_processes().then(|| selected_processes(&graph, selection));
        let reached = within_reach(&drawing, &pipes, pids.as_ref());
        if reached.is_empty() && notes.is_empty() {
            notes.push(if pipes.is_empty() {
                notes::nothing_matched(selection)
            } else {
                notes::only_copies(selection)
            });
        }
        drawing.flows.retain(|flow| reached.contains(&flow.pipe));
        graph = keep(graph, &reached);
    }
    notes.extend(notes::coverage(&graph));
    let nothing_matched = drawing.flows.is_empty() && !selection.is_everything();
    Ok(Answer { graph, notes, nothing_matched, why: None, drawing: Some(drawing) })
}
