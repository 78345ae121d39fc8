//! Draws pipelines: as text, for Graphviz, for Mermaid, and as JSON. [`Layout`] decides what is drawn where; here are the looks, and the
//! words that all forms share.

mod diagram;
mod dot;
mod json;
mod mermaid;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

#[cfg(test)]
pub(crate) use self::json::Graph;
use super::json::write_object;
use super::text::TextRole;
use super::{DrawingFormat, ReportView, Style};
use crate::escape::quote_name;
use crate::judge::dataflow::layout::{Arrow, Layout, Node, Through};
use crate::judge::dataflow::{Absence, Dataflow, Flow, InheritedCopy, MANY, Mark, MarkKind, Participant};
use crate::model::{Fd, Pid, Severity, Side};

/// Maximum number of commands that are named of many processes.
const MOST_COMMANDS: usize = 3;

/// Maximum number of pipes that are named between the same two nodes.
const MOST_PIPES: usize = 3;

impl ReportView<'_> {
    pub(super) fn draw(
        &self,
        dataflow: &Dataflow,
        form: DrawingFormat,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match form {
            DrawingFormat::Tree => self.tree(&Layout::of(dataflow), style, out),
            DrawingFormat::Dot => dot::write(&self.diagram(&Layout::of(dataflow)), out),
            DrawingFormat::Mermaid => mermaid::write(&self.diagram(&Layout::of(dataflow)), out),
            DrawingFormat::Json => write_object(&self.drawing_view(dataflow), style, out),
        }
    }

    /// `sort (12)`, or what else a node is called.
    fn node_name(&self, layout: &Layout<'_>, node: Node) -> String {
        match node {
            Node::Process(pid) => self.process_name(pid),
            Node::Junction(pipe) => layout.flow(pipe).map_or_else(String::new, |flow| self.junction(flow)),
            Node::Absent(pipe) => {
                let side = |flow: &Flow| if flow.writers.is_empty() { Side::Write } else { Side::Read };
                layout.flow(pipe).map_or_else(String::new, |flow| absent_node(flow, side(flow)))
            }
        }
    }

    fn process_name(&self, pid: Pid) -> String {
        let name = self.name(pid);
        let name = if name.is_empty() { "process".to_owned() } else { quote_name(name) };
        format!("{name} ({pid})")
    }

    /// A pipe as a node of its own, with the number of processes on its sides: `pipe:[12]: 60 writers (sleep ×59, bash)`.
    fn junction(&self, flow: &Flow) -> String {
        let of_side = |side: Side| {
            let (participants, holder) = (flow.side(side), side.holder());
            match participants.len() {
                0 => Some(match flow.absence {
                    Some(Absence::Nobody) | None => absent_node(flow, side),
                    Some(other) => format!("{} {}", absent(other), verb(side)),
                }),
                1 => None,
                count if flow.is_folded(side) => {
                    Some(format!("{count} {holder}s ({})", self.commands(participants.iter().map(|it| it.pid))))
                }
                count => Some(format!("{count} {holder}s")),
            }
        };
        let words: Vec<String> = [Side::Write, Side::Read].into_iter().filter_map(of_side).collect();
        format!("{}: {}", self.pipe_name(flow.pipe), words.join(", "))
    }

    /// The commands of many processes, the most frequent first: `sleep ×59, bash`.
    fn commands(&self, pids: impl Iterator<Item = Pid>) -> String {
        let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
        for pid in pids {
            *counts.entry(self.name(pid).as_slice()).or_default() += 1;
        }
        let mut counts: Vec<(&[u8], usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let others: usize = counts.iter().skip(MOST_COMMANDS).map(|(_, count)| count).sum();
        let named = counts.into_iter().take(MOST_COMMANDS).map(|(name, count)| match count {
            _ if name.is_empty() => format!("process ×{count}"),
            1 => quote_name(name),
            _ => format!("{} ×{count}", quote_name(name)),
        });
        named.chain((others > 0).then(|| format!("{others} more"))).collect::<Vec<_>>().join(", ")
    }

    /// What there is to say of a pipe that connects nothing: `no process writes, and no holder reads: make (1), sh (2)`.
    fn beside(&self, flow: &Flow) -> Vec<String> {
        if !flow.unused {
            return self.shared(flow);
        }
        let pids: BTreeSet<Pid> = flow.readers.iter().map(|it| it.pid).chain(flow.apart_pids()).collect();
        let names = if pids.len() > MANY {
            self.commands(pids.into_iter())
        } else {
            pids.into_iter().map(|pid| self.process_name(pid)).collect::<Vec<_>>().join(", ")
        };
        let writer = match flow.absence {
            Some(other) => absent(other),
            None => absent(Absence::Nobody),
        };
        vec![format!("{writer} writes, and no holder reads: {names}")]
    }

    /// `3 processes hold both ends: a (1), b (2), c (3)`, and those with one end, of a pipe without a direction.
    fn shared(&self, flow: &Flow) -> Vec<String> {
        let mut sides: BTreeMap<Pid, [bool; 2]> = BTreeMap::new();
        for copy in &flow.apart {
            let [reads, writes] = sides.entry(copy.end.pid).or_default();
            *reads |= copy.end.access.is_on(Side::Read);
            *writes |= copy.end.access.is_on(Side::Write);
        }
        let words =
            [([true, true], "both ends"), ([true, false], "only the read end"), ([false, true], "only the write end")];
        let line = |(held, words): ([bool; 2], &str)| {
            let pids: Vec<Pid> = sides.iter().filter(|(_, sides)| **sides == held).map(|(pid, _)| *pid).collect();
            let (noun, verb) = if pids.len() == 1 { ("process", "holds") } else { ("processes", "hold") };
            let names = if pids.len() > MANY {
                self.commands(pids.iter().copied())
            } else {
                pids.iter().map(|pid| self.process_name(*pid)).collect::<Vec<_>>().join(", ")
            };
            (!pids.is_empty()).then(|| format!("{} {noun} {verb} {words}: {names}", pids.len()))
        };
        words.into_iter().filter_map(line).collect()
    }

    /// The ends of a pipe beside its flow that are drawn one by one, those that are leaked first; and, of many, how many processes hold
    /// such an end.
    fn copies<'b>(&self, flow: &'b Flow) -> (Vec<&'b InheritedCopy>, Option<String>) {
        let pids = flow.apart_pids();
        let is_many = pids.len() > MANY;
        let mut shown: Vec<&InheritedCopy> = flow.apart.iter().filter(|copy| copy.leaked || !is_many).collect();
        shown.sort_by_key(|copy| !copy.leaked);
        shown.truncate(2 * MANY);
        let rest = is_many.then(|| format!("{} processes ({})", pids.len(), self.commands(pids.iter().copied())));
        (shown, rest)
    }

    /// What an arrow goes through, where the nodes at its ends do not show it.
    fn way(&self, arrow: &Arrow<'_>) -> String {
        match arrow.through {
            Through::Processes(count) => format!("through {count} processes"),
            Through::Pipe(flow, ..) if flow.is_junction() => String::new(),
            Through::Pipe(flow, writer, reader) => {
                let name = self.pipe_name(flow.pipe);
                descriptors(writer, reader).map_or_else(|| name.clone(), |fds| format!("{name} {fds}"))
            }
        }
    }
}

