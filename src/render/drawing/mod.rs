//! Draws pipelines: as lines for people, for Graphviz, for Mermaid, and as JSON. What is drawn where is decided by
//! [`Layout`]; here are the looks, and the words that all of them share.

mod dot;
mod figure;
mod json;
mod mermaid;
mod tree;

use std::collections::BTreeMap;
use std::io::{self, Write};

use self::figure::Figure;
#[cfg(test)]
pub(crate) use self::json::Graph;
use super::text::TextRole;
use super::{DrawingFormat, ReportView, Style};
use crate::escape::escape_name;
use crate::findings::pipe_name;
use crate::judge::dataflow::layout::{Arrow, Layout, Spot, Through};
use crate::judge::dataflow::{Absence, Drawing, Flow, Mark, MarkKind, Participant};
use crate::model::{Fd, Pid, PipeId, Severity, Side};

/// So many commands of many processes are named.
const MOST_COMMANDS: usize = 3;

/// So many pipes between the same two are named.
const MOST_PIPES: usize = 3;

impl ReportView<'_> {
    /// Writes a drawing.
    pub(super) fn draw(
        &self,
        drawing: &Drawing,
        form: DrawingFormat,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let picture = || Picture { sheet: self, drawing, layout: Layout::of(drawing) };
        match form {
            DrawingFormat::Tree => picture().tree(style, out),
            DrawingFormat::Dot => dot::write(&Figure::of(&picture()), out),
            DrawingFormat::Mermaid => mermaid::write(&Figure::of(&picture()), out),
            DrawingFormat::Json => super::json::write_object(&self.drawing_view(drawing), style.width.is_some(), out),
        }
    }
}

/// A drawing, laid out, and what is known of those in it.
struct Picture<'a> {
    sheet: &'a ReportView<'a>,
    drawing: &'a Drawing,
    layout: Layout<'a>,
}

impl<'a> Picture<'a> {
    /// `sort (12)`, or what else a place is called.
    fn name(&self, spot: Spot) -> String {
        match spot {
            Spot::Process(pid) => self.process(pid),
            Spot::Junction(pipe) => self.flow(pipe).map_or_else(String::new, |flow| self.junction(flow)),
            Spot::Absent(pipe) => self.flow(pipe).and_then(|flow| flow.absence).map_or("nobody", absent).to_owned(),
        }
    }

    fn process(&self, pid: Pid) -> String {
        let name = escape_name(self.sheet.name(pid));
        let name = if name.is_empty() { "process" } else { &name };
        format!("{name} ({pid})")
    }

    fn flow(&self, pipe: PipeId) -> Option<&'a Flow> {
        let flows = &self.drawing.flows;
        flows.binary_search_by_key(&pipe, |flow| flow.pipe).ok().and_then(|index| flows.get(index))
    }

    /// A pipe as a place of its own, with how many are on its sides: `pipe:[12]: 60 writers (sleep ×59, bash)`.
    fn junction(&self, flow: &Flow) -> String {
        let mut words = Vec::new();
        for side in [Side::Write, Side::Read] {
            let (tips, holder) = (flow.side(side), side.holder());
            match tips.len() {
                0 => words.push(format!("{} {}", flow.absence.map_or("nobody", absent), verb(side))),
                1 => {}
                count if flow.is_folded(side) => {
                    words.push(format!("{count} {holder}s ({})", self.commands(tips.iter().map(|tip| tip.pid))));
                }
                count => words.push(format!("{count} {holder}s")),
            }
        }
        format!("{}: {}", pipe_name(self.sheet.graph, flow.pipe), words.join(", "))
    }

    /// The commands of many processes, the most frequent first: `sleep ×59, bash`.
    fn commands(&self, pids: impl Iterator<Item = Pid>) -> String {
        let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
        for pid in pids {
            *counts.entry(self.sheet.name(pid).as_slice()).or_default() += 1;
        }
        let mut counts: Vec<(&[u8], usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let (named, others) = counts.split_at(counts.len().min(MOST_COMMANDS));
        let mut words: Vec<String> = named
            .iter()
            .map(|(name, count)| match (escape_name(name), count) {
                (name, _) if name.is_empty() => format!("process ×{count}"),
                (name, 1) => name,
                (name, count) => format!("{name} ×{count}"),
            })
            .collect();
        let others: usize = others.iter().map(|(_, count)| count).sum();
        words.extend((others > 0).then(|| format!("{others} more")));
        words.join(", ")
    }

    fn marks(&self, spot: Spot) -> &'a [Mark] {
        match spot {
            Spot::Process(pid) => self.drawing.marks.get(&pid).map_or(&[], Vec::as_slice),
            Spot::Junction(_) | Spot::Absent(_) => &[],
        }
    }

    /// By what an arrow goes, where the places at its ends do not say so.
    fn way(&self, arrow: &Arrow<'_>) -> String {
        match arrow.through {
            Through::Processes(count) => format!("through {count} processes"),
            Through::Pipe(flow, ..) if flow.is_junction() => String::new(),
            Through::Pipe(flow, writer, reader) => {
                let name = pipe_name(self.sheet.graph, flow.pipe);
                descriptors(writer, reader).map_or_else(|| name.clone(), |fds| format!("{name} {fds}"))
            }
        }
    }
}

/// By which descriptors data go, where those are not the standard output and the standard input: `2→5`.
fn descriptors(writer: Option<&Participant>, reader: Option<&Participant>) -> Option<String> {
    let number =
        |tip: &Participant, usual: &[u32]| main_fd(tip, usual).map_or_else(|| "open".to_owned(), |fd| fd.to_string());
    let (from, to) = (number(writer?, &OUTPUTS), number(reader?, &INPUTS));
    (from != "1" || to != "0").then(|| format!("{from}→{to}"))
}

const OUTPUTS: [u32; 2] = [1, 2];
const INPUTS: [u32; 1] = [0];

/// The descriptor that a process uses, as far as numbers tell; none while it is in open(2).
fn main_fd(tip: &Participant, usual: &[u32]) -> Option<Fd> {
    usual.iter().map(|fd| Fd(*fd)).find(|fd| tip.fds.contains(fd)).or_else(|| tip.fds.first().copied())
}

/// The one of its descriptors by which a process is most likely to use a side.
pub(super) fn usual_fd(tip: &Participant, side: Side) -> Option<Fd> {
    main_fd(tip, if side == Side::Read { &INPUTS } else { &OUTPUTS })
}

const fn absent(absence: Absence) -> &'static str {
    match absence {
        Absence::Nobody => "nobody",
        Absence::Unsure => "?",
        Absence::Hidden => "hidden",
    }
}

const fn verb(side: Side) -> &'static str {
    match side {
        Side::Read => "reads",
        Side::Write => "writes",
    }
}

/// What is wrong, in a word or two.
fn mark(mark: &Mark) -> String {
    let words = match mark.trouble {
        MarkKind::Deadlock => "deadlock",
        MarkKind::SelfDeadlock => "self-deadlock",
        MarkKind::Behind => "stuck behind a deadlock",
        MarkKind::BlockedWriter => "blocked in write",
        MarkKind::StalledReader => "does not read",
        MarkKind::NoEndOfFile => "gets no end of file",
        MarkKind::LeakedWriteEnd => "leaked write end",
        MarkKind::BlockedOpen => "blocked in open",
        MarkKind::Stopped => "stopped",
    };
    if mark.suspected { format!("{words}?") } else { words.to_owned() }
}

const fn ink(severity: Severity) -> TextRole {
    match severity {
        Severity::Error => TextRole::Error,
        Severity::Warning | Severity::Info => TextRole::Warning,
    }
}
