//! Pipes, their kinds and IDs.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::number::decimal;
use super::text::text;
use super::words::words;
use super::{AccessMode, CommandName, Device, Endpoint, NotAPipeId, PathName, Pid, PipeFile, TaskId};

words! {
    /// The kind of a pipe; see pipe(7).
    pub enum PipeKind {
        /// Created by pipe(2), in pipefs, without a name.
        Anonymous = "anonymous",
        /// A FIFO special file; see fifo(7).
        Fifo = "fifo",
        /// One direction of a connected UNIX stream or seqpacket socket; see unix(7).
        Unix = "unix",
        /// One direction of a pseudoterminal; see pty(7).
        Pty = "pty",
    }
}

impl PipeKind {
    /// Whether pipes of this kind have a path, by which any process may open them. Those of any other kind are identified by their inode
    /// alone, since they are all on one device, that of pipefs or that of all sockets.
    #[must_use]
    pub const fn is_named(self) -> bool {
        matches!(self, Self::Fifo | Self::Pty)
    }

    /// Whether it is a pipe in the sense of pipe(7), as opposed to a direction of a socket pair or terminal.
    #[must_use]
    pub const fn is_pipe(self) -> bool {
        matches!(self, Self::Anonymous | Self::Fifo)
    }

    /// The prefix of an ID: for an anonymous pipe as in /proc/PID/fd.
    const fn prefix(self) -> &'static str {
        if matches!(self, Self::Anonymous) { "pipe" } else { self.as_str() }
    }
}

words! {
    /// A direction of a pseudoterminal, as the programs that run in it see it.
    pub enum PtyFlow {
        /// What the master writes, as typed by a person, and the slave reads.
        Input = "input",
        /// What the slave writes and the master reads.
        Output = "output",
    }
}

/// Identifies a pipe: its kind, inode and, if it [has a name](PipeKind::is_named), device, since FIFOs on two file systems may have the
/// same inode number. Ordered by kind, anonymous pipes first, then by device and inode.
///
/// A connection between two UNIX sockets is two such pipes, each identified by the inode of the socket that receives from it. A
/// pseudoterminal is also two, identified by the device of its devpts, its number and the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String", inline))]
pub struct PipeId {
    kind: PipeKind,
    device: Option<Device>,
    inode: u64,
    flow: Option<PtyFlow>,
}

impl PipeId {
    /// A pipe of pipefs, by its inode number: 18913 of `pipe:[18913]`.
    #[must_use]
    pub const fn anonymous(inode: u64) -> Self {
        Self { kind: PipeKind::Anonymous, device: None, inode, flow: None }
    }

    /// A FIFO, by the device of its file system and its inode number there.
    #[must_use]
    pub const fn fifo(device: Device, inode: u64) -> Self {
        Self { kind: PipeKind::Fifo, device: Some(device), inode, flow: None }
    }

    /// What is sent to a UNIX socket, by the inode number of that socket: 18913 of `socket:[18913]`.
    #[must_use]
    pub const fn unix(receiver: u64) -> Self {
        Self { kind: PipeKind::Unix, device: None, inode: receiver, flow: None }
    }

    /// A direction of a pseudoterminal, by the device of its devpts and its number there: 3 of `/dev/pts/3`.
    #[must_use]
    pub const fn pty(devpts: Device, number: u64, flow: PtyFlow) -> Self {
        Self { kind: PipeKind::Pty, device: Some(devpts), inode: number, flow: Some(flow) }
    }

    /// The direction of a pseudoterminal; none for other kinds.
    #[must_use]
    pub const fn flow(self) -> Option<PtyFlow> {
        self.flow
    }

    /// The kind of pipe.
    #[must_use]
    pub const fn kind(self) -> PipeKind {
        self.kind
    }

    /// The device of a FIFO's file system. That of anonymous pipes is in the [`PipeGraph`](super::PipeGraph).
    #[must_use]
    pub const fn device(self) -> Option<Device> {
        self.device
    }

    /// The inode number; of a pseudoterminal its number.
    #[must_use]
    pub const fn inode(self) -> u64 {
        self.inode
    }
}

