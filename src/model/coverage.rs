//! How much of the machine a scan saw, and what that means for an end that it did not see.

use super::words::words;
use std::path::PathBuf;

use super::{Endpoint, Fd, Pid, PipeKind, Side, Tid, Uid};

/// What of a process could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreadablePart {
    /// Its fd table: not even the descriptor numbers are known.
    FdTable,
    /// The targets of its descriptors: their numbers are known, not what they lead to.
    FdLinks,
    /// The list of its threads, some of which may have an fd table of their own.
    Tasks,
    /// A single descriptor.
    Fd(Fd),
    /// Its command line.
    Cmdline,
}

impl UnreadablePart {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FdTable => "fd_table",
            Self::FdLinks => "fd_links",
            Self::Tasks => "tasks",
            Self::Fd(_) => "fd",
            Self::Cmdline => "cmdline",
        }
    }
}

/// Which ends may stand in what could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub(super) fn covers(self, kind: PipeKind, side: Side) -> bool {
        let kind_fits = kind == PipeKind::Fifo || self.anonymous;
        kind_fits
            && match side {
                Side::Read => self.read,
                Side::Write => self.write,
            }
    }
}

/// Something that the scan could not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The process.
    pub pid: Pid,
    /// The thread, where it is about an fd table of its own.
    pub tid: Option<Tid>,
    /// Its command, empty if even that could not be read.
    pub command: Vec<u8>,
    /// Its effective user ID.
    pub uid: Option<Uid>,
    /// What of it.
    pub what: UnreadablePart,
    /// Why: the name of an errno, for example `EACCES`. `ETIMEDOUT` stands for a call that gave no answer.
    pub error: String,
    /// How many descriptors are concerned, where that is known.
    pub fds: Option<u64>,
    /// The mount that did not answer, where a call gave no answer.
    pub mount: Option<PathBuf>,
    /// The ends that may be there all the same.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The proc root that was scanned.
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

    /// Whether a pipe of this kind may have an end on this side that was not seen: then its absence is not certain.
    #[must_use]
    pub fn may_hide(&self, kind: PipeKind, side: Side) -> bool {
        self.outside.is_some() || self.gaps.iter().any(|gap| gap.may_hold.covers(kind, side))
    }

    /// Whether this very end of a pipe of this kind may be in what could not be read of its process.
    #[must_use]
    pub fn may_hide_end(&self, kind: PipeKind, end: &Endpoint) -> bool {
        let sides = || Side::BOTH.into_iter().filter(|side| end.access.is_on(*side));
        let may_be = |gap: &Gap| match gap.what {
            UnreadablePart::Fd(fd) => (gap.tid, fd) == (end.tid, end.fd),
            _ => true,
        };
        let mut gaps = self.gaps.iter().filter(|gap| gap.pid == end.pid && may_be(gap));
        gaps.any(|gap| sides().any(|side| gap.may_hold.covers(kind, side)))
    }

    /// How many processes could not be read whole. `gaps` may have several entries for one.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.gaps.chunk_by(|a, b| a.pid == b.pid).count()
    }
}
