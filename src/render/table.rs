//! The layout of tables: fitted to a terminal, or a line a row for grep and awk.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::columns::{Column, Row};
use super::text::{Ink, paint, width};
use super::{Sheet, Style};

/// Off a terminal, a cell longer than this shifts the rest of its row, rather than every row of the table.
const WIDEST_PADDING: usize = 36;

/// A table of more rows is not read on a screen, and to fit it to one takes a lot of memory.
const MOST_FITTED: usize = 2000;

/// What stands between two columns.
const GAP: &str = "  ";

/// The same on a terminal, as a number of columns.
const PADDING: u16 = 2;

/// The width of an end as long as they come: a PID of seven digits, a command of fifteen bytes, a descriptor of four.
const LONGEST_END: u16 = 30;

/// The width that most ends fit.
const USUAL_END: u16 = 18;

/// The width that a list or a path keeps on a narrow terminal, if it is that long.
const LEAST_LONG: u16 = 8;

/// A table: which columns, with or without headings.
pub(super) struct Frame<'a> {
    pub(super) columns: &'a [Column],
    pub(super) headings: bool,
}

impl Sheet<'_> {
    /// Writes a table of the rows. They are asked for twice, so that none of it is held in memory off a terminal.
    pub(super) fn table<'a, R>(&self, frame: &Frame<'_>, rows: R, style: &Style, out: &mut dyn Write) -> io::Result<()>
    where
        R: Fn() -> Box<dyn Iterator<Item = Row<'a>> + 'a>,
    {
        match style.width {
            Some(width) if rows().nth(MOST_FITTED).is_none() => self.fitted(frame, rows(), width, style, out),
            _ => self.aligned(frame, rows, style, out),
        }
    }

    /// Wraps cells, so that the table fits the width and all of it is there.
    fn fitted<'a>(
        &self,
        frame: &Frame<'_>,
        rows: impl Iterator<Item = Row<'a>>,
        width: u16,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        if frame.headings {
            table.set_header(frame.columns.iter().map(|column| heading(*column, style)));
        }
        for row in rows {
            table.add_row(frame.columns.iter().map(|column| {
                let mut text = String::new();
                self.cell(*column, &row, style, &mut text);
                text
            }));
        }
        // What is short stays whole, so that it can be copied, and so does an end, if there is room for it.
        let contents = table.column_max_content_widths();
        let least = |(short, long): (u16, u16)| -> Vec<u16> {
            let most = |column: &Column| if column.is_long() { long } else { short };
            frame.columns.iter().zip(&contents).map(|(column, content)| PADDING + *content.min(&most(column))).collect()
        };
        let choices = [(width, LONGEST_END), (width, USUAL_END), (width, LEAST_LONG), (width / 3, LEAST_LONG)];
        let fitting = choices.into_iter().map(least).find(|least| least.iter().sum::<u16>() <= width);
        for (index, shape) in table.column_iter_mut().enumerate() {
            shape.set_padding((0, PADDING));
            if let Some(least) = fitting.as_ref().and_then(|least| least.get(index)) {
                shape.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*least)));
            }
        }
        for line in table.lines() {
            writeln!(out, "{}", paint(line.trim_end(), style.color))?;
        }
        Ok(())
    }

    /// One line a row, nothing cut, columns aligned as far as that costs little.
    fn aligned<'a, R>(&self, frame: &Frame<'_>, rows: R, style: &Style, out: &mut dyn Write) -> io::Result<()>
    where
        R: Fn() -> Box<dyn Iterator<Item = Row<'a>> + 'a>,
    {
        let mut widths: Vec<usize> = frame.columns.iter().map(|column| column.heading().len()).collect();
        if !frame.headings {
            widths.fill(0);
        }
        let last = frame.columns.len().saturating_sub(1);
        let mut text = String::new();
        for row in rows() {
            for (column, widest) in frame.columns[..last].iter().zip(&mut widths) {
                if *widest >= WIDEST_PADDING {
                    continue;
                }
                text.clear();
                self.cell(*column, &row, style, &mut text);
                *widest = width(&text).min(WIDEST_PADDING).max(*widest);
            }
        }
        let mut line = Line { widths: &widths, text: String::new() };
        if frame.headings {
            line.write(style, out, |index, text| text.push_str(&heading(frame.columns[index], style)))?;
        }
        for row in rows() {
            line.write(style, out, |index, text| self.cell(frame.columns[index], &row, style, text))?;
        }
        Ok(())
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

fn heading(column: Column, style: &Style) -> String {
    let mut text = String::new();
    if style.color {
        Ink::Heading.push(&mut text, column.heading());
    } else {
        text.push_str(column.heading());
    }
    text
}
