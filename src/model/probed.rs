//! What the kernel alone knows of a pipe, and what that means for an end that no fd table shows.

use serde::{Deserialize, Serialize};

use super::words::words;
use std::collections::BTreeMap;

use super::{CommandName, Fd, Gap, Pid, PipeGraph, PipeId, Side};

/// What the kernel said of a pipe. A fact is none where it was not asked for, refused, or not proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Probed {
    /// Bytes in the pipe.
    pub queued: Option<u64>,
    /// Bytes that fit into it, as long as each takes its place in a buffer of a page: packets and small pieces fill it sooner.
    pub capacity: Option<u64>,
    /// Whether all its buffers are in use, so that poll(2) tells writers to wait. Not the same as `queued == capacity`, since buffers
    /// count and not bytes; and a write that still fits into the last buffer does not block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// Whether a read end exists anywhere.
    #[serde(rename = "hidden_readers")]
    pub reader: Option<bool>,
    /// Whether a write end exists anywhere.
    #[serde(rename = "hidden_writers")]
    pub writer: Option<bool>,
    /// Whether a question got no answer in time: somebody holds the lock of the pipe.
    #[serde(skip)]
    pub unanswered: bool,
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

    /// Whether anything at all was learnt.
    #[must_use]
    pub fn knows_anything(&self) -> bool {
        *self != Self { unanswered: self.unanswered, ..Self::default() }
    }
}

/// What may hold an end that no fd table shows, found by a look through the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// UNIX sockets with descriptors in flight to them, ordered by PID and descriptor.
    pub in_flight: Vec<HolderFd>,
    /// Anonymous pipes that are registered with an `io_uring`, likewise.
    pub registered: Vec<(PipeId, HolderFd)>,
    /// Processes that have an `io_uring`, ascending.
    pub rings: Vec<Pid>,
    /// Processes that are stuck in exiting, with descriptors that /proc shows no more: PID and command.
    pub exiting: Vec<(Pid, CommandName)>,
    /// Pipes of which the kernel holds a write end for an autofs mount.
    pub autofs: Vec<PipeId>,
    /// What of this could not be looked at, ordered by PID.
    pub gaps: Vec<Gap>,
    /// Who may hold the hidden ends of each pipe, as a saved report tells: the rest of this is empty then.
    pub told: BTreeMap<PipeId, Vec<PossibleHolder>>,
}

impl Hidden {
    /// Who may hold an end of any pipe, so far as it was looked for: beside those who could not be read.
    pub fn anywhere(&self) -> impl Iterator<Item = PossibleHolder> {
        let in_flight = self.in_flight.iter().map(|by| PossibleHolder::holding(HiddenVia::ScmRights, by));
        in_flight.chain(self.exiting.iter().map(|(pid, name)| PossibleHolder::process(HiddenVia::Exiting, *pid, name)))
    }

    /// Leaves out the processes that are not among these, which are in ascending order, where what is hidden in them ends with them.
    pub fn keep(&mut self, alive: &[Pid]) {
        let is_alive = |pid: &Pid| alive.binary_search(pid).is_ok();
        self.exiting.retain(|(pid, _)| is_alive(pid));
        self.gaps.retain(|gap| is_alive(&gap.pid));
    }
}

/// A descriptor by which something is held that is not a descriptor itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderFd {
    /// The process that has the descriptor.
    pub pid: Pid,
    /// The descriptor, of a socket or an `io_uring`.
    pub fd: Fd,
    /// The command of the process.
    #[serde(flatten)]
    pub command: CommandName,
}

words! {
    /// In what way an end may be held without standing in an fd table that can be read.
    pub enum HiddenVia {
        /// It was sent over a UNIX socket, and not received yet: see `SCM_RIGHTS` in unix(7).
        ScmRights = "scm-rights",
        /// It is registered with an `io_uring`: see `io_uring_register(2)`.
        IoUring = "io_uring",
        /// Its process is stuck in exiting.
        Exiting = "exiting",
        /// The kernel holds it for an autofs mount.
        Autofs = "autofs",
        /// It may stand in a table that could not be read.
        Unreadable = "unreadable",
        /// Nothing that can be seen from here holds it.
        Outside = "outside",
    }
}

/// Somebody who may hold an end that no fd table shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PossibleHolder {
    /// In what way.
    pub how: HiddenVia,
    /// The process, where it is one.
    pub pid: Option<Pid>,
    /// The descriptor of the socket or the `io_uring`, where it is one.
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

impl PipeGraph {
    /// What the kernel said of a pipe; nothing where it was not asked.
    #[must_use]
    pub fn probed(&self, id: PipeId) -> Probed {
        self.probed.get(&id).copied().unwrap_or_default()
    }
}
