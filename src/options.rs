//! What the user asked for, as types: free of clap, and before anything was looked up.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Pid, PipeId, PipeKind};
use crate::render::Format;
use crate::select::CommandPattern;

/// One run of the command.
#[derive(Debug, Clone)]
pub struct Options {
    /// The proc root.
    pub proc_root: PathBuf,
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

/// What to report.
#[derive(Debug, Clone)]
pub enum Question {
    /// Pipes.
    Pipes(Wanted),
    /// What blocks on pipes, and why.
    Why(Wanted),
    /// The pipelines, drawn.
    Graph(Wanted),
    /// The whole fd tables of these processes.
    Tables(Vec<Pid>),
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
