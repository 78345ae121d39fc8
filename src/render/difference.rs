//! How a difference of two reports is shown: as a table with a last line that counts, or as JSON.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::columns::push_end;
use super::fit::{DropPriority, Heading, Wrap};
use super::json::write_object;
use super::table::Table;
use super::text::{Place, TextRole, push_fmt, push_name};
use super::{ReportView, Style};
use crate::diff::{Change, Count, Difference, EndChange, PipeChange};
use crate::model::{Endpoint, OpenFlags, Pipe, PipeGraph, Side};
use crate::report_file::Saved;

const HEADINGS: [Heading; 5] = [
    Heading { text: "+-~", wrap: Wrap::Never, worth: DropPriority::Always },
    Heading { text: "PIPE", wrap: Wrap::Never, worth: DropPriority::Always },
    Heading { text: "READERS", wrap: Wrap::Ends, worth: DropPriority::Always },
    Heading { text: "WRITERS", wrap: Wrap::Ends, worth: DropPriority::Always },
    Heading { text: "NAME", wrap: Wrap::Name, worth: DropPriority::UnlessEmpty },
];

/// So many ends of a side that are as they were are shown beside others that are not; of more, the rest is counted.
const MOST_OTHERS: usize = 4;

/// Writes what changed.
///
/// # Errors
///
/// Those of the writer.
pub(crate) fn render_difference(
    difference: &Difference,
    old: &Saved,
    new: &Saved,
    json: bool,
    headings: bool,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let both = Both { old, new };
    if json {
        return write_object(&both.json(difference), style.width.is_some(), out);
    }
    if !difference.pipes.is_empty() {
        let cell = |index: usize, row: &&PipeChange, text: &mut String| both.cell(index, row, style, text);
        let rows = || -> Box<dyn Iterator<Item = &PipeChange>> { Box::new(difference.pipes.iter()) };
        Table { headings: &HEADINGS, headed: headings, rows: &rows, cell: &cell }.write(style, out)?;
        writeln!(out)?;
    }
    writeln!(out, "{}", summary(difference))
}

/// The last line: how much changed.
fn summary(difference: &Difference) -> String {
    if difference.pipes.is_empty() {
        return "No pipe or end came, went or changed.".to_owned();
    }
    let words = |what: &str, count: Count| {
        format!("{what}: {} came, {} went, {} changed", count.came, count.went, count.changed)
            + &match count.uncertain {
                0 => String::new(),
                uncertain => format!(", {uncertain} of which (?) may not be so"),
            }
    };
    format!("{}. {}.", words("Pipes", difference.pipes()), words("Ends", difference.ends()))
}

/// The two reports.
pub(super) struct Both<'a> {
    pub(super) old: &'a Saved,
    pub(super) new: &'a Saved,
}

