//! Pipelines as text: each process once, with those that it writes to below it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};

use super::super::columns::push_end;
use super::super::text::{TextRole, width};
use super::super::wrapped::WrappedLine;
use super::super::{ReportView, Style};
use super::{MOST_PIPES, ink, mark};
use crate::judge::dataflow::Flow;
use crate::judge::dataflow::layout::{Arrow, Layout, Node, Pipeline};

/// Maximum depth. What is deeper continues at the left, so that the size of the output is not quadratic in the length of a pipeline.
const DEEPEST: usize = 12;

/// Maximum column of the pipes.
const WIDEST: usize = 56;

/// How an end looks within words that have a color of their own.
const IN_TEXT: Style = Style { width: Some(u16::MAX), rows: None, color: false, ascii: false, full: true };

/// A line with a node, and the pipe that leads to it.
type Line = (WrappedLine, String);

/// The arrows of a node that are not drawn yet.
struct Step<'a> {
    next: std::vec::IntoIter<&'a [Arrow<'a>]>,
    indent: usize,
}

impl ReportView<'_> {
    /// Writes each pipeline, then the pipes that connect nothing.
    pub(super) fn tree(&self, layout: &Layout<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let mut drawn = BTreeSet::new();
        for (index, pipeline) in layout.pipelines.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let lines = self.pipeline(layout, pipeline, &mut drawn);
            write_lines(lines, style, out)?;
            for flow in pipeline.flows.iter().filter(|flow| !flow.apart.is_empty()) {
                WrappedLine::new("", "  ", self.apart(flow)).write(style, out)?;
            }
        }
        if !layout.pipelines.is_empty() && !layout.beside.is_empty() {
            writeln!(out)?;
        }
        for flow in &layout.beside {
            let text = format!("{}: {}", self.pipe_name(flow.pipe), self.beside(flow).join("; "));
            WrappedLine::new("", "  ", text).write(style, out)?;
        }
        Ok(())
    }

    fn pipeline(&self, layout: &Layout<'_>, pipeline: &Pipeline<'_>, drawn: &mut BTreeSet<Node>) -> Vec<Line> {
        let mut lines = Vec::new();
        for root in &pipeline.roots {
            let mut below = VecDeque::new();
            drawn.insert(*root);
            self.branch(layout, *root, "", drawn, &mut below, &mut lines);
            while let Some(node) = below.pop_front() {
                self.branch(layout, node, ", from above", drawn, &mut below, &mut lines);
            }
        }
        lines
    }

    /// Draws a node and everything that its data go to and that is not drawn yet.
    fn branch(
        &self,
        layout: &Layout<'_>,
        root: Node,
        remark: &str,
        drawn: &mut BTreeSet<Node>,
        below: &mut VecDeque<Node>,
        lines: &mut Vec<Line>,
    ) {
        let bar = if layout.from(root).is_empty() { "  " } else { "│ " };
        lines.push((WrappedLine::new("", bar, self.label(layout, root, remark)), String::new()));
        let mut indent = String::new();
        let mut steps = vec![step_of(layout, root, 0)];
        while let Some(step) = steps.last_mut() {
            indent.truncate(step.indent);
            let Some(arrows) = step.next.next() else {
                steps.pop();
                continue;
            };
            let Some(Arrow { from, to, .. }) = arrows.first().copied() else { continue };
            let is_last = step.next.len() == 0;
            let (branch, further) = if is_last { ("└▶ ", "   ") } else { ("├▶ ", "│  ") };
            let is_new = drawn.insert(to);
            let goes_on = is_new && !layout.from(to).is_empty();
            let is_deepest = steps.len() >= DEEPEST;
            let text = match (is_new, goes_on && is_deepest) {
                (true, false) => self.label(layout, to, ""),
                (true, true) => self.label(layout, to, ", goes on below"),
                (false, _) if from == to => "↺ itself".to_owned(),
                (false, _) if layout.is_cycle(from, to) => format!("↺ {}, above", self.short_name(layout, to)),
                (false, _) => format!("{}, see above", self.short_name(layout, to)),
            };
            let first = format!("{indent}{branch}");
            indent.push_str(further);
            let bar = if goes_on && !is_deepest { "│ " } else { "  " };
            lines.push((WrappedLine::new(first, format!("{indent}{bar}"), text), self.ways(arrows)));
            match (goes_on, is_deepest) {
                (true, false) => steps.push(step_of(layout, to, indent.len())),
                (true, true) => below.push_back(to),
                (false, _) => {}
            }
        }
    }

    /// A node with a remark, and with what is wrong there.
    fn label(&self, layout: &Layout<'_>, node: Node, remark: &str) -> String {
        let mut text = self.node_name(layout, node);
        if let Node::Absent(_) = node {
            let word = std::mem::take(&mut text);
            TextRole::Warning.push(&mut text, &word);
        }
        text.push_str(remark);
        for it in layout.marks(node) {
            text.push(' ');
            ink(it.severity).push(&mut text, &format!("[{}]", mark(it)));
        }
        text
    }

    /// The name of a node that was drawn before.
    fn short_name(&self, layout: &Layout<'_>, node: Node) -> String {
        match node {
            Node::Junction(pipe) => self.pipe_name(pipe),
            Node::Process(_) | Node::Absent(_) => self.node_name(layout, node),
        }
    }

    /// The pipes between two nodes.
    fn ways(&self, arrows: &[Arrow<'_>]) -> String {
        let named = arrows.iter().take(MOST_PIPES).map(|arrow| self.way(arrow)).filter(|way| !way.is_empty());
        let mut words: Vec<String> = named.collect();
        let more = arrows.len().saturating_sub(MOST_PIPES);
        words.extend((more > 0).then(|| format!("{more} more")));
        words.join(", ")
    }

    /// The processes that hold a copy of an end.
    fn apart(&self, flow: &Flow) -> String {
        let mut text = String::new();
        TextRole::Faint.push(&mut text, &format!("also on {}:", self.pipe_name(flow.pipe)));
        let (shown, rest) = self.copies(flow);
        let mut separator = " ";
        for copy in shown {
            let mut words = String::new();
            push_end(self.graph, &copy.end, &IN_TEXT, &mut words);
            text.push_str(separator);
            separator = "; ";
            if copy.leaked {
                TextRole::Warning.push(&mut text, &format!("{words} [leaked]"));
            } else {
                TextRole::Faint.push(&mut text, &words);
            }
        }
        if let Some(rest) = rest {
            TextRole::Faint.push(&mut text, &format!("{separator}{rest}"));
        }
        text
    }
}

fn step_of<'a>(layout: &'a Layout<'a>, node: Node, indent: usize) -> Step<'a> {
    let arrows: Vec<&[Arrow<'_>]> = layout.from(node).chunk_by(|a, b| a.to == b.to).collect();
    Step { next: arrows.into_iter(), indent }
}

/// Writes lines with their pipes in one column.
fn write_lines(lines: Vec<Line>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let with_way = lines.iter().filter(|(_, way)| !way.is_empty());
    let column = with_way.clone().map(|(line, _)| line.width()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let widest = with_way.map(|(_, way)| width(way)).max().unwrap_or(0);
    // If the column would be beyond the terminal, the pipes follow without one.
    let fits = style.width.is_none_or(|terminal| column + 2 + widest <= usize::from(terminal));
    for (mut line, way) in lines {
        if !way.is_empty() {
            let gap = if fits { column.saturating_sub(line.width()) + 2 } else { 2 };
            line.text.push_str(&" ".repeat(gap));
            TextRole::Faint.push(&mut line.text, &way);
        }
        line.write(style, out)?;
    }
    Ok(())
}
