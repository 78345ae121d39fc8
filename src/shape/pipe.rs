//! The shapes of a pipe, its ends, and who waits to open it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Command, PipeFile, Word};

/// A pipe or FIFO.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Pipe<'a> {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`.
    pub(crate) id: String,
    /// `anonymous` or `fifo`.
    #[cfg_attr(test, schemars(extend("enum" = ["anonymous", "fifo"])))]
    pub(crate) kind: Word,
    pub(crate) inode: u64,
    /// `MAJ:MIN`; null for an anonymous pipe in a tree of plain files.
    pub(crate) device: Option<String>,
    /// The name a FIFO was opened by.
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    /// Whether the FIFO has no name left in its file system.
    pub(crate) deleted: bool,
    /// By PID, thread and descriptor. An end that is open for both stands in both lists.
    pub(crate) readers: Vec<End<'a>>,
    pub(crate) writers: Vec<End<'a>>,
    /// Who is blocked in opening this FIFO, by PID and thread; looked for by `lspipe why`, and where a FIFO is named.
    pub(crate) openers: Vec<Opener<'a>>,
    /// Bytes in the pipe; null unless `--probe` asked and the kernel answered.
    pub(crate) queued: Option<u64>,
    /// Bytes that fit into the pipe; null likewise. It may be full with less, if those came in small pieces.
    pub(crate) capacity: Option<u64>,
    /// Whether all its buffers are in use, so that poll(2) tells writers to wait; with `--probe` only, and only where a write end
    /// could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) full: Option<bool>,
    /// With `--probe`: true if a read end exists that no fd table shows, false if none exists at all; null where `readers` has
    /// any, since nobody counts those that exist, and where the kernel did not say.
    pub(crate) hidden_readers: Option<bool>,
    /// The same of write ends and `writers`. Of a FIFO it may be null where it would be true.
    pub(crate) hidden_writers: Option<bool>,
    /// Who may hold the end that no fd table shows, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden_by: Option<Vec<PossibleHolder>>,
    /// Whose it is; only from `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PipeFile>,
}

/// Somebody who may hold an end that no fd table shows.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PossibleHolder {
    /// `scm-rights`: sent over a UNIX socket to this process, and not received yet. `io_uring`: registered with the ring of this
    /// process. `exiting`: this process is stuck in exiting. `autofs`: the kernel. `unreadable`: the fd table of this process could
    /// not be read. `outside`: not to be seen from here.
    #[cfg_attr(test, schemars(extend("enum" = ["scm-rights", "io_uring", "exiting", "autofs", "unreadable", "outside"])))]
    pub(crate) how: Word,
    pub(crate) pid: Option<u32>,
    /// The descriptor of the socket or of the ring.
    pub(crate) fd: Option<u32>,
    pub(crate) command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command_bytes: Option<String>,
}

/// An end of a pipe.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct End<'a> {
    pub(crate) pid: u32,
    /// The thread, where the descriptor is in a table that it does not share with its process.
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    /// `r`, `w` or `rw`.
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    pub(crate) access: Word,
    /// Names of fcntl.h; null where they could not be read.
    pub(crate) flags: Option<Vec<Word>>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    /// The effective user ID.
    pub(crate) uid: Option<u32>,
    pub(crate) user: Option<Cow<'a, str>>,
}

/// A thread that is blocked in opening a FIFO, until somebody opens its other side.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Opener<'a> {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    /// `r` or `w`; `rw` where that could not be told.
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    pub(crate) access: Word,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
}
