//! How much of the machine a scan saw, and what that means for an end that it did not see.

use serde::{Deserialize, Serialize, Serializer};

use super::transfer;
use super::words::words;
use std::path::PathBuf;

use super::{CommandName, Fd, Pid, PipeKind, Side, Tid, Uid};

/// What of a process could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum UnreadablePart {
    /// Its fd table: not even the descriptor numbers are known.
    FdTable,
    /// The targets of its descriptors: their numbers are known, not what they lead to.
    FdLinks,
    /// The list of its threads, some of which may have an fd table of their own.
    Tasks,
    /// A single descriptor.
    Fd {
        /// Which.
        fd: Fd,
    },
    /// Its command line.
    Cmdline,
}

/// Which ends may stand in what could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PossibleEnds {
    /// A read end.
    pub read: bool,
    /// A write end.
    pub write: bool,
    /// An end of an anonymous pipe; false where all of those were identified in another way.
    pub anonymous: bool,
}

impl PossibleEnds {
    /// Any end at all.
    pub const ANYTHING: Self = Self { read: true, write: true, anonymous: true };
    /// For a report of a version that did not say it.
    const fn anything() -> Self {
        Self::ANYTHING
    }

    /// No end: what is missing is something else.
    pub const NOTHING: Self = Self { read: false, write: false, anonymous: false };

    /// Both together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
            anonymous: self.anonymous || other.anonymous,
        }
    }

    /// Whether an end of such a pipe on that side may be among them.
    pub(crate) fn covers(self, kind: PipeKind, side: Side) -> bool {
        let kind_fits = kind.is_named() || self.anonymous;
        kind_fits
            && match side {
                Side::Read => self.read,
                Side::Write => self.write,
            }
    }
}

/// Something that the scan could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// The process.
    pub pid: Pid,
    /// The thread, where it is about an fd table of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    /// Its command, empty if even that could not be read.
    #[serde(flatten)]
    pub command: CommandName,
    /// Its effective user ID.
    pub uid: Option<Uid>,
    /// What of it.
    #[serde(flatten)]
    pub what: UnreadablePart,
    /// Why: the name of an errno, for example `EACCES`. `ETIMEDOUT` stands for a call that gave no answer.
    pub error: String,
    /// How many descriptors are concerned, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds: Option<u64>,
    /// The mount that did not answer, where a call gave no answer.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "lossy")]
    pub mount: Option<PathBuf>,
    /// The ends that may be there all the same.
    #[serde(default = "PossibleEnds::anything")]
    pub may_hold: PossibleEnds,
}

impl Gap {
    /// Whether a call on it did not return.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.error == "ETIMEDOUT"
    }

    /// Whether access was denied.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.error.as_str(), "EACCES" | "EPERM")
    }

    /// Whether the scan itself had as many files open as it may have.
    #[must_use]
    pub fn is_file_limit(&self) -> bool {
        self.error == "EMFILE"
    }
}

words! {
    /// Why there may be processes that the scan was not even told of.
    pub enum ViewLimit {
        /// The proc file system is that of a PID namespace: processes outside it are not listed.
        PidNamespace = "pid-namespace",
        /// The proc file system is mounted with `hidepid`, and we are not exempt.
        Hidepid = "hidepid",
    }
}

/// How much of the machine the scan saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The proc root that was scanned.
    #[serde(with = "transfer::path")]
    pub proc_root: PathBuf,
    /// How many processes there were.
    pub processes: usize,
    /// How many processes and descriptors went away while the scan looked at them.
    pub vanished: usize,
    /// What could not be read, ordered by PID.
    pub gaps: Vec<Gap>,
    /// Why there may be more processes than were listed.
    pub outside: Option<ViewLimit>,
    /// Whether the scan had both capabilities that open every process, so that more rights would not help.
    pub privileged: bool,
    /// Whether the PIDs are those of our own PID namespace, so that a system call may use them.
    pub own_pids: bool,
    /// Who made the scan, where the PIDs are those of its own PID namespace.
    pub scanner: Option<Pid>,
}

impl Coverage {
    /// Whether everything was seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.outside.is_none()
    }

    /// How many processes could not be read whole. `gaps` may have several entries for one.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.gaps.chunk_by(|a, b| a.pid == b.pid).count()
    }
}

/// A path as text: what is not UTF-8 in it is only shown.
fn lossy<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(std::path::Path::to_string_lossy).serialize(serializer)
}
