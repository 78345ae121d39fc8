//! The options that say what is read and how the output looks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::value::{self, Columns};
use super::{OUTPUT, SOURCE};
use crate::model::{CostLimits, Side};
use crate::render::columns::{Column, Subject};
use crate::render::{Format, TableFormat};
use crate::report_file::ReportFile;

/// Where the kernel shows the processes of this machine.
const PROC_ROOT: &str = "/proc";

/// The columns of the default table.
const PIPE_COLUMNS: [Column; 5] = [Column::Pipe, Column::Kind, Column::Readers, Column::Writers, Column::Name];

/// The columns of `--endpoints`.
const END_COLUMNS: [Column; 11] = [
    Column::Pid,
    Column::Tid,
    Column::User,
    Column::Command,
    Column::Fd,
    Column::Mode,
    Column::Flags,
    Column::Pipe,
    Column::Kind,
    Column::Ends,
    Column::Name,
];

/// What `--probe` adds to either, before the name, which may be long.
const PROBE_COLUMNS: [Column; 2] = [Column::Queued, Column::Capacity];

/// How the report is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
pub(super) struct TableArgs {
    /// Print one row for each end, for use with grep and awk
    #[arg(short, long)]
    endpoints: bool,

    /// Show these columns, or add them if a + comes first; see --list-columns
    ///
    /// The columns from PID on in that list are those of an end, and make one row for each end.
    #[arg(short, long, value_name = "COLUMNS", value_hint = ValueHint::Other, value_parser = value::columns, allow_hyphen_values = true, action = ArgAction::Append)]
    output: Vec<Columns>,

    /// List the columns that --output accepts
    #[arg(short = 'H', long)]
    pub(super) list_columns: bool,

    /// Print one self-contained line of JSON for each pipe
    #[arg(long)]
    ndjson: bool,

    /// Print only the PIDs of the processes that hold an end, one per line
    #[arg(short, long)]
    terse: bool,

    /// Ask the kernel how much data the pipes hold, and whether they have hidden ends
    ///
    /// Adds the columns QUEUED and CAPACITY. Duplicates one end of each pipe that is shown, for microseconds.
    #[arg(long)]
    pub(super) probe: bool,

    /// Print only the PIDs of readers, with --terse
    #[arg(long, requires = "terse")]
    readers: bool,

    /// Print only the PIDs of writers, with --terse
    #[arg(long, requires = "terse")]
    writers: bool,
}

/// How the output looks, whatever the command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub struct OutputOptions {
    /// Print one JSON object
    #[arg(short = 'J', long, global = true)]
    pub json: bool,

    /// Omit the headings
    #[arg(short, long, global = true)]
    pub noheadings: bool,

    /// Choose when to use color
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,

    /// Show numeric user IDs (looking up names can block)
    #[arg(short = 'l', long, global = true)]
    pub numeric_uid: bool,

    /// Suppress the notes on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Exit with status 2 if anything could not be read
    #[arg(long, global = true)]
    pub require_complete: bool,
}

/// What is read, and how often.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = SOURCE)]
pub struct SourceOptions {
    /// Repeat the report, with this pause in between
    #[arg(short, long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = value::seconds, allow_negative_numbers = true, global = true, help_heading = OUTPUT)]
    pub repeat: Option<Duration>,

    /// Read another proc file system, or a directory tree with the same layout
    #[arg(long, value_name = "DIR", default_value = PROC_ROOT, value_hint = ValueHint::DirPath, global = true)]
    pub proc: PathBuf,

    /// Limit what a scan may cost: a time, a size, or both separated by a comma, such as 30s,64M (120s,256M if not given)
    ///
    /// Processes that were not looked at when the time was used up are reported as unreadable. The size limits what processes can make
    /// as long as they like, such as command lines and poll sets. With --repeat and --confirm, both apply to each scan.
    #[arg(long, value_name = "LIMIT", value_hint = ValueHint::Other, value_parser = value::budget, default_value = "120s,256M", hide_default_value = true, allow_negative_numbers = true, global = true)]
    pub budget: CostLimits,

    /// Read a report saved with --json instead of this machine; - is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = value::report_file(), global = true)]
    pub from: Option<ReportFile>,
}

/// When to use color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always, also in a pipe or file
    Always,
    /// Never
    Never,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self { repeat: None, proc: PROC_ROOT.into(), budget: CostLimits::default(), from: None }
    }
}

impl OutputOptions {
    pub(super) fn json_or(&self, format: Format) -> Format {
        if self.json { Format::Json } else { format }
    }
}

impl TableArgs {
    /// A column that only `--probe` fills, named without it.
    pub(super) fn column_without_probe(&self) -> Option<Column> {
        self.columns().find(|column| column.needs_probe() && !self.probe)
    }

    fn columns(&self) -> impl Iterator<Item = Column> {
        self.output.iter().flat_map(|columns| &columns.columns).copied()
    }

    pub(super) fn format(&self, output: &OutputOptions) -> Format {
        if self.ndjson {
            return Format::Ndjson;
        }
        if self.terse {
            let both = self.readers == self.writers;
            let sides = [(Side::Read, self.readers || both), (Side::Write, self.writers || both)];
            return Format::Terse(sides.into_iter().filter(|(_, wanted)| *wanted).map(|(side, _)| side).collect());
        }
        // A column of an end needs one row for each end, with or without --endpoints.
        let of_ends = self.endpoints || self.columns().any(|column| column.subject() == Subject::End);
        let mut columns =
            if self.output.iter().any(|columns| !columns.append) { Vec::new() } else { self.default_columns(of_ends) };
        for column in self.columns() {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let table = TableFormat { columns, asked_for: !self.output.is_empty(), headings: !output.noheadings };
        if of_ends { Format::Ends(table) } else { Format::Pipes(table) }
    }

    fn default_columns(&self, of_ends: bool) -> Vec<Column> {
        let mut columns = if of_ends { END_COLUMNS.to_vec() } else { PIPE_COLUMNS.to_vec() };
        if self.probe {
            // NAME is the last of both.
            let name = columns.len().saturating_sub(1);
            columns.splice(name..name, PROBE_COLUMNS);
        }
        columns
    }
}
