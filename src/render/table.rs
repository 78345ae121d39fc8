//! The layout of tables: fitted to a width, or one line per row for grep and awk.

use std::collections::HashMap;
use std::io::{self, Write};

use comfy_table::{ContentArrangement, presets};

use super::Style;
use super::blocks::{Blocks, Cells};
use super::fit::{self, Column, GAP, Heading, Wrap};
use super::text::{TextRole, paint, width as width_of};

/// Off a terminal, a cell longer than this shifts the rest of its row, rather than every row of the table.
const WIDEST_PADDING: usize = 36;

/// The gap between two columns on a terminal, in columns: the width of [`GAP`].
const PADDING: u16 = 2;

/// What stands before a path that there is no room for beside the rest of its row.
const BELOW: &str = "    ";

/// A table of more rows is not read on a screen, and to fit it to one takes a lot of memory.
const MOST_FITTED: usize = 2000;

/// A table of rows. They are iterated over twice, so that none of it is held in memory off a terminal.
pub(super) struct Table<'a, I, W> {
    pub(super) headings: &'a [Heading],
    /// Whether to print the headings.
    pub(super) headed: bool,
    pub(super) rows: I,
    /// Appends the cell of a row in this column, and returns whether there is something in it.
    pub(super) write: W,
}

impl<I, W> Table<'_, I, W>
where
    I: Iterator + Clone,
    W: Fn(usize, &I::Item, &mut String) -> bool,
{
    pub(super) fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        match style.width {
            Some(width) if self.rows.clone().nth(MOST_FITTED).is_none() => self.fitted(width, style, out),
            _ => self.aligned(style, out),
        }
    }

    /// Wraps cells and drops columns, so that the table fits the width; if that is not possible, each row is a block.
    fn fitted(&self, width: u16, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let room = usize::from(width);
        let mut columns: Vec<Column> = self.headings.iter().map(|it| Column::new(*it, self.headed)).collect();
        let mut rows: Vec<Cells> = Vec::new();
        for row in self.rows.clone() {
            let cells = columns.iter_mut().enumerate().map(|(index, column)| {
                let mut text = String::new();
                let is_filled = (self.write)(index, &row, &mut text);
                column.add(&text, is_filled);
                (text, is_filled)
            });
            rows.push(cells.collect());
        }
        let Some(shown) = fit::fit(&columns, room) else {
            return Blocks { headings: self.headings, headed: self.headed, room, style }.write(&rows, out);
        };
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.headed {
            table.set_header(shown.iter().map(|(index, _)| self.heading(*index, style)));
        }
        let mut below: HashMap<usize, String> = HashMap::new();
        let mut height = usize::from(self.headed);
        for row in &mut rows {
            let last = shown.last().and_then(|(index, width)| {
                let cell = &mut row.get_mut(*index)?.0;
                // What is copied from two lines is another path.
                let is_path = self.headings[*index].wrap == Wrap::Name && cell.contains('/') && !cell.contains(' ');
                let is_long = is_path && width_of(cell) > *width;
                is_long.then(|| std::mem::take(cell))
            });
            let cells: Vec<Vec<String>> =
                shown.iter().map(|(index, width)| fit::lines(&row[*index].0, *width)).collect();
            height += cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
            below.extend(last.map(|path| (height, path)));
            table.add_row(cells.iter().map(|lines| lines.join("\n")));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, PADDING));
        }
        for (index, line) in table.lines().enumerate() {
            writeln!(out, "{}", paint(line.trim_end(), style))?;
            if let Some(path) = below.get(&(index + 1)) {
                writeln!(out, "{BELOW}{}", paint(path, style))?;
            }
        }
        Ok(())
    }

    /// One line per row, nothing truncated, columns aligned as far as that costs little.
    fn aligned(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let width_of_heading = |heading: &Heading| if self.headed { heading.text.len() } else { 0 };
        let mut widths: Vec<usize> = self.headings.iter().map(width_of_heading).collect();
        let last = widths.len().saturating_sub(1);
        let mut text = String::new();
        for row in self.rows.clone() {
            for (column, widest) in widths.iter_mut().enumerate().take(last) {
                if *widest < WIDEST_PADDING {
                    text.clear();
                    (self.write)(column, &row, &mut text);
                    *widest = width_of(&text).min(WIDEST_PADDING).max(*widest);
                }
            }
        }
        let mut line = |write: &dyn Fn(usize, &mut String)| {
            text.clear();
            push_cells(&widths, &mut text, write);
            text.push('\n');
            if style.color { out.write_all(paint(&text, style).as_bytes()) } else { out.write_all(text.as_bytes()) }
        };
        if self.headed {
            line(&|index, text| text.push_str(&self.heading(index, style)))?;
        }
        self.rows.clone().try_for_each(|row| {
            line(&|index, text| {
                (self.write)(index, &row, text);
            })
        })
    }

    fn heading(&self, index: usize, style: &Style) -> String {
        let mut text = String::new();
        style.push(TextRole::Heading, &mut text, self.headings[index].text);
        text
    }
}

/// Appends cells, all but the last filled up to the width of its column.
fn push_cells(widths: &[usize], text: &mut String, write: impl Fn(usize, &mut String)) {
    for (index, width) in widths.iter().enumerate() {
        let start = text.len();
        write(index, text);
        if index + 1 < widths.len() {
            let missing = width.saturating_sub(width_of(&text[start..]));
            text.extend(std::iter::repeat_n(' ', missing));
            text.push_str(GAP);
        }
    }
}
