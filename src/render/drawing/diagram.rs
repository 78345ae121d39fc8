//! Pipelines as nodes and lines for programs that lay these out: what Graphviz and Mermaid have in common.

use std::collections::BTreeMap;

use super::super::ReportView;
use super::mark;
use crate::judge::dataflow::layout::{Layout, Node, Through};
use crate::model::{PipeId, Severity};

pub(super) struct Diagram {
    pub(super) nodes: Vec<DiagramNode>,
    pub(super) lines: Vec<Line>,
}

pub(super) struct DiagramNode {
    /// Unique in the diagram.
    pub(super) id: String,
    /// Lines that are safe to print, not escaped for any syntax.
    pub(super) text: Vec<String>,
    pub(super) kind: Kind,
    /// Of the worst mark.
    pub(super) severity: Option<Severity>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Process,
    Junction,
    Absent,
    /// The ends of a pipe that are no part of its flow.
    InheritedCopy,
}

pub(super) struct Line {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) text: Vec<String>,
    /// Whether data go along it; else it only connects what belongs together.
    pub(super) is_flow: bool,
}

impl ReportView<'_> {
    pub(super) fn diagram(&self, layout: &Layout<'_>) -> Diagram {
        let mut diagram = Diagram { nodes: Vec::new(), lines: Vec::new() };
        let mut ids: BTreeMap<Node, String> = BTreeMap::new();
        for (number, node) in layout.nodes().enumerate() {
            let (id, kind) = match node {
                Node::Process(pid) => (format!("p{pid}"), Kind::Process),
                Node::Junction(_) => (format!("j{number}"), Kind::Junction),
                Node::Absent(_) => (format!("a{number}"), Kind::Absent),
            };
            let marks = layout.marks(node);
            let mut text = vec![self.node_name(layout, node)];
            text.extend(marks.iter().map(mark));
            let severity = marks.first().map(|mark| mark.severity);
            diagram.nodes.push(DiagramNode { id: id.clone(), text, kind, severity });
            ids.insert(node, id);
        }
        // The copies of a pipe are drawn beside its first node.
        let mut place_of: BTreeMap<PipeId, String> = BTreeMap::new();
        for arrow in layout.arrows() {
            let (Some(from), Some(to)) = (ids.get(&arrow.from), ids.get(&arrow.to)) else { continue };
            let text = match arrow.through {
                Through::Pipe(flow, ..) if flow.is_junction() => Vec::new(),
                _ => vec![self.way(arrow)],
            };
            if let Through::Pipe(flow, ..) = arrow.through {
                let place = if let Node::Junction(_) = arrow.from { from } else { to };
                place_of.entry(flow.pipe).or_insert_with(|| place.clone());
            }
            diagram.lines.push(Line { from: from.clone(), to: to.clone(), text, is_flow: true });
        }
        let of_pipelines = layout.pipelines.iter().flat_map(|pipeline| &pipeline.flows);
        for (number, flow) in of_pipelines.filter(|flow| !flow.apart.is_empty()).enumerate() {
            let id = format!("h{number}");
            let junction = ids.get(&Node::Junction(flow.pipe));
            if let Some(place) = junction.or_else(|| place_of.get(&flow.pipe)) {
                diagram.lines.push(Line { from: id.clone(), to: place.clone(), text: Vec::new(), is_flow: false });
            }
            let severity = flow.apart.iter().any(|apart| apart.leaked).then_some(Severity::Warning);
            let (shown, rest) = self.copies(flow);
            let mut text = vec![format!("also on {}:", self.pipe_name(flow.pipe))];
            text.extend(shown.iter().map(|copy| {
                let (end, leaked) = (&copy.end, if copy.leaked { ", leaked" } else { "" });
                format!("{} {}{}{leaked}", self.process_name(end.pid), end.fd, end.access)
            }));
            text.extend(rest);
            diagram.nodes.push(DiagramNode { id, text, kind: Kind::InheritedCopy, severity });
        }
        for (number, flow) in layout.beside.iter().enumerate() {
            let kind = if flow.unused { "not in use" } else { "no direction" };
            let mut text = vec![format!("{}, {kind}:", self.pipe_name(flow.pipe))];
            text.extend(self.beside(flow));
            let id = format!("s{number}");
            diagram.nodes.push(DiagramNode { id, text, kind: Kind::InheritedCopy, severity: None });
        }
        diagram
    }
}
