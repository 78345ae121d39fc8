//! What the user asked for, as types: free of clap, and before anything was looked up.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::findings::{Code, Thresholds};
use crate::model::{Pid, PipeId, PipeKind, Severity};
use crate::render::Format;
use crate::report_file::ReportFile;
use crate::select::CommandPattern;

/// What the command is to do.
#[derive(Debug, Clone)]
pub enum Request {
    /// To answer a question about pipes.
    Answer(Box<Options>),
    /// To compare two saved reports.
    Compare(Comparison),
}

impl Request {
    /// When to colour.
    #[must_use]
    pub fn color(&self) -> Color {
        match self {
            Self::Answer(options) => options.color,
            Self::Compare(comparison) => comparison.color,
        }
    }
}

/// One question, and how to answer it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the facts come from.
    pub source: Source,
    /// What to report.
    pub question: Question,
    /// In which form.
    pub format: Format,
    /// Whether to colour.
    pub color: Color,
    /// The pause between two reports; none for a single one.
    pub repeat: Option<Duration>,
    /// Whether to leave names of users alone.
    pub numeric_uid: bool,
    /// Whether to keep the notes back.
    pub quiet: bool,
    /// Whether an incomplete scan is a failure.
    pub require_complete: bool,
    /// Whether to ask the kernel about the pipes that are shown.
    pub probe: bool,
}

impl Options {
    /// A question about this machine, with all facts, for a caller that writes no report.
    #[must_use]
    pub fn new(question: Question) -> Self {
        Self {
            source: Source::Proc("/proc".into()),
            question,
            format: Format::Json,
            color: Color::Never,
            repeat: None,
            numeric_uid: true,
            quiet: true,
            require_complete: false,
            probe: false,
        }
    }
}

/// Where the facts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A proc root that is scanned.
    Proc(PathBuf),
    /// A report that was saved.
    Saved(ReportFile),
}

/// What to report.
#[derive(Debug, Clone)]
pub enum Question {
    /// Pipes.
    Pipes(Wanted),
    /// What blocks on pipes, and why.
    Why(Wanted),
    /// The pipelines, drawn.
    Graph(Wanted),
    /// What is wrong, or about to be.
    Audit(Audit),
    /// The whole fd tables of these processes.
    Tables(Vec<Pid>),
}

/// What two saved reports are to be compared for: one run of `lspipe diff`.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The earlier report.
    pub old: ReportFile,
    /// The later report.
    pub new: ReportFile,
    /// Whether the answer is JSON.
    pub json: bool,
    /// Whether to print headings.
    pub headings: bool,
    /// Whether to colour.
    pub color: Color,
    /// Whether to leave names of users alone.
    pub numeric_uid: bool,
    /// Whether to keep the notes back.
    pub quiet: bool,
    /// Whether an incomplete report is a failure.
    pub require_complete: bool,
}

/// What an audit is to tell, and where to.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// `--only`; empty for all.
    pub only: Vec<Code>,
    /// `--ignore`
    pub ignore: Vec<Code>,
    /// `--severity`
    pub severity: Option<Severity>,
    /// `--max-ends`
    pub thresholds: Thresholds,
    /// `--confirm`
    pub confirm: Option<Duration>,
    /// `--baseline`
    pub baseline: Option<PathBuf>,
    /// `--write-baseline`
    pub write_baseline: Option<PathBuf>,
    /// `--metrics-file`
    pub metrics_file: Option<PathBuf>,
}

impl Audit {
    /// Whether findings of this code are asked for.
    #[must_use]
    pub fn wants(&self, code: Code) -> bool {
        (self.only.is_empty() || self.only.contains(&code)) && !self.ignore.contains(&code)
    }
}

/// The selection as it was given: a name of a user and a path are looked up later.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `--pid`
    pub pids: Vec<Pid>,
    /// `--descendants`
    pub descendants: bool,
    /// `--command`
    pub commands: Vec<CommandPattern>,
    /// `--user`: names or numbers.
    pub users: Vec<String>,
    /// `--kind`
    pub kinds: Vec<PipeKind>,
    /// `--no-reader`
    pub no_reader: bool,
    /// `--no-writer`
    pub no_writer: bool,
    /// PIPE
    pub pipes: Vec<PipeName>,
}

/// A PIPE of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipeName {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`
    Id(PipeId),
    /// A bare number.
    Inode(u64),
    /// Anything else: the path of a FIFO, or `/proc/PID/fd/N`.
    Path(PathBuf),
}

impl From<&OsStr> for PipeName {
    fn from(name: &OsStr) -> Self {
        let text = name.to_str();
        if let Some(id) = text.and_then(|text| text.parse().ok()) {
            Self::Id(id)
        } else if let Some(inode) = text.and_then(|text| text.parse().ok()) {
            Self::Inode(inode)
        } else {
            Self::Path(name.into())
        }
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` or `TERM=dumb` forbid it.
    #[default]
    Auto,
    /// Even into a pipe or file.
    Always,
    /// Not at all.
    Never,
}
