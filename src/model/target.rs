//! What a thread waits for: a channel, a child, another thread, a lock, an eventfd or a lock on a file.

use serde::{Deserialize, Serialize};

use super::words::{Either, words};
use super::{AccessMode, Device, Fd, PathName, Pid, PipeId, Side};

/// One thing that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "FlatTarget"))]
#[serde(from = "FlatTarget", into = "FlatTarget")]
pub enum WaitTarget {
    /// A pipe.
    Pipe(PipeWait),
    /// The exit of a child.
    Children(Children),
    /// Another thread of its process, by a private futex.
    Threads,
    /// A process that maps the same file, by a futex in that.
    Lock(SharedLock),
    /// A process that has the same eventfd(2).
    Event(EventId),
    /// A process that holds a lock on a file, in flock(2) or fcntl(2).
    FileLock(FileLockWait),
}

/// A thread's wait for a lock on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLockWait {
    /// Its own descriptor of the file; none if the call could not be read.
    pub fd: Option<Fd>,
    /// The link of that descriptor in /proc/PID/fd.
    pub path: Option<PathName>,
    /// The lock; none if the file could not be identified, or its file system waits for a server.
    pub lock: Option<FileLock>,
}

/// A lock on a file: those of flock(2) and of fcntl(2) do not see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FileLock {
    /// By which call it is taken.
    pub kind: FileLockKind,
    /// The device of the file, as statx(2) has it.
    pub device: Device,
    /// Its inode.
    pub inode: u64,
}

words! {
    /// The call that takes a lock on a file.
    pub enum FileLockKind {
        /// flock(2): all processes that share the open file hold it.
        Flock = "flock",
        /// fcntl(2): a process holds it, or all that share the open file (`F_OFD_SETLKW`). It may be for a part of the file.
        Fcntl = "fcntl",
    }
}

/// A futex in memory that processes share: see futex(2). Named by the file that they map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SharedLock {
    /// The device of the file, as /proc/PID/maps has it.
    pub device: Device,
    /// Its inode.
    pub inode: u64,
    /// The offset in it, in bytes.
    pub offset: u64,
}

/// An eventfd(2), by the `eventfd-id` of its fdinfo: unique since boot (`ida_alloc` in fs/eventfd.c; reused after its end).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct EventId(pub u32);

/// A [`WaitTarget`] as JSON has it: `wait` is for a child, `threads` for another thread of the same process, `lock` for a process that maps
/// the same file, `event` for one that has the same eventfd, `file-lock` for one that holds a lock on a file.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FlatTarget {
    /// `read`, `write`, `open`, `poll` or `hangup` of a pipe; `wait` for a child; `threads`, `lock`, `event` or `file-lock`.
    operation: Either<Operation, OtherWait>,
    /// `r`: it waits for data; `w`: for room; `rw`: for either; null for `wait` and `threads`.
    access: Option<AccessMode>,
    /// The descriptor; null for `open`, `wait` and `threads`, and if it is not known.
    fd: Option<Fd>,
    /// The ID of the pipe; null for `wait` and `threads`, and if it is not known.
    pipe: Option<PipeId>,
    /// For `open`: the path of the FIFO; for `file-lock`: that of the file.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    path: Option<PathName>,
    /// For `open`: true if the FIFO has been deleted; otherwise missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    /// For `poll`: true if it waits for room, and shows that there is none; otherwise missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    full: bool,
    /// For `wait`: the child; missing if it waits for any child.
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<Pid>,
    /// For `lock`: the file and offset of the futex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<SharedLock>,
    /// For `event`: the `eventfd-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eventfd: Option<EventId>,
    /// For `file-lock`: the file and how it is locked; missing if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_lock: Option<FileLock>,
}

words! {
    /// A wait that is not for a pipe.
    enum OtherWait {
        /// For a child.
        Wait = "wait",
        /// For another thread of the same process.
        Threads = "threads",
        /// For a process that maps the same file.
        Lock = "lock",
        /// For a process that has the same eventfd.
        Event = "event",
        /// For a process that holds a lock on a file.
        FileLock = "file-lock",
    }
}

