//! What only the kernel knows about a pipe, and what may hold an end that no fd table shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{AccessMode, CommandName, Fd, Gap, Pid, PipeGraph, PipeId, Side, Tid};

/// The kernel's answers about a pipe. A field is none if it was not asked for, refused, or not proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probed {
    /// Bytes in the pipe.
    pub queued: Option<u64>,
    /// Capacity in bytes, if every buffer is a full page: packets and small writes fill it sooner.
    pub capacity: Option<u64>,
    /// Whether all buffers are in use, so that poll(2) does not report POLLOUT. Not the same as `queued == capacity`: buffers count, not
    /// bytes; and a write that still fits into the last buffer does not block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// Whether a read end exists anywhere.
    #[serde(rename = "hidden_readers")]
    pub reader: Option<bool>,
    /// Whether a write end exists anywhere.
    #[serde(rename = "hidden_writers")]
    pub writer: Option<bool>,
    /// Number of open file descriptions with a read end, plus the threads that are blocked in opening one: `readers` of `struct
    /// pipe_inode_info`. Descriptors that were duplicated or inherited share a description.
    #[serde(rename = "reader_count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u32"))]
    pub readers: Option<u32>,
    /// The same of write ends.
    #[serde(rename = "writer_count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u32"))]
    pub writers: Option<u32>,
    /// What there is on the read side besides the ends that were seen; none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Unseen"))]
    pub unseen_readers: Option<Unseen>,
    /// The same of the write side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Unseen"))]
    pub unseen_writers: Option<Unseen>,
    /// The references in `unseen_readers` and `unseen_writers`, by open file description. Not in a report.
    #[serde(skip)]
    pub references: Vec<References>,
    /// Whether a call did not return in time: a process holds the lock of the pipe.
    #[serde(skip)]
    pub unanswered: bool,
}

/// What the kernel counts on a side of a pipe besides what was seen there. If both are zero, nothing else exists: no process that could
/// not be read, and no descriptor in flight, holds an end of this side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unseen {
    /// Open file descriptions that are in no fd table that was seen, and are not being opened by a thread that was seen.
    pub descriptions: u32,
    /// References to those that were seen which no descriptor, and no call of a thread that was seen, accounts for: descriptors that are
    /// in flight over a UNIX socket, in a table that was not seen, or used by a call.
    pub references: u64,
}

impl Unseen {
    /// Whether nothing else exists.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.descriptions == 0 && self.references == 0
    }
}

/// References to an open file description that no descriptor accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct References {
    /// The first of its descriptors, as [`Endpoint::key`](super::Endpoint::key).
    pub end: (Pid, Option<Tid>, Fd),
    /// How it is open.
    pub access: AccessMode,
    /// How many; none if that changed while it was looked at.
    pub count: Option<u64>,
}

impl References {
    /// How many there are on a side; those whose number changed count as one.
    #[must_use]
    pub(crate) fn on(all: &[Self], side: Side) -> u64 {
        all.iter().filter(|it| it.access.is_on(side)).map(|it| it.count.unwrap_or(1)).fold(0, u64::saturating_add)
    }
}

impl Probed {
    /// Whether an end on that side exists anywhere.
    #[must_use]
    pub const fn has(&self, side: Side) -> Option<bool> {
        match side {
            Side::Read => self.reader,
            Side::Write => self.writer,
        }
    }

    /// The kernel's count of a side.
    #[must_use]
    pub const fn count(&self, side: Side) -> Option<u32> {
        match side {
            Side::Read => self.readers,
            Side::Write => self.writers,
        }
    }

    /// What there is on a side besides the ends that were seen.
    #[must_use]
    pub const fn unseen(&self, side: Side) -> Option<Unseen> {
        match side {
            Side::Read => self.unseen_readers,
            Side::Write => self.unseen_writers,
        }
    }

    /// Says nothing of whether an end of that side exists.
    pub(crate) const fn withdraw(&mut self, side: Side) {
        *self.unseen_mut(side) = None;
        match side {
            Side::Read => self.reader = None,
            Side::Write => self.writer = None,
        }
    }

    pub(crate) const fn unseen_mut(&mut self, side: Side) -> &mut Option<Unseen> {
        match side {
            Side::Read => &mut self.unseen_readers,
            Side::Write => &mut self.unseen_writers,
        }
    }

    /// Adds what another way of asking found out.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            queued: self.queued.or(other.queued),
            capacity: self.capacity.or(other.capacity),
            full: self.full.or(other.full),
            reader: self.reader.or(other.reader),
            writer: self.writer.or(other.writer),
            readers: self.readers.or(other.readers),
            writers: self.writers.or(other.writers),
            unseen_readers: self.unseen_readers.or(other.unseen_readers),
            unseen_writers: self.unseen_writers.or(other.unseen_writers),
            references: if self.references.is_empty() { other.references } else { self.references },
            unanswered: self.unanswered || other.unanswered,
        }
    }

    /// Whether there is any answer.
    #[must_use]
    pub fn knows_anything(&self) -> bool {
        *self != Self { unanswered: self.unanswered, ..Self::default() }
    }
}

