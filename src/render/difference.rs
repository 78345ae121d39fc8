//! How a difference of two reports is shown: as a table with a last line that counts, or as JSON.

use std::borrow::Cow;
use std::io::{self, Write};

use super::columns::push_end;
use super::json::write_object;
use super::table::{Heading, Table};
use super::text::{Ink, push_fmt, push_name};
use super::{Sheet, Style};
use crate::diff::{self, Change, Difference, EndChange, PipeChange};
use crate::model::{Endpoint, Pipe, PipeGraph, Process, Side};
use crate::options::Comparison;
use crate::saved::Saved;
use crate::shape::{self, Command, Count, EndState, Origin, SCHEMA_VERSION, Summary, exact};

const HEADINGS: [Heading; 6] = [
    Heading { text: "CHANGE", long: false },
    Heading { text: "PIPE", long: false },
    Heading { text: "KIND", long: false },
    Heading { text: "READERS", long: true },
    Heading { text: "WRITERS", long: true },
    Heading { text: "NAME", long: true },
];

/// Writes what changed.
///
/// # Errors
///
/// Those of the writer.
pub fn render_difference(
    difference: &Difference,
    old: &Saved,
    new: &Saved,
    comparison: &Comparison,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let both = Both { old, new };
    if comparison.json {
        return write_object(&both.shape(difference), style.width.is_some(), out);
    }
    if !difference.pipes.is_empty() {
        let cell = |index: usize, row: &&PipeChange, text: &mut String| both.cell(index, row, style, text);
        let rows = || -> Box<dyn Iterator<Item = &PipeChange>> { Box::new(difference.pipes.iter()) };
        Table { headings: &HEADINGS, headed: comparison.headings, rows: &rows, cell: &cell }.write(style, out)?;
        writeln!(out)?;
    }
    writeln!(out, "{}", summary(difference))
}

/// The last line: how much changed.
fn summary(difference: &Difference) -> String {
    let (pipes, ends) = (difference.pipes(), difference.ends());
    if difference.pipes.is_empty() {
        return "No pipe or end came, went or changed.".to_owned();
    }
    let words = |what: &str, count: diff::Count| {
        format!("{what}: {} came, {} went, {} changed", count.came, count.went, count.changed)
    };
    format!("{}. {}.", words("Pipes", pipes), words("Ends", ends))
}

/// The two reports.
struct Both<'a> {
    old: &'a Saved,
    new: &'a Saved,
}

