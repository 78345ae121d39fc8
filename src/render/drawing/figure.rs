//! Pipelines as boxes and lines, for programs that place these by themselves: what Graphviz and Mermaid have in common.

use std::collections::BTreeMap;

use super::{Picture, mark};
use crate::findings::pipe_name;
use crate::judge::dataflow::layout::{Spot, Through};
use crate::judge::dataflow::{Flow, MANY};
use crate::model::{PipeId, Severity};

/// Boxes and lines.
pub(super) struct Figure {
    pub(super) boxes: Vec<Box>,
    pub(super) lines: Vec<Line>,
}

/// A box.
pub(super) struct Box {
    /// A word that no other box has.
    pub(super) id: String,
    /// What stands in it, readable and without an end of line; not escaped for any syntax.
    pub(super) text: Vec<String>,
    pub(super) kind: Kind,
    /// How bad it is with it.
    pub(super) severity: Option<Severity>,
}

/// What a box stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Process,
    Junction,
    Absent,
    /// Who holds a pipe beside those who use it.
    InheritedCopy,
}

/// A line between two boxes.
pub(super) struct Line {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: Vec<String>,
    /// Data go along it; else it only says what belongs together.
    pub(super) is_flow: bool,
}

impl Figure {
    pub(super) fn of(picture: &Picture<'_>) -> Self {
        let mut figure = Self { boxes: Vec::new(), lines: Vec::new() };
        let mut ids: BTreeMap<Spot, String> = BTreeMap::new();
        for (number, spot) in picture.layout.spots().enumerate() {
            let (id, kind) = match spot {
                Spot::Process(pid) => (format!("p{pid}"), Kind::Process),
                Spot::Junction(_) => (format!("j{number}"), Kind::Junction),
                Spot::Absent(_) => (format!("a{number}"), Kind::Absent),
            };
            let marks = picture.marks(spot);
            let mut text = vec![picture.name(spot)];
            text.extend(marks.iter().map(mark));
            let severity = marks.first().map(|mark| mark.severity);
            figure.boxes.push(Box { id: id.clone(), text, kind, severity });
            ids.insert(spot, id);
        }
        // Of a pipe, the first place that is drawn of it is where those beside belong.
        let mut place_of: BTreeMap<PipeId, String> = BTreeMap::new();
        for arrow in picture.layout.arrows() {
            let (Some(from), Some(to)) = (ids.get(&arrow.from), ids.get(&arrow.to)) else { continue };
            let text = match arrow.through {
                Through::Pipe(flow, ..) if flow.is_junction() => Vec::new(),
                _ => vec![picture.way(arrow)],
            };
            if let Through::Pipe(flow, ..) = arrow.through {
                let place = if let Spot::Junction(_) = arrow.from { from } else { to };
                place_of.entry(flow.pipe).or_insert_with(|| place.clone());
            }
            figure.lines.push(Line { from: from.clone(), to: to.clone(), text, is_flow: true });
        }
        let of_pipelines = picture.layout.pipelines.iter().flat_map(|pipeline| &pipeline.flows);
        for (number, flow) in of_pipelines.filter(|flow| !flow.apart.is_empty()).enumerate() {
            let id = format!("h{number}");
            let junction = ids.get(&Spot::Junction(flow.pipe));
            if let Some(place) = junction.or_else(|| place_of.get(&flow.pipe)) {
                figure.lines.push(Line { from: id.clone(), to: place.clone(), text: Vec::new(), is_flow: false });
            }
            let severity = flow.apart.iter().any(|apart| apart.leaked).then_some(Severity::Warning);
            let text = apart(picture, flow, format!("also on {}:", pipe_name(picture.sheet.graph, flow.pipe)));
            figure.boxes.push(Box { id, text, kind: Kind::InheritedCopy, severity });
        }
        for (number, flow) in picture.layout.shared.iter().enumerate() {
            let title = format!("{}, both ends:", pipe_name(picture.sheet.graph, flow.pipe));
            let text = apart(picture, flow, title);
            figure.boxes.push(Box { id: format!("s{number}"), text, kind: Kind::InheritedCopy, severity: None });
        }
        figure
    }
}

/// Those beside a pipe, a line each; of many, how many.
fn apart(picture: &Picture<'_>, flow: &Flow, title: String) -> Vec<String> {
    let mut text = vec![title];
    let pids = flow.apart_pids();
    let is_many = pids.len() > MANY;
    let told = flow.apart.iter().filter(|apart| apart.leaked || !is_many).take(2 * MANY);
    text.extend(told.map(|apart| {
        let end = &apart.end;
        let leaked = if apart.leaked { ", leaked" } else { "" };
        format!("{} {}{}{leaked}", picture.process(end.pid), end.fd, end.access.as_str())
    }));
    if is_many {
        text.push(format!("{} processes ({})", pids.len(), picture.commands(pids.iter().copied())));
    }
    text
}
