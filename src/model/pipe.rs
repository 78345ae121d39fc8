//! A pipe, and what tells one from another.

use serde::{Deserialize, Serialize};

use super::text::text;
use super::words::words;
use std::fmt;
use std::str::FromStr;

use super::number::decimal;
use super::{AccessMode, CommandName, Device, Endpoint, NotAPipeId, PathName, Pid, PipeFile, TaskId};

words! {
    /// What sort of pipe it is; see pipe(7).
    pub enum PipeKind {
        /// Made by pipe(2); lives in pipefs and has no name.
        Anonymous = "anonymous",
        /// A FIFO special file; see fifo(7).
        Fifo = "fifo",
    }
}

/// Which pipe: its device and inode together, since FIFOs of two file systems may share an inode number.
///
/// All anonymous pipes of a kernel are on one device, pipefs, so they are known by their inode alone, and the device is a
/// fact of the [`PipeGraph`](super::PipeGraph). Ordered with anonymous pipes first, then by device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String", inline))]
pub enum PipeId {
    /// A pipe of pipefs.
    Anonymous {
        /// Its inode number, as in `pipe:[18913]`.
        inode: u64,
    },
    /// A FIFO of any other file system.
    Fifo {
        /// The device of that file system.
        device: Device,
        /// Its inode number on that device.
        inode: u64,
    },
}

impl PipeId {
    /// Anonymous or FIFO.
    #[must_use]
    pub const fn kind(self) -> PipeKind {
        match self {
            Self::Anonymous { .. } => PipeKind::Anonymous,
            Self::Fifo { .. } => PipeKind::Fifo,
        }
    }

    /// The inode number.
    #[must_use]
    pub const fn inode(self) -> u64 {
        match self {
            Self::Anonymous { inode } | Self::Fifo { inode, .. } => inode,
        }
    }
}

/// `pipe:[18913]`, as the kernel writes it in /proc/PID/fd, or `fifo:[0:26:18913]`.
impl fmt::Display for PipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous { inode } => write!(f, "pipe:[{inode}]"),
            Self::Fifo { device, inode } => write!(f, "fifo:[{device}:{inode}]"),
        }
    }
}

impl FromStr for PipeId {
    type Err = NotAPipeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inside = |prefix| text.strip_prefix(prefix)?.strip_suffix(']');
        if let Some(inode) = inside("pipe:[") {
            return Ok(Self::Anonymous { inode: decimal(inode)? });
        }
        let (device, inode) = inside("fifo:[").and_then(|id| id.rsplit_once(':')).ok_or(NotAPipeId)?;
        Ok(Self::Fifo { device: device.parse()?, inode: decimal(inode)? })
    }
}

text!(PipeId, "a pipe, as pipe:[INODE] or fifo:[MAJ:MIN:INODE]");

words! {
    /// One of the two directions of a pipe.
    pub enum Side {
        /// The read end, held by readers.
        Read = "read",
        /// The write end, held by writers.
        Write = "write",
    }
}

impl Side {
    /// Both directions.
    pub const BOTH: [Self; 2] = [Self::Read, Self::Write];

    /// The side that this one's data go to, or come from.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }

    /// The name of somebody who holds such an end.
    #[must_use]
    pub const fn holder(self) -> &'static str {
        match self {
            Self::Read => "reader",
            Self::Write => "writer",
        }
    }
}

/// A process that is blocked in open(2) of a FIFO: it has no descriptor yet, but the kernel counts it as a reader or writer already
/// (`fifo_open` in fs/pipe.c).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Opener {
    /// The thread.
    #[serde(flatten)]
    pub task: TaskId,
    /// How it opens it.
    pub access: AccessMode,
    /// The command of its process.
    #[serde(flatten)]
    pub command: CommandName,
}

/// A pipe and all its ends that were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pipe {
    /// Which pipe.
    pub id: PipeId,
    /// A FIFO's name as its first holder opened it, in that holder's mount namespace.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    pub path: Option<PathName>,
    /// Whether the FIFO has no name left in its file system (link count 0).
    pub deleted: bool,
    /// The ends, ordered by [`Endpoint::key`]. A read-write end stands here once.
    ///
    /// In JSON they are in two lists, with the names of their holders: see `PipeEntry` of the report.
    #[serde(skip)]
    pub ends: Vec<Endpoint>,
    /// Who is blocked in opening it, ordered by process and thread; empty where that was not looked for.
    pub openers: Vec<Opener>,
    /// Whose it is; none where that could not be read, or was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PipeFile>,
}

impl Pipe {
    /// A pipe of which nothing but its ID is known.
    #[must_use]
    pub const fn unknown(id: PipeId) -> Self {
        Self { id, path: None, deleted: false, ends: Vec::new(), openers: Vec::new(), file: None }
    }

    /// Whether it is a FIFO that has a name, by which anybody may open it.
    #[must_use]
    pub fn has_name(&self) -> bool {
        self.id.kind() == PipeKind::Fifo && !self.deleted
    }

    /// The processes that hold an end on a side, or are opening one; those with several as often.
    pub fn on(&self, side: Side) -> impl Iterator<Item = Pid> + '_ {
        let openers = self.openers.iter().filter(move |opener| opener.access.is_on(side));
        self.side(side).map(|end| end.pid).chain(openers.map(|opener| opener.task.pid))
    }

    /// Whether a process holds both sides, each by an end of its own.
    #[must_use]
    pub fn is_on_both(&self, pid: Pid) -> bool {
        let is_own = |end: &Endpoint| end.pid == pid && end.access != AccessMode::ReadWrite;
        Side::BOTH.into_iter().all(|side| self.side(side).any(is_own))
    }

    /// The ends on one side; a read-write end is on both.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Endpoint> {
        self.ends.iter().filter(move |end| end.access.is_on(side))
    }
}
