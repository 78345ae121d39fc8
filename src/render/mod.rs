//! From a report to bytes. Everything is drawn from one [`ReportView`]; nothing is looked up on the machine or judged here.

mod blocks;
pub(crate) mod columns;
mod csv;
mod difference;
mod difference_json;
mod drawing;
mod fit;
mod json;
mod lists;
mod metrics;
mod table;
mod text;
mod why_text;
mod wrapped;

use std::collections::BTreeSet;
use std::io::{self, Write};

use self::columns::{Column, FirstEnds, Row};
use self::fit::Heading;
use self::table::Table;
use self::text::{EscapeContext, TextRole};
use crate::findings::pipe_name;
use crate::model::{Pid, PipeGraph, PipeId, Side};
use crate::report::ReportView;

pub(crate) use self::difference::Both;
pub(crate) use self::fit::lines as wrap;
pub(crate) use self::json::SCHEMA;
pub use self::lists::{explain, list_columns};

/// Maximum number of ends that stand one below the other in a cell of a fitted table; more are wrapped, and those of one command are folded.
const FEW_ENDS: usize = 8;

/// How the output looks, depending on where it goes. The default is that of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// The width in columns that lines are fitted to; none for one line a row.
    pub width: Option<u16>,
    /// The number of lines of the terminal; none if the output goes elsewhere.
    pub rows: Option<u16>,
    /// Whether to use color.
    pub color: bool,
    /// Whether to draw with ASCII alone.
    pub ascii: bool,
    /// Whether a fitted cell names each end, however many processes of one command hold one.
    pub full: bool,
}

impl Style {
    const fn is_terminal(&self) -> bool {
        self.rows.is_some()
    }

    const fn is_fitted(&self) -> bool {
        self.width.is_some()
    }

    /// Whether a command with many ends in a cell is named once.
    const fn folds(&self) -> bool {
        self.is_fitted() && !self.full
    }

    const fn context(&self) -> EscapeContext {
        if self.is_fitted() { EscapeContext::Cell } else { EscapeContext::Word }
    }

    const fn item_context(&self) -> EscapeContext {
        if self.is_fitted() { EscapeContext::CellItem } else { EscapeContext::Item }
    }

    /// Between the ends of a cell. In a fitted table each end begins a line, or many stand between blanks to wrap at; elsewhere there is no
    /// white space, so that a cell stays one field for awk.
    const fn separator(&self, ends: usize) -> &'static str {
        match self.width {
            None => ";",
            Some(_) if ends <= FEW_ENDS => "\n",
            // A command may hold one blank.
            Some(_) => "  ",
        }
    }

    fn push(&self, role: TextRole, text: &mut String, words: &str) {
        if self.color {
            role.push(text, words);
        } else {
            text.push_str(words);
        }
    }
}

/// An output format with what it takes to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A table with one row per pipe.
    Pipes(TableFormat),
    /// A table with one row per end.
    Ends(TableFormat),
    /// Comma-separated values.
    Csv {
        /// The columns.
        table: TableFormat,
        /// What has a row.
        rows: CsvRows,
    },
    /// A table with one row per descriptor of the fd tables that were read.
    Tables {
        /// The columns.
        table: TableFormat,
        /// Whether PID and TID come before them, where these differ.
        ids: bool,
    },
    /// One JSON object.
    Json,
    /// One JSON object per pipe, or per finding of `why` or an audit, each on a line.
    Ndjson,
    /// The PIDs of the holders of these sides, one per line.
    Terse(Vec<Side>),
    /// The findings of `why` or an audit as text.
    Text,
    /// The pipelines of `graph`.
    Drawing(DrawingFormat),
    /// The findings of an audit as metrics for Prometheus.
    Metrics,
}

/// What has a row in comma-separated values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvRows {
    /// Each pipe.
    Pipes,
    /// Each end.
    Ends,
    /// Each descriptor of the fd tables that were read.
    Descriptors,
}

/// The output formats of `lspipe graph`. The comments are its help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum DrawingFormat {
    /// Text for a terminal, one line for each process
    #[default]
    Tree,
    /// Graphviz, see dot(1)
    Dot,
    /// Mermaid, for Markdown pages
    Mermaid,
    /// Nodes and edges, as one JSON object
    Json,
}

impl Format {
    /// Whether it shows the flags of ends, which cost more to read than the rest of them.
    pub(crate) fn needs_flags(&self) -> bool {
        self.shows(|column| column == Column::Flags)
    }

    /// Whether it shows which ends are waited for.
    pub(crate) fn shows_polled(&self) -> bool {
        let (Self::Ends(table) | Self::Csv { table, .. }) = self else { return false };
        table.columns.contains(&Column::Polled)
    }

    /// A column of which nothing is known, since only the kernel knows it and was not asked.
    pub(crate) fn unknown_column(&self, graph: &PipeGraph) -> Option<Column> {
        let (Self::Pipes(table) | Self::Ends(table)) = self else { return None };
        table.columns.iter().copied().find(|column| column.is_unknown(graph))
    }