/// The descriptors that data go through, where those are not the standard output and the standard input: `2→5`.
fn descriptors(writer: Option<&Participant>, reader: Option<&Participant>) -> Option<String> {
    let number = |participant: &Participant, side: Side| {
        usual_fd(participant, side).map_or_else(|| "open".to_owned(), |fd| fd.to_string())
    };
    let (from, to) = (number(writer?, Side::Write), number(reader?, Side::Read));
    (from != "1" || to != "0").then(|| format!("{from}→{to}"))
}

/// The descriptor by which a process is most likely to use a side; none while it is blocked in open(2).
fn usual_fd(participant: &Participant, side: Side) -> Option<Fd> {
    let usual: &[u32] = if side == Side::Read { &[0] } else { &[1, 2] };
    usual
        .iter()
        .map(|fd| Fd(*fd))
        .find(|fd| participant.fds.binary_search(fd).is_ok())
        .or_else(|| participant.fds.first().copied())
}

/// `no reader`, or that it is not seen.
fn absent_node(flow: &Flow, side: Side) -> String {
    match flow.absence {
        Some(Absence::Nobody) | None => format!("no {}", side.holder()),
        Some(other) => absent(other).to_owned(),
    }
}

const fn absent(absence: Absence) -> &'static str {
    match absence {
        Absence::Nobody => "no process",
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

fn mark(mark: &Mark) -> String {
    let words = match mark.kind {
        MarkKind::Deadlock => "deadlock",
        MarkKind::SelfDeadlock => "self-deadlock",
        MarkKind::Behind => "stuck behind a deadlock",
        MarkKind::BlockedWriter => "blocked in write",
        MarkKind::StalledReader => "does not read",
        MarkKind::NoEndOfFile => "will not see EOF",
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
