//! The layout of tables: fitted to a terminal, or one line per row for grep and awk.

use std::io::{self, Write};

use super::Style;
use super::fit::{self, Column, GAP, Heading};
use super::text::{TextRole, paint, width as width_of};

/// Off a terminal, a cell longer than this shifts the rest of its row, rather than every row of the table.
const WIDEST_PADDING: usize = 36;

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

    /// Wraps cells and drops columns, so that the table fits the width.
    fn fitted(&self, width: u16, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let mut columns: Vec<Column> = self.headings.iter().map(|it| Column::new(*it, self.headed)).collect();
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in self.rows.clone() {
            let cells = columns.iter_mut().enumerate().map(|(index, column)| {
                let mut text = String::new();
                let is_filled = (self.write)(index, &row, &mut text);
                column.add(&text, is_filled);
                text
            });
            rows.push(cells.collect());
        }
        let shown = fit::fit(&columns, width.into());
        let wrapped = |row: Vec<String>| -> Vec<Vec<String>> {
            shown.iter().map(|(index, width)| fit::lines(&row[*index], *width)).collect()
        };
        let headings = shown.iter().map(|(index, _)| vec![self.heading(*index, style)]).collect();
        let rows: Vec<_> = self.headed.then_some(headings).into_iter().chain(rows.into_iter().map(wrapped)).collect();
        let widest = |column: usize| {
            rows.iter().flat_map(|row| &row[column]).map(|line: &String| width_of(line)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..shown.len()).map(widest).collect();
        for row in &rows {
            for line in 0..row.iter().map(Vec::len).max().unwrap_or(0) {
                let mut text = String::new();
                push_cells(&widths, &mut text, |column, text| {
                    text.push_str(row[column].get(line).map_or("", String::as_str));
                });
                writeln!(out, "{}", paint(text.trim_end(), style.color))?;
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
            if style.color { out.write_all(paint(&text, true).as_bytes()) } else { out.write_all(text.as_bytes()) }
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
