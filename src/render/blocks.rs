//! A table that the lines have no room for, as blocks: one for each row, its short values packed into lines, its ends and names on lines of
//! their own.

use std::io::{self, Write};

use super::Style;
use super::fit::{self, DropPriority, GAP, Heading, Wrap};
use super::text::{TextRole, paint, width};

/// A row: its cells, and whether there is something in each.
pub(super) type Cells = Vec<(String, bool)>;

/// Minimum width of ends beside their heading.
const LEAST: usize = 16;

/// The indentation of all lines of a block but its first.
const INDENT: &str = "  ";

pub(super) struct Blocks<'a> {
    pub(super) headings: &'a [Heading],
    /// Whether to print the headings, before the values.
    pub(super) headed: bool,
    pub(super) room: usize,
    pub(super) style: &'a Style,
}

impl Blocks<'_> {
    pub(super) fn write(&self, rows: &[Cells], out: &mut dyn Write) -> io::Result<()> {
        let label = if self.headed { self.widest_label(rows) } else { 0 };
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            for line in self.block(row, label) {
                writeln!(out, "{}", paint(line.trim_end(), self.style))?;
            }
        }
        Ok(())
    }

    /// The cells of a row that are shown, by whether they are short.
    fn shown<'b>(&'b self, row: &'b Cells, short: bool) -> impl Iterator<Item = (&'b Heading, &'b str)> {
        let is_shown = move |(heading, (_, is_filled)): &(&Heading, &(String, bool))| {
            (*is_filled || heading.priority == DropPriority::Always) && (heading.wrap == Wrap::Never) == short
        };
        self.headings.iter().zip(row).filter(is_shown).map(|(heading, (text, _))| (heading, text.as_str()))
    }

    /// The widest heading of what has lines of its own.
    fn widest_label(&self, rows: &[Cells]) -> usize {
        let labels = rows.iter().flat_map(|row| self.shown(row, false)).map(|(heading, _)| heading.text.len());
        labels.max().unwrap_or(0)
    }

    fn block(&self, row: &Cells, label: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        for (heading, text) in self.shown(row, true) {
            let mut words = String::new();
            if self.headed {
                self.push_heading(heading, &mut words);
                words.push(' ');
            }
            words.push_str(text.trim_start());
            let filled = lines.last().map_or(0, |line| width(line));
            if filled > INDENT.len() && filled + GAP.len() + width(&words) > self.room {
                lines.push(INDENT.to_owned());
            } else if filled > 0 {
                words.insert_str(0, GAP);
            }
            lines.last_mut().into_iter().for_each(|line| line.push_str(&words));
        }
        if lines.last().is_some_and(String::is_empty) {
            lines.clear();
        }
        for (heading, text) in self.shown(row, false) {
            let mut first = INDENT.to_owned();
            if self.headed {
                self.push_heading(heading, &mut first);
                first.extend(std::iter::repeat_n(' ', label - heading.text.len()));
                first.push_str(GAP);
            }
            let beside = width(&first);
            let room = self.room.saturating_sub(beside).max(LEAST);
            // What is copied from two lines is another path.
            let wrapped = if heading.wrap == Wrap::Name { fit::word_lines(text, room) } else { fit::lines(text, room) };
            for (index, line) in wrapped.into_iter().enumerate() {
                let begin = if index == 0 { first.clone() } else { " ".repeat(beside) };
                lines.push(begin + &line);
            }
        }
        lines
    }

    fn push_heading(&self, heading: &Heading, text: &mut String) {
        self.style.push(TextRole::Heading, text, heading.text);
    }
}
