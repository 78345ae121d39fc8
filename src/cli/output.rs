//! The options that say how the output looks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::value::{self, Columns};
use super::{OUTPUT, PROC_ROOT, SOURCE};
use crate::model::Side;
use crate::options::Color;
use crate::render::columns::{Column, Subject};
use crate::render::{Format, TableFormat};

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

#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
pub(super) struct OutputArgs {
    /// Print a row for each end, made for grep and awk
    #[arg(short, long, conflicts_with_all = ["json", "ndjson", "terse"])]
    pub(super) endpoints: bool,

    /// Show these columns, or with a + these more; see --list-columns
    ///
    /// A column of an end, which are those from PID on in that list, makes a row for each end.
    #[arg(short, long, value_name = "COLUMNS", value_hint = ValueHint::Other, value_parser = value::columns, allow_hyphen_values = true, action = ArgAction::Append, conflicts_with_all = ["json", "ndjson", "terse"])]
    pub(super) output: Vec<Columns>,

    /// List the columns that --output knows
    #[arg(short = 'H', long)]
    pub(super) list_columns: bool,

    /// Print a line of JSON for each pipe, complete in itself
    #[arg(long, conflicts_with_all = ["json", "terse"])]
    pub(super) ndjson: bool,

    /// Print only the PIDs of all that hold an end, one per line
    #[arg(short, long, conflicts_with = "json")]
    pub(super) terse: bool,

    /// Ask the kernel what is in the pipes, and whether hidden ends exist
    ///
    /// Adds the columns QUEUED and CAPACITY. Takes a duplicate of an end of each pipe that is shown, for microseconds.
    #[arg(long, conflicts_with = "terse")]
    pub(super) probe: bool,

    /// With --terse: only those that read
    #[arg(long, requires = "terse")]
    pub(super) readers: bool,

    /// With --terse: only those that write
    #[arg(long, requires = "terse")]
    pub(super) writers: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
pub(super) struct SharedArgs {
    /// Print one JSON object
    #[arg(short = 'J', long, global = true)]
    pub(super) json: bool,

    /// Omit the headings
    #[arg(short, long, global = true)]
    pub(super) noheadings: bool,

    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(super) color: When,

    /// Repeat the report, with this pause
    #[arg(short, long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = value::seconds, allow_negative_numbers = true, global = true)]
    pub(super) repeat: Option<Duration>,

    /// Show numeric user IDs (looking up names can block)
    #[arg(short = 'l', long, global = true)]
    pub(super) numeric_uid: bool,

    /// Print no notes on stderr
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,

    /// Fail with status 2 if anything could not be read
    #[arg(long, global = true)]
    pub(super) require_complete: bool,

    /// Read another proc file system, or a directory tree like one
    #[arg(long, value_name = "DIR", default_value = PROC_ROOT, value_hint = ValueHint::DirPath, global = true, help_heading = SOURCE)]
    pub(super) proc: PathBuf,

    /// Answer from a report that was saved with --json; - is the standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, help_heading = SOURCE)]
    pub(super) from: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Even into a pipe or file
    Always,
    /// Not at all
    Never,
}

impl OutputArgs {
    /// A column that shows what only `--probe` learns, without it.
    pub(super) fn unasked(&self) -> Option<Column> {
        let mut named = self.output.iter().flat_map(|columns| &columns.columns);
        named.find(|column| column.needs_probe() && !self.probe).copied()
    }
}

pub(super) fn format(output: &OutputArgs, shared: &SharedArgs) -> Format {
    if shared.json {
        return Format::Json;
    }
    if output.ndjson {
        return Format::Ndjson;
    }
    if output.terse {
        let both = output.readers == output.writers;
        let sides = [(Side::Read, output.readers || both), (Side::Write, output.writers || both)];
        return Format::Terse(sides.into_iter().filter(|(_, wanted)| *wanted).map(|(side, _)| side).collect());
    }
    // A column of an end needs a row for each end, also where nobody said so.
    let named = || output.output.iter().flat_map(|columns| &columns.columns);
    let of_ends = output.endpoints || named().any(|column| column.subject() == Subject::End);
    let usual = |columns: &[Column]| {
        let mut columns = columns.to_vec();
        // NAME is the last of both.
        let place = columns.len().saturating_sub(1);
        columns.splice(place..place, PROBE_COLUMNS.into_iter().filter(|_| output.probe));
        columns
    };
    let mut columns: Vec<Column> = if output.output.iter().any(|columns| !columns.append) {
        Vec::new()
    } else if of_ends {
        usual(&END_COLUMNS)
    } else {
        usual(&PIPE_COLUMNS)
    };
    for column in named() {
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    let table = TableFormat { columns, asked_for: !output.output.is_empty(), headings: !shared.noheadings };
    if of_ends { Format::Ends(table) } else { Format::Pipes(table) }
}

impl From<When> for Color {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}
