//! The options that say what is read and how the output looks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::value::{self, Columns};
use super::{OUTPUT, SOURCE};
use crate::model::{Backend, CostLimits, Side};
use crate::render::columns::{Column, Subject};
use crate::render::{CsvRows, Format, TableFormat};
use crate::report_file::ReportFile;

/// Where the kernel shows the processes of this machine.
const PROC_ROOT: &str = "/proc";

/// The columns of the default table.
const PIPE_COLUMNS: [Column; 5] = [Column::Pipe, Column::Kind, Column::Readers, Column::Writers, Column::Name];

/// The columns of `--endpoints`.
const END_COLUMNS: [Column; 12] = [
    Column::Pid,
    Column::Tid,
    Column::User,
    Column::Command,
    Column::Fd,
    Column::Mode,
    Column::Flags,
    Column::Pipe,
    Column::Kind,
    Column::Peers,
    Column::Shared,
    Column::Name,
];

/// The columns of `fds`, after PID and TID where these differ; in comma-separated values, both are always there.
const FDS_COLUMNS: [Column; 9] = [
    Column::Fd,
    Column::Mode,
    Column::Type,
    Column::Flags,
    Column::Polled,
    Column::Peers,
    Column::Shared,
    Column::Details,
    Column::Target,
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

    /// Print comma-separated values, as in RFC 4180
    #[arg(long)]
    csv: bool,

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

/// How `fds` prints its list.
#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
pub(super) struct FdsTableArgs {
    /// Show these columns, or add them if a + comes first; see --list-columns
    #[arg(short, long, value_name = "COLUMNS", value_hint = ValueHint::Other, value_parser = value::fds_columns, allow_hyphen_values = true, action = ArgAction::Append)]
    output: Vec<Columns>,

    /// List the columns that --output accepts
    #[arg(short = 'H', long)]
    pub(super) list_columns: bool,

    /// Print comma-separated values, as in RFC 4180
    #[arg(long)]
    csv: bool,
}

impl FdsTableArgs {
    pub(super) fn format(&self, output: &OutputOptions) -> Format {
        let is_default = self.output.iter().all(|columns| columns.append);
        let ids = [Column::Pid, Column::Tid].into_iter().filter(|_| self.csv);
        let columns = if is_default { ids.chain(FDS_COLUMNS).collect() } else { Vec::new() };
        let columns = with_columns(columns, &self.output);
        let table = TableFormat { columns, asked_for: !self.output.is_empty(), headings: !output.noheadings };
        if self.csv {
            return Format::Csv { table, rows: CsvRows::Descriptors };
        }
        Format::Tables { table, ids: is_default }
    }
}

/// The columns with those that were asked for, each once.
fn with_columns(mut columns: Vec<Column>, asked: &[Columns]) -> Vec<Column> {
    for column in asked.iter().flat_map(|asked| &asked.columns) {
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    columns
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

    /// Fit the output to this number of columns, also in a pipe or file
    ///
    /// On a terminal, its width if not given. Elsewhere, lines are fitted to the variable COLUMNS if it is exported, as watch(1) does, and
    /// with --color=always; otherwise, each row is one line.
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub width: Option<u16>,

    /// Name every end, also where many processes of one command hold one
    #[arg(long, global = true)]
    pub full: bool,

    /// Do not pass output that is longer than the screen to a pager
    ///
    /// The pager is `LSPIPE_PAGER`, PAGER or less, with LESS=FRX if that variable is not set.
    #[arg(long, global = true)]
    pub no_pager: bool,

    /// Choose when to use color
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,

    /// Show numeric user IDs (looking up names can block)
    #[arg(short = 'l', long, global = true)]
    pub numeric_uid: bool,

    /// Suppress the notes on stderr
    #[arg(short, long, short_alias = 'w', global = true)]
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

    /// Choose how open files are listed (auto if neither this nor `LSPIPE_BACKEND` says otherwise)
    ///
    /// The kernel's own list is several times as fast where many files are open, also has processes that may not be read, and counts the
    /// ends of each pipe, so that one that no fd table shows is known to exist. It takes the capabilities `cap_bpf` and `cap_perfmon`.
    #[arg(long, value_name = "BACKEND", default_value = "auto", hide_default_value = true, global = true)]
    pub backend: BackendName,

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

/// How open files are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BackendName {
    /// By the kernel where it can, else by /proc
    #[default]
    Auto,
    /// By walking the fd tables in /proc
    Proc,
    /// By the kernel itself (BPF); an error where it cannot
    Bpf,
}

impl BackendName {
    /// The environment variable that has another default.
    pub(super) const VARIABLE: &'static str = "LSPIPE_BACKEND";

    /// The one that is wanted; none for the best that is to be had.
    #[must_use]
    pub const fn backend(self) -> Option<Backend> {
        match self {
            Self::Auto => None,
            Self::Proc => Some(Backend::Proc),
            Self::Bpf => Some(Backend::Bpf),
        }
    }
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
        Self {
            repeat: None,
            proc: PROC_ROOT.into(),
            backend: BackendName::Auto,
            budget: CostLimits::default(),
            from: None,
        }
    }
}

impl OutputOptions {
    pub(super) fn json_or(&self, format: Format) -> Format {
        if self.json { Format::Json } else { format }
    }
}

impl TableArgs {
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
        let columns =
            if self.output.iter().any(|columns| !columns.append) { Vec::new() } else { self.default_columns(of_ends) };
        let columns = with_columns(columns, &self.output);
        let table = TableFormat { columns, asked_for: !self.output.is_empty(), headings: !output.noheadings };
        let rows = if of_ends { CsvRows::Ends } else { CsvRows::Pipes };
        match (self.csv, of_ends) {
            (true, _) => Format::Csv { table, rows },
            (false, true) => Format::Ends(table),
            (false, false) => Format::Pipes(table),
        }
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
