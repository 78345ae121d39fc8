//! What differs between the kinds of pipes, as the file classes of lsfd(1): how a descriptor is recognized, which ends it is, where in
//! the kernel a thread waits in such a pipe, how its queue is asked for, and what a poll of an end proves. One file per kind.
//!
//! A new kind is a word in [`PipeKind`], with the form of its IDs beside it, a file here with its [`Class`], and a line in [`class`]. A kind
//! whose inode does not say what it is connected to is a [`Channel`] besides, which the walk finds out. Reads nothing from /proc itself, and
//! knows nothing of the walk and of the probe.

mod fifo;
mod pipe;
mod pty;
mod unix;

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Statx};
use serde::{Deserialize, Serialize};

use crate::model::{AccessMode, Device, NotAPipeId, PipeId, PipeKind, Probed};

pub(super) use self::pty::Terminal;
pub(super) use self::unix::Connection;

/// The ends that a descriptor is, the one that it reads from first. It may be an end of two pipes: an end of a socket pair reads from one
/// direction and writes to the other.
pub(super) type Ends<T> = [Option<T>; 2];

/// How the pipes of one kind are looked at.
pub(super) struct Class {
    /// The type of their files.
    pub(super) file_type: FileType,
    /// The pipe with this device and inode, if a file of that type is of this kind. There is no pipefs in a tree of plain files.
    by_file: fn(Device, u64, Option<&Pipefs>) -> Option<PipeId>,
    /// The pipe with this mount ID and inode, as fdinfo shows both, if those alone show that it is of this kind.
    by_mount: fn(u64, u64, &Pipefs) -> Option<PipeId>,
    /// What the text of their links in /proc/PID/fd begins with, where it is an ID and no path.
    link_prefix: Option<&'static str>,
    /// The functions of the kernel that a thread waits in, by their symbols in Linux 5.4 to 6.18.
    wait_places: &'static [(&'static str, WaitPlace)],
    /// Asks an end for the sizes of its pipe. May wait for a lock of the pipe, uninterruptibly.
    pub(super) sizes: fn(BorrowedFd<'_>) -> Sizes,
    /// Adds what a poll of an end proves.
    pub(super) conclude: fn(Polled, &mut Probed),
}

/// The class of a kind: the registry.
pub(super) const fn class(kind: PipeKind) -> &'static Class {
    match kind {
        PipeKind::Anonymous => &pipe::CLASS,
        PipeKind::Fifo => &fifo::CLASS,
        PipeKind::Unix => &unix::CLASS,
        PipeKind::Pty => &pty::CLASS,
    }
}

/// What a file is, where it is a channel at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// A pipe or FIFO: one direction.
    Pipe(PipeId),
    Unix(Connection),
    Pty(Terminal),
}

impl Channel {
    /// The ends that a descriptor of it is that is open in this way.
    pub(super) fn ends(self, access: AccessMode) -> Ends<(PipeId, AccessMode)> {
        match self {
            Self::Pipe(pipe) => [Some((pipe, access)), None],
            Self::Unix(connection) => connection.ends(access),
            Self::Pty(terminal) => terminal.ends(access),
        }
    }

    /// The pipes that it is a part of, whichever way it is open.
    pub(super) fn pipes(self) -> impl Iterator<Item = PipeId> {
        self.ends(AccessMode::ReadWrite).into_iter().flatten().map(|(pipe, _)| pipe)
    }
}

fn classes() -> impl Iterator<Item = &'static Class> {
    PipeKind::ALL.iter().map(|kind| class(*kind))
}

/// The file system of anonymous pipes.
pub(super) struct Pipefs {
    pub(super) device: Device,
    /// Its mount ID, as fdinfo shows it; none where our own fdinfo is not in the proc that is scanned.
    pub(super) mnt_id: Option<u64>,
}

/// What a thread that sleeps in a pipe waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitPlace {
    /// Data, in read(2).
    Read,
    /// Room, in write(2).
    Write,
    /// Either, in any call.
    ReadOrWrite,
    /// Data, in splice(2), tee(2) or vmsplice(2).
    SpliceRead,
    /// Room, in one of these.
    SpliceWrite,
    /// The other side, in open(2).
    Open,
    /// Data or room, in a function that files of other kinds have in common: the descriptor of the call says what it is.
    Shared,
}

/// The sizes of a pipe in bytes, where the kernel gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    pub(super) queued: Option<u64>,
    pub(super) capacity: Option<u64>,
}

/// The answer of poll(2) about an end, which takes no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Polled {
    /// How the end that was asked is open: its number may have been used again for the other end of the pipe.
    pub(super) access: AccessMode,
    /// `POLLOUT`: there is room.
    pub(super) room: bool,
    /// `POLLHUP`, of a read end only: there is no write end.
    pub(super) no_writer: bool,
    /// `POLLERR`, of a write end only: there is no read end.
    pub(super) no_reader: bool,
}

pub(super) fn device(stat: &Statx) -> Device {
    Device { major: stat.stx_dev_major, minor: stat.stx_dev_minor }
}

/// The pipe that an answer of statx(2) is about, which must have the type and the inode.
pub(super) fn by_stat(stat: &Statx, pipefs: Option<&Pipefs>) -> Option<PipeId> {
    let file_type = FileType::from_raw_mode(stat.stx_mode.into());
    let mut classes = classes().filter(|class| class.file_type == file_type);
    classes.find_map(|class| (class.by_file)(device(stat), stat.stx_ino, pipefs))
}

/// The pipe that an fdinfo is about.
pub(super) fn by_mount(mnt_id: u64, inode: u64, pipefs: &Pipefs) -> Option<PipeId> {
    classes().find_map(|class| (class.by_mount)(mnt_id, inode, pipefs))
}

/// The pipe that the text of a link in /proc/PID/fd names, such as `pipe:[18913]`; none if it is a path or another kind of file.
pub(super) fn by_link(link: &[u8]) -> Option<Result<PipeId, NotAPipeId>> {
    let is_id = |class: &Class| class.link_prefix.is_some_and(|prefix| link.starts_with(prefix.as_bytes()));
    classes().any(is_id).then(|| std::str::from_utf8(link).map_err(|_| NotAPipeId)?.parse())
}

/// What a thread waits for that sleeps in this function of the kernel; none if that has nothing to do with pipes.
pub(super) fn wait_place(symbol: &str) -> Option<WaitPlace> {
    let mut places = classes().flat_map(|class| class.wait_places);
    places.find(|(function, _)| *function == symbol).map(|(_, place)| *place)
}

#[cfg(test)]
mod tests;
