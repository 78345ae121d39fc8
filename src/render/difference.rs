//! How a difference of two reports is shown: as a table with a last line that counts, or as JSON.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::columns::{path_name, push_absent, push_end};
use super::fit::{DropPriority, Heading, Wrap};
use super::json::write_object;
use super::table::Table;
use super::text::{EscapeContext, TextRole, push_fmt, push_name};
use super::wrapped::WrappedLine;
use super::{ReportView, Style};
use crate::diff::{Change, Count, Difference, EndChange, PipeChange};
use crate::judge::side;
use crate::model::{Endpoint, OpenFlags, Pipe, PipeGraph, Side};

const HEADINGS: [Heading; 5] = [
    Heading { text: "+-~", wrap: Wrap::Never, priority: DropPriority::Always },
    Heading { text: "PIPE", wrap: Wrap::Never, priority: DropPriority::Always },
    Heading { text: "READERS", wrap: Wrap::Ends, priority: DropPriority::Always },
    Heading { text: "WRITERS", wrap: Wrap::Ends, priority: DropPriority::Always },
    Heading { text: "NAME", wrap: Wrap::Name, priority: DropPriority::UnlessEmpty },
];

/// Maximum number of unchanged ends of a side that are shown beside those that changed; the rest is counted.
const MOST_OTHERS: usize = 4;

/// Two reports that are compared.
pub(crate) struct Both<'a> {
    pub(crate) old: ReportView<'a>,
    pub(crate) new: ReportView<'a>,
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

impl<'a> Both<'a> {
    pub(crate) fn render(
        &self,
        difference: &'a Difference,
        json: bool,
        headings: bool,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if json {
            return write_object(&self.json(difference), style, out);
        }
        if !difference.pipes.is_empty() {
            let write = |index: usize, row: &&PipeChange, text: &mut String| self.cell(index, row, style, text);
            Table { headings: &HEADINGS, headed: headings, rows: difference.pipes.iter(), write }.write(style, out)?;
            writeln!(out)?;
        }
        WrappedLine::new("", "", summary(difference)).write(style, out)
    }

    /// The report that shows something with this change as it is now, or was last.
    pub(super) const fn of(&self, change: Change) -> &ReportView<'a> {
        match change {
            Change::Went => &self.old,
            Change::Came | Change::Changed => &self.new,
        }
    }

    /// Returns whether there is something in the cell.
    fn cell(&self, index: usize, row: &PipeChange, style: &Style, text: &mut String) -> bool {
        let start = text.len();
        let pipe = self.of(row.change).graph.pipe(row.id);
        match (index, pipe) {
            (0, _) => style.push(role(row.change), text, &format!("{}{}", sign(row.change), doubt(row.certain))),
            (1, _) => push_fmt(text, format_args!("{}", row.id)),
            (2, Some(pipe)) => self.ends(row, pipe, Side::Read, style, text),
            (3, Some(pipe)) => self.ends(row, pipe, Side::Write, style, text),
            (_, Some(pipe)) => self.name(row, pipe, style, text),
            (_, None) => {}
        }
        let is_filled = text.len() > start;
        text.push_str(if is_filled { "" } else { "-" });
        is_filled
    }

    /// The ends of a side: first those that changed, then others, which show what else is there.
    fn ends(&self, row: &PipeChange, pipe: &Pipe, side: Side, style: &Style, text: &mut String) {
        let graph = self.of(row.change).graph;
        // Each has the color of its change.
        let plain = Style { color: false, ..*style };
        let is_on = |end: &Endpoint| end.access.is_on(side);
        let changes = row.ends.iter().filter(|change| is_on(&change.end) || change.was.as_ref().is_some_and(is_on));
        let here = row.ends.iter().filter(|change| change.change != Change::Went || row.change == Change::Went);
        let changed: BTreeSet<_> = here.map(|change| change.end.key()).collect();
        let others: Vec<&Endpoint> = pipe.side(side).filter(|end| !changed.contains(&end.key())).collect();
        let mut items: Vec<(TextRole, String)> =
            changes.map(|change| (role(change.change), self.changed_end_words(change, &plain))).collect();
        items.extend(others.iter().take(MOST_OTHERS).map(|end| {
            let mut words = "=".to_owned();
            push_end(graph, end, &plain, &mut words);
            (TextRole::Faint, words)
        }));
        if let Some(more @ 1..) = others.len().checked_sub(MOST_OTHERS) {
            items.push((TextRole::Faint, format!("=+{more}")));
        }
        if items.is_empty() {
            return push_absent(side::unseen(graph, pipe, &[side]), style, text);
        }
        for (index, (role, words)) in items.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { style.separator(items.len()) });
            style.push(*role, text, words);
        }
    }

    /// An end with its changes: `~252,grep,0r(was:sh,+O_NONBLOCK)`.
    fn changed_end_words(&self, change: &EndChange, style: &Style) -> String {
        let mut text = format!("{}{}", sign(change.change), doubt(change.certain));
        push_end(self.of(change.change).graph, &change.end, style, &mut text);
        let (Some(was), now) = (change.was, change.end) else { return text };
        let mut parts = Vec::new();
        let holder = |graph: &'a PipeGraph| graph.processes.get(&was.pid);
        if let (Some(before), Some(after)) = (holder(self.old.graph), holder(self.new.graph)) {
            if before.command != after.command {
                parts.push(was_name(&before.command, style.item_context()));
            }
            if before.uid != after.uid {
                parts.push(format!("uid:{}", before.uid.map_or_else(|| "?".to_owned(), |uid| uid.to_string())));
            }
        }
        if was.access != now.access {
            parts.push(format!("was:{}", was.access));
        }
        if let (Some(before), Some(after)) = (was.flags, now.flags) {
            let has = |flags: OpenFlags, name: &str| flags.names().any(|known| known == name);
            parts.extend(after.names().filter(|name| !has(before, name)).map(|name| format!("+{name}")));
            parts.extend(before.names().filter(|name| !has(after, name)).map(|name| format!("-{name}")));
        }
        push_fmt(&mut text, format_args!("({})", parts.join(",")));
        text
    }

    /// The name of a FIFO with its changes: `/run/b(was:/run/a)`, `/run/a(+deleted)`.
    fn name(&self, row: &PipeChange, pipe: &Pipe, style: &Style, text: &mut String) {
        let was = self.old.graph.pipe(row.id).filter(|_| row.change == Change::Changed).unwrap_or(pipe);
        if let Some(name) = path_name(pipe, was.deleted && pipe.deleted) {
            push_name(text, &name, style.context());
        }
        let mut parts = Vec::new();
        if was.path != pipe.path {
            parts.push(was_name(was.path.as_deref().unwrap_or(b"-"), style.context()));
        }
        if was.deleted != pipe.deleted {
            parts.push(format!("{}deleted", if pipe.deleted { '+' } else { '-' }));
        }
        if !parts.is_empty() {
            push_fmt(text, format_args!("({})", parts.join(",")));
        }
    }
}

fn was_name(name: &[u8], context: EscapeContext) -> String {
    let mut text = "was:".to_owned();
    push_name(&mut text, name, context);
    text
}

const fn sign(change: Change) -> &'static str {
    match change {
        Change::Came => "+",
        Change::Went => "-",
        Change::Changed => "~",
    }
}

const fn doubt(certain: bool) -> &'static str {
    if certain { "" } else { "?" }
}

const fn role(change: Change) -> TextRole {
    match change {
        Change::Came => TextRole::Good,
        Change::Went => TextRole::Error,
        Change::Changed => TextRole::Warning,
    }
}