/// `pipe:[18913]`, as the kernel writes it in /proc/PID/fd, `fifo:[0:26:18913]`, `unix:[18913]` or `pty:[0:26:3:output]`.
impl fmt::Display for PipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, inode) = (self.kind.prefix(), self.inode);
        match (self.device, self.flow) {
            (Some(device), Some(flow)) => write!(f, "{prefix}:[{device}:{inode}:{flow}]"),
            (Some(device), None) => write!(f, "{prefix}:[{device}:{inode}]"),
            (None, _) => write!(f, "{prefix}:[{inode}]"),
        }
    }
}

impl FromStr for PipeId {
    type Err = NotAPipeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (prefix, id) = text.strip_suffix(']').and_then(|text| text.split_once(":[")).ok_or(NotAPipeId)?;
        let kind = PipeKind::ALL.iter().copied().find(|kind| kind.prefix() == prefix).ok_or(NotAPipeId)?;
        if !kind.is_named() {
            return Ok(Self { kind, device: None, inode: decimal(id)?, flow: None });
        }
        let (id, flow) = match (kind, id.rsplit_once(':').ok_or(NotAPipeId)?) {
            (PipeKind::Pty, (id, flow)) => (id, Some(flow.parse().map_err(|()| NotAPipeId)?)),
            _ => (id, None),
        };
        let (device, inode) = id.rsplit_once(':').ok_or(NotAPipeId)?;
        Ok(Self { kind, device: Some(device.parse()?), inode: decimal(inode)?, flow })
    }
}

text!(PipeId, "a pipe, as pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE] or pty:[MAJ:MIN:N:input]");

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

    /// The opposite side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }

    /// The word for a process that holds such an end.
    #[must_use]
    pub const fn holder(self) -> &'static str {
        match self {
            Self::Read => "reader",
            Self::Write => "writer",
        }
    }
}

/// A thread that is blocked in open(2) of a FIFO. It has no descriptor yet, but the kernel already counts it as a reader or writer
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

/// A pipe with the ends that were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pipe {
    /// The ID.
    pub id: PipeId,
    /// The path of a FIFO in the mount namespace of its first holder.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    pub path: Option<PathName>,
    /// Whether the FIFO has been deleted (link count 0).
    pub deleted: bool,
    /// The ends, ordered by [`Endpoint::key`]; an `O_RDWR` end is listed once. JSON has a list for each side, see `PipeEntry` of the report.
    #[serde(skip)]
    pub ends: Vec<Endpoint>,
    /// The threads that are blocked in opening it, in order; empty if threads were not examined.
    pub openers: Vec<Opener>,
    /// The owner and mode; none if they could not be read, or were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PipeFile>,
}

impl Pipe {
    /// Only the ID is known.
    #[must_use]
    pub const fn unknown(id: PipeId) -> Self {
        Self { id, path: None, deleted: false, ends: Vec::new(), openers: Vec::new(), file: None }
    }

    /// Whether a process may open it by a path.
    #[must_use]
    pub fn has_name(&self) -> bool {
        self.id.kind.is_named() && !self.deleted
    }

    /// The processes that hold an end on that side or are opening one, once for each end.
    pub fn on(&self, side: Side) -> impl Iterator<Item = Pid> + '_ {
        let openers = self.openers.iter().filter(move |opener| opener.access.is_on(side));
        self.side(side).map(|end| end.pid).chain(openers.map(|opener| opener.task.pid))
    }

    /// The processes that hold both sides, by two descriptors.
    #[must_use]
    pub fn on_both(&self) -> BTreeSet<Pid> {
        let with = |access: AccessMode| self.ends.iter().filter(move |end| end.access == access).map(|end| end.pid);
        let reading: BTreeSet<Pid> = with(AccessMode::Read).collect();
        with(AccessMode::Write).filter(|pid| reading.contains(pid)).collect()
    }

    /// The ends on one side; an `O_RDWR` end is on both.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Endpoint> {
        self.ends.iter().filter(move |end| end.access.is_on(side))
    }
}