impl<'a> Both<'a> {
    /// The report in which something of that change is to be found as it is now, or was last.
    const fn of(&self, change: Change) -> &'a Saved {
        match change {
            Change::Went => self.old,
            Change::Came | Change::Changed => self.new,
        }
    }

    fn cell(&self, index: usize, row: &PipeChange, style: &Style, text: &mut String) {
        let start = text.len();
        let pipe = self.of(row.change).graph.pipe(row.id);
        match index {
            0 => ink(row.change, style, text, row.change.as_str()),
            1 => push_fmt(text, format_args!("{}", row.id)),
            2 => text.push_str(row.id.kind().as_str()),
            3 => self.ends(row, Side::Read, style, text),
            4 => self.ends(row, Side::Write, style, text),
            _ => self.name(row, pipe, style, text),
        }
        if text.len() == start {
            text.push(if row.change == Change::Changed && (3..=4).contains(&index) { '=' } else { '-' });
        }
    }

    /// The ends of a side that changed; those that are on both stand on both.
    fn ends(&self, row: &PipeChange, side: Side, style: &Style, text: &mut String) {
        let is_on = |end: &Endpoint| end.access.is_on(side);
        let on_side = |change: &&EndChange| is_on(&change.end) || change.was.as_ref().is_some_and(is_on);
        let changes: Vec<&EndChange> = row.ends.iter().filter(on_side).collect();
        for (index, change) in changes.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { style.separator(changes.len()) });
            let sign = match change.change {
                Change::Came => "+",
                Change::Went => "-",
                Change::Changed => "~",
            };
            let mut words = sign.to_owned();
            push_end(&self.of(change.change).graph, &change.end, &mut words);
            if let Some(was) = change.was {
                self.what_changed(&was, &change.end, &mut words);
            }
            ink(change.change, style, text, &words);
        }
    }

    /// In what an end differs from what it was: `(was sh,+O_NONBLOCK)`.
    fn what_changed(&self, was: &Endpoint, now: &Endpoint, text: &mut String) {
        let mut parts = Vec::new();
        let holder = |graph: &'a PipeGraph| graph.processes.get(&was.pid);
        if let (Some(before), Some(after)) = (holder(&self.old.graph), holder(&self.new.graph)) {
            if before.command != after.command {
                let mut name = "was:".to_owned();
                push_name(&mut name, &before.command, super::text::Place::Item);
                parts.push(name);
            }
            if before.uid != after.uid {
                let uid = before.uid.map_or_else(|| "?".to_owned(), |uid| uid.to_string());
                parts.push(format!("uid:{uid}"));
            }
        }
        if was.access != now.access {
            parts.push(format!("was:{}", was.access.as_str()));
        }
        if let (Some(before), Some(after)) = (was.flags, now.flags) {
            let has = |flags: crate::model::OpenFlags, name: &str| flags.names().any(|known| known == name);
            parts.extend(after.names().filter(|name| !has(before, name)).map(|name| format!("+{name}")));
            parts.extend(before.names().filter(|name| !has(after, name)).map(|name| format!("-{name}")));
        }
        push_fmt(text, format_args!("({})", parts.join(",")));
    }

    /// The name of a FIFO, and what it was if that changed.
    fn name(&self, row: &PipeChange, pipe: Option<&Pipe>, style: &Style, text: &mut String) {
        let mut full = |pipe: &Pipe| {
            if let Some(path) = &pipe.path {
                push_name(text, path, style.place());
                if pipe.deleted {
                    push_name(text, b" (deleted)", style.place());
                }
            }
        };
        let was = self.old.graph.pipe(row.id).filter(|_| row.change == Change::Changed);
        if let Some(pipe) = pipe {
            full(pipe);
        }
        if let (Some(was), Some(pipe)) = (was, pipe)
            && (&was.path, was.deleted) != (&pipe.path, pipe.deleted)
        {
            text.push_str("(was:");
            let mut full = |pipe: &Pipe| push_name(text, pipe.path.as_deref().unwrap_or(b"-"), style.place());
            full(was);
            text.push(')');
        }
    }

    fn shape(&self, difference: &Difference) -> shape::Difference<'a> {
        let count = |count: diff::Count| Count { came: count.came, went: count.went, changed: count.changed };
        shape::Difference {
            schema_version: SCHEMA_VERSION,
            old: origin(self.old),
            new: origin(self.new),
            same_boot: difference.same_boot,
            summary: Summary { pipes: count(difference.pipes()), ends: count(difference.ends()) },
            pipes: difference.pipes.iter().map(|change| self.pipe(change)).collect(),
        }
    }

    fn pipe(&self, change: &PipeChange) -> shape::PipeChange<'a> {
        let pipe = self.of(change.change).graph.pipe(change.id);
        let path = pipe.and_then(|pipe| pipe.path.as_deref());
        shape::PipeChange {
            change: change.change.as_str().into(),
            id: change.id.to_string(),
            kind: change.id.kind().as_str().into(),
            path: path.map(String::from_utf8_lossy),
            path_bytes: path.and_then(exact),
            deleted: pipe.is_some_and(|pipe| pipe.deleted),
            ends: change.ends.iter().map(|end| self.end(end)).collect(),
        }
    }

    fn end(&self, change: &EndChange) -> shape::EndChange<'a> {
        let saved = self.of(change.change);
        let start = saved.graph.processes.get(&change.end.pid).and_then(|process| process.started_at);
        shape::EndChange {
            change: change.change.as_str().into(),
            pid: change.end.pid.0,
            tid: change.end.tid.map(|tid| tid.0),
            fd: change.end.fd.0,
            started_at: start.map(|time| format!("{time:.3}")),
            now: state(saved, &change.end),
            was: change.was.map(|was| state(self.old, &was)),
        }
    }
}

fn state<'a>(saved: &'a Saved, end: &Endpoint) -> EndState<'a> {
    let process = saved.graph.processes.get(&end.pid);
    let uid = process.and_then(|process| process.uid);
    EndState {
        access: Cow::Borrowed(end.access.as_str()),
        flags: end.flags.map(|flags| flags.names().map(Cow::Borrowed).collect()),
        command: Command::of(process.map_or(&[], |process: &Process| &process.command)),
        uid: uid.map(|uid| uid.0),
        user: uid.and_then(|uid| saved.users.name(uid)).map(Cow::Borrowed),
    }
}

fn origin(saved: &Saved) -> Origin<'_> {
    let sheet = Sheet { graph: &saved.graph, users: &saved.users, told: None };
    Origin { host: sheet.host(), taken_at: sheet.taken_at(), scan: sheet.scan() }
}

fn ink(change: Change, style: &Style, text: &mut String, words: &str) {
    match change {
        _ if !style.color => text.push_str(words),
        Change::Came => Ink::Good.push(text, words),
        Change::Went => Ink::Error.push(text, words),
        Change::Changed => Ink::Warning.push(text, words),
    }
}