/// What may hold an end that no fd table shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// UNIX sockets with descriptors in flight to them, ordered by PID and descriptor.
    pub in_flight: Vec<HolderFd>,
    /// Anonymous pipes that are registered with an `io_uring`, likewise.
    pub registered: Vec<(PipeId, HolderFd)>,
    /// Processes that have an `io_uring`, ascending.
    pub rings: Vec<Pid>,
    /// `io_urings` of which it is not known what is registered with them, ordered by PID and descriptor; no descriptor where a ring is only
    /// mapped.
    pub unread_rings: Vec<(Pid, Option<Fd>, CommandName)>,
    /// Processes that are blocked while exiting, whose descriptors /proc no longer shows: PID and command.
    pub exiting: Vec<(Pid, CommandName)>,
    /// Pipes whose write end the kernel holds for an autofs mount.
    pub autofs: Vec<PipeId>,
    /// What could not be examined, ordered by PID.
    pub gaps: Vec<Gap>,
    /// The possible holders of each pipe's hidden ends, from a saved report.
    pub told: BTreeMap<PipeId, Suspects>,
}

impl Hidden {
    /// The processes that may hold an end of any pipe, except those that could not be read.
    pub fn anywhere(&self) -> impl Iterator<Item = PossibleHolder> {
        let in_flight = self.in_flight.iter().map(|by| PossibleHolder::holding(HiddenVia::ScmRights, by));
        let ring = |(pid, fd, name): &(Pid, Option<Fd>, CommandName)| PossibleHolder {
            fd: *fd,
            ..PossibleHolder::process(HiddenVia::IoUring, *pid, name)
        };
        let rings = self.unread_rings.iter().map(ring);
        in_flight
            .chain(rings)
            .chain(self.exiting.iter().map(|(pid, name)| PossibleHolder::process(HiddenVia::Exiting, *pid, name)))
    }

    /// Removes the exiting processes, the rings and the gaps of processes that are not in `alive`, which is in ascending order.
    pub fn keep(&mut self, alive: &[Pid]) {
        let is_alive = |pid: &Pid| alive.binary_search(pid).is_ok();
        self.exiting.retain(|(pid, _)| is_alive(pid));
        self.unread_rings.retain(|(pid, _, _)| is_alive(pid));
        self.gaps.retain(|gap| is_alive(&gap.pid));
    }
}

/// The descriptor of a socket or an `io_uring` that holds something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderFd {
    /// The process that has the descriptor.
    pub pid: Pid,
    /// The descriptor.
    pub fd: Fd,
    /// The command of the process.
    #[serde(flatten)]
    pub command: CommandName,
}

words! {
    /// How an end can be held without being in a readable fd table.
    pub enum HiddenVia {
        /// In flight over a UNIX socket: see `SCM_RIGHTS` in unix(7).
        ScmRights = "scm-rights",
        /// Registered with an `io_uring`: see `io_uring_register(2)`.
        IoUring = "io_uring",
        /// Its process is blocked while exiting.
        Exiting = "exiting",
        /// The kernel holds it for an autofs mount.
        Autofs = "autofs",
        /// It may be in an fd table that could not be read.
        Unreadable = "unreadable",
        /// Held by a process that is not visible from here.
        Outside = "outside",
    }
}

/// A possible holder of an end that no fd table shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PossibleHolder {
    /// How it holds the end.
    pub how: HiddenVia,
    /// The process, if it is one.
    pub pid: Option<Pid>,
    /// The descriptor of the socket or `io_uring`, if there is one.
    pub fd: Option<Fd>,
    /// The command of the process.
    #[serde(flatten, serialize_with = "CommandName::or_null", deserialize_with = "CommandName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<CommandName>"))]
    pub command: Option<CommandName>,
}

impl PossibleHolder {
    pub(crate) const fn nobody(how: HiddenVia) -> Self {
        Self { how, pid: None, fd: None, command: None }
    }

    pub(crate) fn process(how: HiddenVia, pid: Pid, command: &[u8]) -> Self {
        Self { how, pid: Some(pid), fd: None, command: Some(CommandName(command.to_vec())) }
    }

    pub(crate) fn holding(how: HiddenVia, holding: &HolderFd) -> Self {
        Self { fd: Some(holding.fd), ..Self::process(how, holding.pid, &holding.command) }
    }
}

/// Possible holders of an end: the first of each kind by name, and how many there are besides. Every process of a machine may be one, and
/// of every pipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspects {
    /// In order; at most `Self::MOST` of each kind, and at least one where there is any.
    pub named: Vec<PossibleHolder>,
    /// How many more there are of each kind.
    pub more: BTreeMap<HiddenVia, usize>,
}

impl Suspects {
    /// Maximum number of each kind that are named.
    pub(crate) const MOST: usize = 4;

    /// How many are not named.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.more.values().sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

/// Of holders in any order, each counts once.
impl FromIterator<PossibleHolder> for Suspects {
    fn from_iter<I: IntoIterator<Item = PossibleHolder>>(holders: I) -> Self {
        let mut all: Vec<PossibleHolder> = holders.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        let mut suspects = Self::default();
        // The kind comes first in their order.
        for kind in all.chunk_by(|one, other| one.how == other.how) {
            suspects.named.extend(kind.iter().take(Self::MOST).cloned());
            if let (more @ 1.., Some(first)) = (kind.len().saturating_sub(Self::MOST), kind.first()) {
                suspects.more.insert(first.how, more);
            }
        }
        suspects
    }
}

impl PipeGraph {
    /// The kernel's answers about a pipe; all none if it was not asked.
    #[must_use]
    pub fn probed(&self, id: PipeId) -> Probed {
        self.probed.get(&id).cloned().unwrap_or_default()
    }

    /// What the kernel counts on a side of a pipe besides what was seen; none if it did not say.
    #[must_use]
    pub fn unseen(&self, id: PipeId, side: Side) -> Option<Unseen> {
        self.probed.get(&id)?.unseen(side)
    }
}
