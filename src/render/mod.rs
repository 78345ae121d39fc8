//! From a report to bytes. Everything drawn is drawn from the same [`PipeGraph`]; nothing is looked up or decided here.

pub(crate) mod columns;
mod difference;
mod difference_json;
mod drawing;
mod fit;
mod json;
mod metrics;
mod table;
mod text;
mod why_text;

use std::collections::BTreeSet;
use std::io::{self, Write};

use self::columns::{Column, Row};
use self::fit::Heading;
use self::table::Table;
use self::text::Place;
use crate::findings::pipe_name;
use crate::judge::dataflow::Dataflow;
use crate::model::{Descriptor, Pid, Pipe, PipeGraph, PipeId, Side, Users};
use crate::report::{ReportView, Told};

pub(crate) use self::difference::render_difference;
pub(crate) use self::json::SCHEMA;

/// So many ends are shown one below the other on a terminal.
const FEW_ENDS: usize = 8;

/// How the output looks, depending on where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The width of the terminal; none if the output goes elsewhere.
    pub width: Option<u16>,
    /// Whether to colour.
    pub color: bool,
}

impl Style {
    fn place(&self) -> Place {
        if self.width.is_some() { Place::Line } else { Place::Word }
    }

    /// What stands between the ends of a cell. On a terminal each begins a line, or many a place to wrap at; elsewhere it is no
    /// white space, so that a cell stays one field to awk.
    const fn separator(&self, ends: usize) -> &'static str {
        match self.width {
            None => ";",
            Some(_) if ends <= FEW_ENDS => "\n",
            Some(_) => " ",
        }
    }
}

/// A report in one of its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A row for each pipe.
    Pipes(TableFormat),
    /// A row for each end.
    Ends(TableFormat),
    /// A row for each descriptor of the fd tables that were read.
    Tables {
        /// Whether to print headings.
        headings: bool,
    },
    /// One JSON object.
    Json,
    /// A JSON object for each pipe, one a line.
    Ndjson,
    /// PIDs only, of the holders of these sides.
    Terse(Vec<Side>),
    /// What `why` or an audit says.
    Telling,
    /// What `graph` draws.
    Drawing(DrawingFormat),
    /// What an audit found, in numbers, for Prometheus.
    Metrics,
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
    #[must_use]
    pub fn needs_flags(&self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Telling | Self::Metrics => true,
            Self::Ends(table) => table.columns.contains(&Column::Flags),
            Self::Pipes(_) | Self::Tables { .. } | Self::Terse(_) | Self::Drawing(_) => false,
        }
    }

    /// Whether it has a syntax of its own, and so says by itself that there is nothing.
    #[must_use]
    pub const fn is_for_machines(&self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Metrics => true,
            Self::Drawing(form) => !matches!(form, DrawingFormat::Tree),
            Self::Pipes(_) | Self::Ends(_) | Self::Tables { .. } | Self::Terse(_) | Self::Telling => false,
        }
    }

    /// Whether it shows more of a process than its command.
    #[must_use]
    pub fn needs_facts(&self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Telling | Self::Metrics => true,
            Self::Ends(table) => table.columns.iter().any(|column| column.needs_facts()),
            Self::Pipes(_) | Self::Tables { .. } | Self::Terse(_) | Self::Drawing(_) => false,
        }
    }

    /// Whether it shows names of users.
    #[must_use]
    pub fn needs_users(&self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Drawing(DrawingFormat::Json) => true,
            Self::Ends(table) => table.columns.contains(&Column::User),
            Self::Pipes(_)
            | Self::Tables { .. }
            | Self::Terse(_)
            | Self::Telling
            | Self::Metrics
            | Self::Drawing(_) => false,
        }
    }
}

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFormat {
    /// Which, in which order.
    pub columns: Vec<Column>,
    /// Whether they were asked for by their names, so that none may be left out.
    pub asked_for: bool,
    /// Whether to print headings.
    pub headings: bool,
}

