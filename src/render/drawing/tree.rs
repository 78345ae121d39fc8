//! Pipelines as lines: each process once, with those that it writes to below it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};

use super::super::Style;
use super::super::columns::push_end;
use super::super::text::{TextRole, width};
use super::super::why_text::WrappedLine;
use super::{MOST_PIPES, Picture, ink, mark};
use crate::findings::pipe_name;
use crate::judge::dataflow::layout::{Arrow, Pipeline, Spot};
use crate::judge::dataflow::{Flow, InheritedCopy, MANY};

/// What is deeper goes on at the left, so that a long pipeline can be read, and is not drawn in the square of its length.
const DEEPEST: usize = 12;

/// The column of the pipes is at most so far to the right.
const WIDEST: usize = 56;

/// A line: what stands before it, who, and by which pipe.
struct Line {
    first: String,
    rest: String,
    text: String,
    way: String,
}

impl Line {
    fn width(&self) -> usize {
        width(&self.first) + width(&self.text)
    }
}

/// Whose readers are being drawn, and which of them is the next.
struct Step<'a> {
    next: std::vec::IntoIter<&'a [Arrow<'a>]>,
    indent: usize,
}

impl<'a> Picture<'a> {
    /// Writes each pipeline, then the pipes that have no direction.
    pub(super) fn tree(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let mut drawn = BTreeSet::new();
        for (index, pipeline) in self.layout.pipelines.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let lines = self.pipeline(pipeline, &mut drawn);
            write_lines(lines, style, out)?;
            for flow in pipeline.flows.iter().filter(|flow| !flow.apart.is_empty()) {
                WrappedLine::new("", "  ", self.apart(flow)).write(style, out)?;
            }
        }
        if !self.layout.pipelines.is_empty() && !self.layout.shared.is_empty() {
            writeln!(out)?;
        }
        for flow in &self.layout.shared {
            WrappedLine::new("", "  ", self.shared(flow)).write(style, out)?;
        }
        Ok(())
    }

    fn pipeline(&self, pipeline: &Pipeline<'_>, drawn: &mut BTreeSet<Spot>) -> Vec<Line> {
        let mut lines = Vec::new();
        for root in &pipeline.roots {
            let mut below = VecDeque::new();
            drawn.insert(*root);
            self.branch(*root, "", drawn, &mut below, &mut lines);
            while let Some(spot) = below.pop_front() {
                self.branch(spot, ", from above", drawn, &mut below, &mut lines);
            }
        }
        lines
    }

    /// Draws a place and all that its data go to, as far as that is not drawn yet.
    fn branch(
        &self,
        root: Spot,
        remark: &str,
        drawn: &mut BTreeSet<Spot>,
        below: &mut VecDeque<Spot>,
        lines: &mut Vec<Line>,
    ) {
        let bar = if self.layout.from(root).is_empty() { "  " } else { "│ " };
        lines.push(Line {
            first: String::new(),
            rest: bar.to_owned(),
            text: self.label(root, remark),
            way: String::new(),
        });
        let mut indent = String::new();
        let mut steps = vec![self.step(root, 0)];
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
            let goes_on = is_new && !self.layout.from(to).is_empty();
            let is_deepest = steps.len() >= DEEPEST;
            let text = match (is_new, goes_on && is_deepest) {
                (true, false) => self.label(to, ""),
                (true, true) => self.label(to, ", goes on below"),
                (false, _) if from == to => "↺ itself".to_owned(),
                (false, _) if self.layout.is_circle(from, to) => format!("↺ {}, above", self.short_name(to)),
                (false, _) => format!("{}, see above", self.short_name(to)),
            };
            let first = format!("{indent}{branch}");
            indent.push_str(further);
            let bar = if goes_on && !is_deepest { "│ " } else { "  " };
            lines.push(Line { first, rest: format!("{indent}{bar}"), text, way: self.ways(arrows) });
            match (goes_on, is_deepest) {
                (true, false) => steps.push(self.step(to, indent.len())),
                (true, true) => below.push_back(to),
                (false, _) => {}
            }
        }
    }

    fn step(&self, spot: Spot, indent: usize) -> Step<'_> {
        let arrows: Vec<&[Arrow<'_>]> = self.layout.from(spot).chunk_by(|a, b| a.to == b.to).collect();
        Step { next: arrows.into_iter(), indent }
    }

    /// A place with a remark, and with what is wrong there.
    fn label(&self, spot: Spot, remark: &str) -> String {
        let mut text = self.name(spot);
        if let Spot::Absent(_) = spot {
            let word = std::mem::take(&mut text);
            TextRole::Warning.push(&mut text, &word);
        }
        text.push_str(remark);
        for it in self.marks(spot) {
            text.push(' ');
            ink(it.severity).push(&mut text, &format!("[{}]", mark(it)));
        }
        text
    }

    /// Of a place that was drawn already, the name without the numbers.
    fn short_name(&self, spot: Spot) -> String {
        match spot {
            Spot::Junction(pipe) => pipe_name(self.sheet.graph, pipe),
            Spot::Process(_) | Spot::Absent(_) => self.name(spot),
        }
    }

    /// The pipes between two places.
    fn ways(&self, arrows: &[Arrow<'_>]) -> String {
        let named = arrows.iter().take(MOST_PIPES).map(|arrow| self.way(arrow)).filter(|way| !way.is_empty());
        let mut words: Vec<String> = named.collect();
        let more = arrows.len().saturating_sub(MOST_PIPES);
        words.extend((more > 0).then(|| format!("{more} more")));
        words.join(", ")
    }

    /// Who holds an end of a pipe beside those who use it.
    fn apart(&self, flow: &Flow) -> String {
        let mut text = String::new();
        TextRole::Faint.push(&mut text, &format!("also on {}:", pipe_name(self.sheet.graph, flow.pipe)));
        let pids = flow.apart_pids();
        let (leaked, others): (Vec<&InheritedCopy>, Vec<&InheritedCopy>) =
            flow.apart.iter().partition(|apart| apart.leaked);
        let is_many = pids.len() > MANY;
        let one_by_one = leaked.iter().chain(others.iter().filter(|_| !is_many)).take(2 * MANY);
        let mut separator = " ";
        for apart in one_by_one {
            let mut words = String::new();
            push_end(self.sheet.graph, &apart.end, &mut words);
            text.push_str(separator);
            separator = "; ";
            if apart.leaked {
                TextRole::Warning.push(&mut text, &format!("{words} [leaked]"));
            } else {
                TextRole::Faint.push(&mut text, &words);
            }
        }
        if is_many {
            let words = format!("{separator}{} processes ({})", pids.len(), self.commands(pids.iter().copied()));
            TextRole::Faint.push(&mut text, &words);
        }
        text
    }

    /// A pipe that has no direction.
    fn shared(&self, flow: &Flow) -> String {
        let pids = flow.apart_pids();
        let who = if pids.len() > MANY {
            self.commands(pids.iter().copied())
        } else {
            pids.iter().map(|pid| self.process(*pid)).collect::<Vec<_>>().join(", ")
        };
        format!("{}: {} processes hold both its ends: {who}", pipe_name(self.sheet.graph, flow.pipe), pids.len())
    }
}

/// Writes lines with their pipes one below the other.
fn write_lines(lines: Vec<Line>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let with_way = lines.iter().filter(|line| !line.way.is_empty());
    let column = with_way.clone().map(Line::width).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let way = with_way.map(|line| width(&line.way)).max().unwrap_or(0);
    // Where the column would be off the terminal, the pipes stand right behind.
    let fits = style.width.is_none_or(|terminal| column + 2 + way <= usize::from(terminal));
    for line in lines {
        let mut text = line.text.clone();
        if !line.way.is_empty() {
            let gap = if fits { column.saturating_sub(line.width()) + 2 } else { 2 };
            text.push_str(&" ".repeat(gap));
            TextRole::Faint.push(&mut text, &line.way);
        }
        WrappedLine::new(line.first, line.rest, text).write(style, out)?;
    }
    Ok(())
}
