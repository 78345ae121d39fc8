//! Why there is no report: the errors of all rooms, and those of the question itself. The command ends with status 2.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::baseline;
use crate::escape::quote_name;
use crate::files;
use crate::note::Note;
use crate::observe::proc;
use crate::report_file::SavedError;
use crate::sys::reason;
use crate::users::NoSuchUser;

/// Its text is one line, and says what to do where that is not obvious.
#[derive(Debug, Error)]
pub enum Error {
    /// The proc root or a PIPE cannot be looked at.
    #[error(transparent)]
    Proc(#[from] proc::Error),
    /// A saved report cannot be used.
    #[error(transparent)]
    ReportFile(#[from] SavedError),
    /// A baseline cannot be used.
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// No user has that name.
    #[error(transparent)]
    NoSuchUser(#[from] NoSuchUser),
    /// Nothing of what was asked about exists, or could be read.
    #[error("{0}")]
    NothingThere(Box<Note>),
    /// A saved report has no pipe of that path.
    #[error(
        "{}: no process in {file} has a pipe open by that name; a FIFO may have several: use its id or inode",
        quote_name(path.as_os_str().as_bytes())
    )]
    NoSuchPath {
        /// As it was given.
        path: PathBuf,
        /// The saved report.
        file: String,
    },
    /// A saved report has no user of that name.
    #[error("no user named {user:?} in {file}, which contains only users that hold a pipe: give a number")]
    NoSavedUser {
        /// As it was given.
        user: String,
        /// The saved report.
        file: String,
    },
    /// A saved report was made by a command that does not answer this question.
    #[error("{file} does not contain {what}: save a report with `lspipe {command} --json`")]
    NotAsked {
        /// The saved report.
        file: String,
        /// What it lacks.
        what: &'static str,
        /// The subcommand that answers it.
        command: &'static str,
    },
    /// A column was asked for of which nothing is known without `--probe`.
    #[error("the column {column} is known only to the kernel: add --probe, or {otherwise}")]
    OnlyTheKernel {
        /// Its heading.
        column: &'static str,
        /// What else gives it.
        otherwise: &'static str,
    },
    /// Metrics are to be written into the baseline.
    #[error("{}: --metrics-file would overwrite the baseline; give it another name", quote_name(.0.as_os_str().as_bytes()))]
    MetricsInBaseline(PathBuf),
    /// The report cannot be written.
    #[error("cannot write the report: {}", reason(.0))]
    Write(#[from] io::Error),
}

impl Error {
    /// Whether a selection matched nothing, which is no error of the report: the exit status is that of [`Exit::NothingMatched`].
    ///
    /// [`Exit::NothingMatched`]: super::Exit::NothingMatched
    #[must_use]
    pub fn is_nothing_matched(&self) -> bool {
        // That a table could not be read says nothing about what is in it.
        matches!(self, Self::NothingThere(note) if !matches!(**note, Note::UnreadableTable { .. }))
    }

    /// The path that was given as PIPE, if nothing exists there: it may be a mistyped command.
    #[must_use]
    pub fn missing_path(&self) -> Option<&str> {
        match self {
            Self::Proc(proc::Error::LookUp { path, source }) if source.kind() == io::ErrorKind::NotFound => Some(path),
            _ => None,
        }
    }
}

impl From<Note> for Error {
    fn from(note: Note) -> Self {
        Self::NothingThere(Box::new(note))
    }
}