impl<'a> Both<'a> {
    /// The report in which something of that change is to be found as it is now, or was last.
    pub(super) const fn of(&self, change: Change) -> &'a Saved {
        match change {
            Change::Went => self.old,
            Change::Came | Change::Changed => self.new,
        }
    }

    fn cell(&self, index: usize, row: &PipeChange, style: &Style, text: &mut String) {
        let start = text.len();
        let graph = &self.of(row.change).graph;
        match index {
            0 => ink(row.change, style, text, &format!("{}{}", sign(row.change), doubt(row.certain))),
            1 => push_fmt(text, format_args!("{}", row.id)),
            2 => self.ends(row, Side::Read, style, text),
            3 => self.ends(row, Side::Write, style, text),
            _ => self.name(row, graph.pipe(row.id), style, text),
        }
        if text.len() == start {
            text.push('-');
        }
    }

    /// The ends of a side: first those that are not as they were, then others, so that it is to be seen who is there.
    fn ends(&self, row: &PipeChange, side: Side, style: &Style, text: &mut String) {
        let saved = self.of(row.change);
        let Some(pipe) = saved.graph.pipe(row.id) else { return };
        let is_on = |end: &Endpoint| end.access.is_on(side);
        let on_side = |change: &&EndChange| is_on(&change.end) || change.was.as_ref().is_some_and(is_on);
        let changes: Vec<&EndChange> = row.ends.iter().filter(on_side).collect();
        let here = row.ends.iter().filter(|change| change.change != Change::Went || row.change == Change::Went);
        let changed: BTreeSet<_> = here.map(|change| change.end.key()).collect();
        let others: Vec<&Endpoint> = pipe.side(side).filter(|end| !changed.contains(&end.key())).collect();
        let shown = others.len().min(MOST_OTHERS);
        let items = changes.len() + shown + usize::from(others.len() > shown);
        if items == 0 {
            let sheet = ReportView { graph: &saved.graph, users: &saved.users, told: None };
            return sheet.absent(pipe, &[side], style, text);
        }
        let mut is_first = true;
        let mut push = |words: &str, as_what: Option<Change>| {
            text.push_str(if std::mem::take(&mut is_first) { "" } else { style.separator(items) });
            match as_what {
                Some(change) => ink(change, style, text, words),
                None if style.color => TextRole::Faint.push(text, words),
                None => text.push_str(words),
            }
        };
        for change in changes {
            let mut words = format!("{}{}", sign(change.change), doubt(change.certain));
            push_end(&self.of(change.change).graph, &change.end, &mut words);
            if let Some(was) = change.was {
                self.what_changed(&was, &change.end, &mut words);
            }
            push(&words, Some(change.change));
        }
        for end in others.iter().take(shown) {
            let mut words = "=".to_owned();
            push_end(&saved.graph, end, &mut words);
            push(&words, None);
        }
        if let Some(more @ 1..) = others.len().checked_sub(shown) {
            push(&format!("=+{more}"), None);
        }
    }

    /// In what an end differs from what it was: `(was sh,+O_NONBLOCK)`.
    fn what_changed(&self, was: &Endpoint, now: &Endpoint, text: &mut String) {
        let mut parts = Vec::new();
        let holder = |graph: &'a PipeGraph| graph.processes.get(&was.pid);
        if let (Some(before), Some(after)) = (holder(&self.old.graph), holder(&self.new.graph)) {
            if before.command != after.command {
                let mut name = "was:".to_owned();
                push_name(&mut name, &before.command, Place::Item);
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
            let has = |flags: OpenFlags, name: &str| flags.names().any(|known| known == name);
            parts.extend(after.names().filter(|name| !has(before, name)).map(|name| format!("+{name}")));
            parts.extend(before.names().filter(|name| !has(after, name)).map(|name| format!("-{name}")));
        }
        push_fmt(text, format_args!("({})", parts.join(",")));
    }

    /// The name of a FIFO, and what it was if that changed: `/run/b(was:/run/a)`, `/run/a(+deleted)`.
    fn name(&self, row: &PipeChange, pipe: Option<&Pipe>, style: &Style, text: &mut String) {
        let Some(pipe) = pipe else { return };
        let was = self.old.graph.pipe(row.id).filter(|_| row.change == Change::Changed).unwrap_or(pipe);
        if let Some(path) = &pipe.path {
            push_name(text, path, style.place());
        }
        if was.deleted && pipe.deleted {
            push_name(text, b" (deleted)", style.place());
        }
        let mut parts = Vec::new();
        if was.path != pipe.path {
            let mut name = "was:".to_owned();
            push_name(&mut name, was.path.as_deref().unwrap_or(b"-"), style.place());
            parts.push(name);
        }
        if was.deleted != pipe.deleted {
            parts.push(format!("{}deleted", if pipe.deleted { '+' } else { '-' }));
        }
        if !parts.is_empty() {
            push_fmt(text, format_args!("({})", parts.join(",")));
        }
    }
}

/// What stands before what came, went or changed.
const fn sign(change: Change) -> &'static str {
    match change {
        Change::Came => "+",
        Change::Went => "-",
        Change::Changed => "~",
    }
}

/// What stands behind what may not be so.
const fn doubt(certain: bool) -> &'static str {
    if certain { "" } else { "?" }
}

fn ink(change: Change, style: &Style, text: &mut String, words: &str) {
    match change {
        _ if !style.color => text.push_str(words),
        Change::Came => TextRole::Good.push(text, words),
        Change::Went => TextRole::Error.push(text, words),
        Change::Changed => TextRole::Warning.push(text, words),
    }
}
