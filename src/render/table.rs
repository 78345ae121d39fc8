//! The layout of tables: fitted to a terminal, or a line a row for grep and awk.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, presets};

use super::Style;
use super::fit::{self, Column, GAP, Heading};
use super::text::{TextRole, paint, width};

/// Off a terminal, a cell longer than this shifts the rest of its row, rather than every row of the table.
const WIDEST_PADDING: usize = 36;

/// What stands between two columns on a terminal, as a number of columns: the width of [`GAP`].
const PADDING: u16 = 2;

/// A table of more rows is not read on a screen, and to fit it to one takes a lot of memory.
const MOST_FITTED: usize = 2000;

/// A table of rows.
pub(super) struct Table<'a, 'r, R> {
    pub(super) headings: &'a [Heading],
    /// Whether to print the headings.
    pub(super) headed: bool,
    /// Asked for twice, so that none of it is held in memory off a terminal.
    pub(super) rows: &'a dyn Fn() -> Box<dyn Iterator<Item = R> + 'r>,
    /// Writes the cell of a row in this column.
    pub(super) cell: &'a dyn Fn(usize, &R, &mut String),
}

impl<R> Table<'_, '_, R> {
    /// Writes it.
    pub(super) fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        match style.width {
            Some(width) if (self.rows)().nth(MOST_FITTED).is_none() => self.fitted(width, style, out),
            _ => self.aligned(style, out),
        }
    }

    /// Wraps cells and leaves columns out, so that the table fits the width.
    fn fitted(&self, width: u16, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let mut columns: Vec<Column> = self.headings.iter().map(|it| Column::new(*it, self.headed)).collect();
        let mut rows: Vec<Vec<String>> = Vec::new();
        for row in (self.rows)() {
            let mut cells = Vec::with_capacity(columns.len());
            for (index, column) in columns.iter_mut().enumerate() {
                let mut text = String::new();
                (self.cell)(index, &row, &mut text);
                column.add(&text);
                cells.push(text);
            }
            rows.push(cells);
        }
        let shown = fit::fit(&columns, width.into());
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.headed {
            table.set_header(shown.iter().map(|(index, _)| self.headings[*index].inked(style)));
        }
        for row in rows {
            table.add_row(shown.iter().map(|(index, width)| fit::lines(&row[*index], *width).join("\n")));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, PADDING));
        }
        for line in table.lines() {
            writeln!(out, "{}", paint(line.trim_end(), style.color))?;
        }
        Ok(())
    }

    /// One line a row, nothing cut, columns aligned as far as that costs little.
    fn aligned(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.text.len()).collect();
        if !self.headed {
            widths.fill(0);
        }
        let last = self.headings.len().saturating_sub(1);
        let mut text = String::new();
        for row in (self.rows)() {
            for (column, widest) in widths.iter_mut().enumerate().take(last) {
                if *widest >= WIDEST_PADDING {
                    continue;
                }
                text.clear();
                (self.cell)(column, &row, &mut text);
                *widest = width(&text).min(WIDEST_PADDING).max(*widest);
            }
        }
        let mut line = Line { widths: &widths, text: String::new() };
        if self.headed {
            line.write(style, out, |index, text| text.push_str(&self.headings[index].inked(style)))?;
        }
        for row in (self.rows)() {
            line.write(style, out, |index, text| (self.cell)(index, &row, text))?;
        }
        Ok(())
    }
}

impl Heading {
    fn inked(self, style: &Style) -> String {
        let mut text = String::new();
        if style.color {
            TextRole::Heading.push(&mut text, self.text);
        } else {
            text.push_str(self.text);
        }
        text
    }
}

/// A line of cells, each filled up to the width of its column.
struct Line<'a> {
    widths: &'a [usize],
    /// Used again for each line.
    text: String,
}

impl Line<'_> {
    fn write(&mut self, style: &Style, out: &mut dyn Write, cell: impl Fn(usize, &mut String)) -> io::Result<()> {
        self.text.clear();
        let last = self.widths.len().saturating_sub(1);
        for (index, widest) in self.widths.iter().enumerate() {
            let start = self.text.len();
            cell(index, &mut self.text);
            if index < last {
                let missing = widest.saturating_sub(width(&self.text[start..]));
                self.text.extend(std::iter::repeat_n(' ', missing));
                self.text.push_str(GAP);
            }
        }
        self.text.push('\n');
        if style.color {
            out.write_all(paint(&self.text, true).as_bytes())
        } else {
            out.write_all(self.text.as_bytes())
        }
    }
}
