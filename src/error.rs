//! Why there is no report: the errors that end the command with status 2. What a scan could not read is no error but data,
//! a [`Gap`](crate::model::Gap).

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::baseline;
use crate::report_file::SavedError;

/// An error that ends the command. Its text is one line, and says what to do where that is not plain.
#[derive(Debug, Error)]
pub enum Error {
    /// The proc root cannot be opened.
    #[error("{}: cannot open the proc root: {}", path.display(), reason(source))]
    OpenRoot {
        /// The directory that was asked for.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The proc root holds no process.
    #[error("{}: no proc file system, nor a tree like one: it has no directory named by a PID", .0.display())]
    NotProc(PathBuf),
    /// A directory of a proc file system, but not the one where that is mounted.
    #[error("{}: a directory inside a proc file system: give the one where that is mounted, such as /proc", .0.display())]
    InsideProc(PathBuf),
    /// A proc file system that lists no process, and hides none.
    #[error("{}: lists no process, since its PID namespace has ended: give the proc of another, such as /proc", .0.display())]
    EndedNamespace(PathBuf),
    /// The device of pipefs cannot be learned from a pipe of our own.
    #[error("cannot learn which device pipes are on: {call} failed: {}{}", reason(source), call_cure(source))]
    Pipefs {
        /// The system call that failed.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A path given as PIPE cannot be looked up.
    #[error("{}: {}{}", path.escape_debug(), reason(source), cure(source))]
    LookUp {
        /// The path, as far as it is text.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A path given as PIPE leads to something else.
    #[error("{}: this is {what}, not a pipe or FIFO{hint}", path.escape_debug())]
    NotAPipe {
        /// The path, as far as it is text.
        path: String,
        /// What it is, with its article.
        what: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// Whole fd tables were asked for, and none could be read.
    #[error("{0}")]
    Unreadable(String),
    /// None of the processes or pipes that were asked about is there.
    #[error("{0}")]
    NothingThere(String),
    /// No user of that name.
    #[error("no user named {0:?}: give a name that `getent passwd` knows, or a number")]
    NoSuchUser(String),
    /// A saved report cannot be taken for one.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// A saved report was not made by the command whose question it should answer.
    #[error("{name}: this report does not tell that: only one of `lspipe {command} --json` does")]
    NotAsked {
        /// The file.
        name: String,
        /// What should have made it.
        command: &'static str,
    },
    /// A baseline cannot be read.
    #[error("{}: cannot read the baseline: {}{}", path.escape_debug(), reason(source), baseline_cure(source))]
    ReadBaseline {
        /// The path, as far as it is text.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A file that was given as baseline is none, or not whole.
    #[error("{}: this is no whole baseline of lspipe: {}; mend it, or make it anew with --write-baseline", path.escape_debug(), why.escape_debug())]
    CorruptBaseline {
        /// The path, as far as it is text.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A baseline is of another version.
    #[error(
        "{}: a baseline of version {version}, and this lspipe knows version {} only: use the lspipe that wrote it, or make it anew with --write-baseline",
        path.escape_debug(), baseline::VERSION
    )]
    BaselineVersion {
        /// The path, as far as it is text.
        path: String,
        /// The version that it says.
        version: u64,
    },
    /// A file cannot be written.
    #[error("{}: cannot write this file: {}{}", path.escape_debug(), reason(source), writing_cure(source))]
    WriteFile {
        /// The path, as far as it is text.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Metrics are to be written into the baseline.
    #[error("{}: --metrics-file would take the place of the baseline; give it another name", .0.escape_debug())]
    MetricsInBaseline(String),
    /// A file that is to be written in one stroke is something else than a file.
    #[error("{}: this is {what}, not a plain file that could be replaced; give the path of a file", path.escape_debug())]
    NotReplaceable {
        /// The path, as far as it is text.
        path: String,
        /// What it is, with its article.
        what: &'static str,
    },
    /// The report cannot be written.
    #[error("cannot write the report: {}", reason(.0))]
    Write(#[from] io::Error),
}

/// The cause in words, without the number that std adds.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}

/// What to do about a system call that failed though it was made as it should be.
fn call_cure(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES) => {
            "; a seccomp profile may forbid it, such as that of a container runtime older than the call"
        }
        _ => "",
    }
}

/// What to do about a baseline that could not be read.
fn baseline_cure(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::NotFound { "; --write-baseline makes one" } else { "" }
}

/// What to do about a file that could not be written.
fn writing_cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; make its directory first",
        io::ErrorKind::PermissionDenied => "; its directory must be open to us for writing, since the file is replaced",
        _ => "",
    }
}

/// What to do about a path that could not be looked up.
fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "; a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], an inode number, the path of a FIFO, or /proc/PID/fd/N"
        }
        io::ErrorKind::PermissionDenied => "; run as root, or see PERMISSIONS in lspipe(1)",
        _ => "",
    }
}
