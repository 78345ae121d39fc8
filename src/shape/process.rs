//! The shapes of a process, and of what of one could not be read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Command, ProcessFacts, Word};

/// A process.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Process<'a> {
    pub(crate) pid: u32,
    pub(crate) ppid: Option<u32>,
    pub(crate) pgid: Option<u32>,
    pub(crate) sid: Option<u32>,
    /// The effective user ID.
    pub(crate) uid: Option<u32>,
    pub(crate) user: Option<Cow<'a, str>>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    /// The command line, of which the first 128 KiB are read.
    pub(crate) cmdline: Option<Vec<String>>,
    /// Every argument in base64, if any of them is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cmdline_bytes: Option<Vec<String>>,
    /// The state letter of `proc_pid_stat(5)`.
    pub(crate) state: Option<char>,
    /// RFC 3339, UTC.
    pub(crate) started_at: Option<String>,
    /// Its PID in its own PID namespace, where that is another than the scanned one.
    pub(crate) ns_pid: Option<u32>,
    pub(crate) container: Option<Cow<'a, str>>,
    /// The systemd unit.
    pub(crate) unit: Option<Cow<'a, str>>,
    #[serde(flatten)]
    pub(crate) facts: ProcessFacts,
}

/// Something that could not be read.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Unreadable<'a> {
    pub(crate) pid: u32,
    /// The thread, where it is about an fd table of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tid: Option<u32>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    /// The effective user ID.
    pub(crate) uid: Option<u32>,
    /// What of the process: `fd_table`, `fd_links`, `tasks`, `fd` or `cmdline`.
    pub(crate) what: Word,
    /// The name of an errno; `ETIMEDOUT` for a call that gave no answer.
    pub(crate) error: Cow<'a, str>,
    /// The descriptor, where it is a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fd: Option<u32>,
    /// How many descriptors are concerned, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fds: Option<u64>,
    /// Where the mount is that gave no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<Cow<'a, str>>,
    /// Which ends may be among it. Missing where a report was saved before this was: then any.
    pub(crate) may_hold: Option<PossibleEnds>,
}

/// Which ends may be in what could not be read.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PossibleEnds {
    /// A read end.
    pub(crate) read: bool,
    /// A write end.
    pub(crate) write: bool,
    /// An end of an anonymous pipe; if not, of a FIFO only.
    pub(crate) anonymous: bool,
}

/// A process and its parent.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Ancestor {
    pub(crate) pid: u32,
    /// 0 for one that has none, or whose parent is outside the PID namespace.
    pub(crate) ppid: u32,
}