impl From<WaitTarget> for FlatTarget {
    fn from(target: WaitTarget) -> Self {
        let of = |word, child| {
            let (operation, access, fd, pipe, path) = (Either::B(word), None, None, None, None);
            Self {
                operation,
                access,
                fd,
                pipe,
                path,
                deleted: false,
                full: false,
                child,
                lock: None,
                eventfd: None,
                file_lock: None,
            }
        };
        match target {
            WaitTarget::Pipe(PipeWait { operation, access, fd, pipe, path, deleted, full }) => Self {
                fd,
                pipe,
                path,
                deleted,
                full,
                operation: Either::A(operation),
                access: Some(access),
                ..of(OtherWait::Wait, None)
            },
            WaitTarget::Lock(lock) => Self { lock: Some(lock), ..of(OtherWait::Lock, None) },
            WaitTarget::Event(id) => Self { eventfd: Some(id), ..of(OtherWait::Event, None) },
            WaitTarget::FileLock(FileLockWait { fd, path, lock }) => {
                Self { fd, path, file_lock: lock, ..of(OtherWait::FileLock, None) }
            }
            WaitTarget::Children(Children::One(child)) => of(OtherWait::Wait, Some(child)),
            WaitTarget::Children(Children::All) => of(OtherWait::Wait, None),
            WaitTarget::Threads => of(OtherWait::Threads, None),
        }
    }
}

impl From<FlatTarget> for WaitTarget {
    fn from(flat: FlatTarget) -> Self {
        let FlatTarget { operation, access, fd, pipe, path, deleted, full, child, lock, eventfd, file_lock } = flat;
        let operation = match operation {
            Either::A(operation) => operation,
            Either::B(OtherWait::Wait) => return Self::Children(child.map_or(Children::All, Children::One)),
            Either::B(OtherWait::Threads) => return Self::Threads,
            // Without its field it is no such wait of ours.
            Either::B(OtherWait::Lock) => return lock.map_or(Self::Threads, Self::Lock),
            Either::B(OtherWait::Event) => return eventfd.map_or(Self::Threads, Self::Event),
            Either::B(OtherWait::FileLock) => return Self::FileLock(FileLockWait { fd, path, lock: file_lock }),
        };
        // Missing in reports of older versions.
        let usual = if operation == Operation::Write { AccessMode::Write } else { AccessMode::Read };
        Self::Pipe(PipeWait { operation, access: access.unwrap_or(usual), fd, pipe, path, deleted, full })
    }
}

/// A thread's wait for a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeWait {
    /// What it does at the pipe.
    pub operation: Operation,
    /// `Read`: it waits for writers; `Write`: for readers; `ReadWrite`, a poll of an `O_RDWR` end: for both.
    pub access: AccessMode,
    /// The descriptor; none in open(2), and if it is not known.
    pub fd: Option<Fd>,
    /// The pipe; none if the system call could not be read, or the descriptor has been closed meanwhile.
    pub pipe: Option<PipeId>,
    /// In open(2): the path, joined to the directory that it is relative to if that is known. It may name another file in our mount
    /// namespace.
    pub path: Option<PathName>,
    /// In open(2): whether no file has that path any more: the FIFO was deleted, or it or what leads to it was renamed.
    pub deleted: bool,
    /// In a poll for room alone: whether there is none, since it would return at once. One that is edge-triggered would not; see epoll(7).
    pub full: bool,
}

impl PipeWait {
    /// Whether it waits for room in a channel that is full.
    pub(crate) fn is_for_room(&self) -> bool {
        self.operation == Operation::Write || self.full
    }

    /// The sides whose holders could end the wait.
    pub fn awaited(&self) -> impl Iterator<Item = Side> + use<> {
        let access = self.access;
        Side::BOTH.into_iter().filter(move |side| access.is_on(side.other()))
    }
}

words! {
    /// What a thread does at a pipe.
    pub enum Operation {
        /// read(2) and similar calls, and splice(2) or tee(2) from it.
        Read = "read",
        /// write(2) and similar calls, and splice(2), tee(2), vmsplice(2) or sendfile(2) to it.
        Write = "write",
        /// open(2) of a FIFO.
        Open = "open",
        /// poll(2), select(2), `epoll_wait(2)` and similar calls.
        Poll = "poll",
        /// Such a call that asks neither for data nor for room, so that only a hang-up or an error ends it: `events` is 0.
        Hangup = "hangup",
    }
}

/// Which children a wait(2) is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    /// This one.
    One(Pid),
    /// Any child, or any of a process group.
    All,
}

words! {
    /// What could end a wait apart from its causes.
    pub enum AlternativeWake {
        /// It has a timeout.
        Timeout = "timeout",
        /// It is also for descriptors other than pipes.
        Files = "files",
        /// It is for the lock of the pipe, held by another thread in a call that does not return.
        Lock = "lock",
    }
}