/// Writes a report.
///
/// # Errors
///
/// Those of the writer.
pub(crate) fn render(
    graph: &PipeGraph,
    users: &Users,
    told: Option<&Told<'_>>,
    dataflow: Option<&Dataflow>,
    format: &Format,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sheet = ReportView { graph, users, told };
    match format {
        Format::Pipes(table) => sheet.table(table, &|| Box::new(graph.pipes.iter().map(Row::of_pipe)), style, out),
        Format::Ends(table) => sheet.table(table, &|| Box::new(graph.pipes.iter().flat_map(Row::of_ends)), style, out),
        Format::Tables { headings } => sheet.tables(*headings, style, out),
        Format::Json => json::write_object(&sheet.report(), style.width.is_some(), out),
        Format::Ndjson => json::write_lines(&sheet, style.width.is_some(), out),
        Format::Terse(sides) => {
            let ends = graph.pipes.iter().flat_map(|pipe| sides.iter().flat_map(|side| pipe.side(*side)));
            let openers = graph.pipes.iter().flat_map(|pipe| &pipe.openers);
            // The kernel counts them already.
            let openers = openers.filter(|opener| sides.iter().any(|side| opener.access.is_on(*side)));
            let pids: BTreeSet<Pid> = ends.map(|end| end.pid).chain(openers.map(|opener| opener.task.pid)).collect();
            pids.into_iter().try_for_each(|pid| writeln!(out, "{pid}"))
        }
        Format::Metrics => sheet.metrics(out),
        Format::Telling => told.map_or(Ok(()), |told| sheet.tell(told, style, out)),
        Format::Drawing(form) => dataflow.map_or(Ok(()), |dataflow| sheet.draw(dataflow, *form, style, out)),
    }
}

impl ReportView<'_> {
    fn pipe_name(&self, id: PipeId) -> String {
        pipe_name(self.graph, id)
    }

    /// Whole fd tables. PID and TID are columns only where they tell anything.
    fn tables(&self, headings: bool, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let descriptors = &self.graph.descriptors;
        let several = descriptors.windows(2).any(|pair| matches!(pair, [a, b] if a.pid != b.pid));
        let mut columns = Vec::new();
        columns.extend(several.then_some(Column::Pid));
        columns.extend(descriptors.iter().any(|descriptor| descriptor.tid.is_some()).then_some(Column::Tid));
        columns.extend([Column::Fd, Column::Mode, Column::Type, Column::Flags, Column::Target, Column::Ends]);
        let table = TableFormat { columns, asked_for: false, headings };
        self.table(&table, &|| Box::new(descriptors.iter().map(|it| Row::of_descriptor(self.graph, it))), style, out)
    }

    fn table<'a>(
        &self,
        table: &TableFormat,
        rows: &dyn Fn() -> Box<dyn Iterator<Item = Row<'a>> + 'a>,
        style: &Style,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let headings: Vec<Heading> = table.columns.iter().map(|column| column.layout(table.asked_for)).collect();
        let cell = |index: usize, row: &Row<'a>, text: &mut String| self.cell(table.columns[index], row, style, text);
        Table { headings: &headings, headed: table.headings, rows, cell: &cell }.write(style, out)
    }
}

impl<'a> Row<'a> {
    fn of_pipe(pipe: &'a Pipe) -> Self {
        Self { pipe: Some(pipe), end: None, descriptor: None }
    }

    fn of_ends(pipe: &'a Pipe) -> impl Iterator<Item = Self> + 'a {
        pipe.ends.iter().map(move |end| Self { pipe: Some(pipe), end: Some(end), descriptor: None })
    }

    fn of_descriptor(graph: &'a PipeGraph, descriptor: &'a Descriptor) -> Self {
        Self { pipe: descriptor.pipe.and_then(|id| graph.pipe(id)), end: None, descriptor: Some(descriptor) }
    }
}

#[cfg(test)]
mod tests;