    /// Whether it shows more of a process than its command.
    pub(crate) fn needs_facts(&self) -> bool {
        self.shows(Column::needs_facts)
    }

    /// Whether it shows names of users beyond those in the messages of findings.
    pub(crate) fn needs_users(&self) -> bool {
        match self {
            Self::Text | Self::Metrics => false,
            Self::Drawing(form) => *form == DrawingFormat::Json,
            Self::Json
            | Self::Ndjson
            | Self::Pipes(_)
            | Self::Ends(_)
            | Self::Csv { .. }
            | Self::Tables { .. }
            | Self::Terse(_) => self.shows(|column| column == Column::User),
        }
    }

    /// Whether it has a column of this kind, or shows everything.
    fn shows(&self, is_wanted: impl Fn(Column) -> bool) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Text | Self::Metrics => true,
            Self::Ends(table) | Self::Csv { table, .. } | Self::Tables { table, .. } => {
                table.columns.iter().any(|column| is_wanted(*column))
            }
            Self::Pipes(_) | Self::Terse(_) | Self::Drawing(_) => false,
        }
    }

    /// Whether it is valid only when it is written in full, even if there is nothing to list.
    pub(crate) const fn is_for_machines(&self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Csv { .. } | Self::Metrics => true,
            Self::Drawing(form) => !matches!(form, DrawingFormat::Tree),
            Self::Pipes(_) | Self::Ends(_) | Self::Tables { .. } | Self::Terse(_) | Self::Text => false,
        }
    }
}

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFormat {
    /// From left to right.
    pub columns: Vec<Column>,
    /// Whether they were asked for by name, so that none is dropped to fit the terminal.
    pub asked_for: bool,
    /// Whether to print headings.
    pub headings: bool,
}

impl<'a> ReportView<'a> {
    pub(crate) fn render(&self, format: &Format, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let graph = self.graph;
        match format {
            Format::Pipes(table) => self.table(table, graph.pipes.iter().map(Row::of_pipe), style, out),
            Format::Ends(table) => {
                let style = Style { full: true, ..*style };
                self.table(table, graph.pipes.iter().flat_map(Row::of_ends), &style, out)
            }
            Format::Csv { table, rows } => match rows {
                CsvRows::Pipes => self.csv(table, graph.pipes.iter().map(Row::of_pipe), out),
                CsvRows::Ends => self.csv(table, graph.pipes.iter().flat_map(Row::of_ends), out),
                CsvRows::Descriptors => {
                    self.csv(table, graph.descriptors.iter().map(|it| Row::of_descriptor(graph, it)), out)
                }
            },
            Format::Tables { table, ids } => self.tables(table, *ids, style, out),
            Format::Json => json::write_object(&self.report(), style, out),
            Format::Ndjson => self.write_lines(out),
            Format::Terse(sides) => {
                let holders = |side: &Side| graph.pipes.iter().flat_map(|pipe| pipe.on(*side)).collect::<Vec<Pid>>();
                let pids: BTreeSet<Pid> = sides.iter().flat_map(holders).collect();
                pids.into_iter().try_for_each(|pid| writeln!(out, "{pid}"))
            }
            Format::Metrics => self.metrics(out),
            Format::Text => self.judgment.map_or(Ok(()), |judgment| self.write_text(&judgment, style, out)),
            Format::Drawing(form) => self.dataflow.map_or(Ok(()), |dataflow| self.draw(dataflow, *form, style, out)),
        }
    }

    fn pipe_name(&self, id: PipeId) -> String {
        pipe_name(self.graph, id)
    }

    /// Whole fd tables. PID and TID are columns only where they differ, unless they are asked for.
    fn tables(&self, table: &TableFormat, ids: bool, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let descriptors = &self.graph.descriptors;
        let several = descriptors.windows(2).any(|pair| matches!(pair, [a, b] if a.pid != b.pid));
        let has_threads = descriptors.iter().any(|descriptor| descriptor.tid.is_some());
        let of_ids = [(Column::Pid, several), (Column::Tid, has_threads)];
        let of_ids = of_ids.into_iter().filter(|(column, differ)| ids && *differ && !table.columns.contains(column));
        let columns = of_ids.map(|(column, _)| column).chain(table.columns.iter().copied()).collect();
        let table = TableFormat { columns, ..*table };
        self.table(&table, descriptors.iter().map(|it| Row::of_descriptor(self.graph, it)), style, out)
    }

    fn table(
        &self,
        table: &TableFormat,
        rows: impl Iterator<Item = Row<'a>> + Clone,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let headings: Vec<Heading> = table.columns.iter().map(|column| column.layout(table.asked_for)).collect();
        let first_ends = FirstEnds::new(style);
        let write = |index: usize, row: &Row<'a>, text: &mut String| {
            self.cell(table.columns[index], row, &first_ends, style, text)
        };
        Table { headings: &headings, headed: table.headings, rows, write }.write(style, out)
    }
}

#[cfg(test)]
mod tests;
