//! Descriptors in an fd table: the ends of pipes, and all others.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::words::words;
use super::{Fd, FileDetails, LinkTarget, Pid, PipeId, Side, Tid};

words! {
    /// How a descriptor was opened: the `O_ACCMODE` part of its flags.
    pub enum AccessMode {
        /// `O_RDONLY`
        Read = "r",
        /// `O_WRONLY`
        Write = "w",
        /// `O_RDWR`: one descriptor that is both ends.
        ReadWrite = "rw",
    }
}

impl AccessMode {
    /// Whether a descriptor of this mode is on that side.
    #[must_use]
    pub const fn is_on(self, side: Side) -> bool {
        !matches!((self, side), (Self::Read, Side::Write) | (Self::Write, Side::Read))
    }
}

/// The flags of an open descriptor, as the octal number in the `flags` line of /proc/PID/fdinfo/FD.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Vec<String>", inline))]
pub struct OpenFlags(pub u32);

/// The bit of `O_SYNC` that is not in `O_DSYNC`.
const SYNC_ONLY: i32 = libc::O_SYNC & !libc::O_DSYNC;

/// The flags that have a name, numbered as on this machine. Left out: the access mode, which has a field of its own, and `O_LARGEFILE`,
/// which the kernel sets itself.
const FLAG_NAMES: [(i32, &str); 11] = [
    (libc::O_APPEND, "O_APPEND"),
    (libc::O_ASYNC, "O_ASYNC"),
    (libc::O_CLOEXEC, "O_CLOEXEC"),
    (libc::O_DIRECT, "O_DIRECT"),
    (libc::O_DIRECTORY, "O_DIRECTORY"),
    (libc::O_DSYNC, "O_DSYNC"),
    (libc::O_NOATIME, "O_NOATIME"),
    (libc::O_NOFOLLOW, "O_NOFOLLOW"),
    (libc::O_NONBLOCK, "O_NONBLOCK"),
    (libc::O_PATH, "O_PATH"),
    (SYNC_ONLY, "O_SYNC"),
];

impl OpenFlags {
    /// Whether the descriptor was opened with `O_PATH`: a reference to a file, and no end of a pipe.
    #[must_use]
    pub fn is_path(self) -> bool {
        self.has(libc::O_PATH)
    }

    /// Whether exec(2) closes it: `O_CLOEXEC`.
    #[must_use]
    pub fn closes_on_exec(self) -> bool {
        self.has(libc::O_CLOEXEC)
    }

    /// Whether reads and writes fail with `EAGAIN` where they would block: `O_NONBLOCK`.
    #[must_use]
    pub fn is_nonblocking(self) -> bool {
        self.has(libc::O_NONBLOCK)
    }

    /// The access mode, or none for an `O_PATH` descriptor, which has none.
    #[must_use]
    pub fn access(self) -> Option<AccessMode> {
        // O_PATH first: its access mode bits read 0, which would mean O_RDONLY.
        if self.is_path() {
            return None;
        }
        match self.0 & libc::O_ACCMODE.cast_unsigned() {
            0 => Some(AccessMode::Read),
            1 => Some(AccessMode::Write),
            2 => Some(AccessMode::ReadWrite),
            _ => None,
        }
    }

    /// The names of the flags that are set, in alphabetical order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        // O_SYNC implies the bit of O_DSYNC.
        let implied = move |flag| flag == libc::O_DSYNC && self.has(SYNC_ONLY);
        let set = move |flag| self.has(flag) && !implied(flag);
        FLAG_NAMES.into_iter().filter(move |(flag, _)| set(*flag)).map(|(_, name)| name)
    }

    fn has(self, flag: i32) -> bool {
        self.0 & flag.cast_unsigned() != 0
    }
}

/// Compares the names only.
impl PartialEq for OpenFlags {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }
}

impl Eq for OpenFlags {}

/// Writes the names.
impl Serialize for OpenFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for OpenFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flags = 0;
        for name in Vec::<String>::deserialize(deserializer)? {
            let known = FLAG_NAMES.into_iter().find(|(_, known)| *known == name);
            let unknown =
                || serde::de::Error::invalid_value(serde::de::Unexpected::Str(&name), &"the name of a flag of open(2)");
            let (flag, _) = known.ok_or_else(unknown)?;
            let implied = if flag == SYNC_ONLY { libc::O_DSYNC } else { 0 };
            flags |= (flag | implied).cast_unsigned();
        }
        Ok(Self(flags))
    }
}

/// One end of a pipe: a descriptor in a process's fd table. Never an `O_PATH` descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Endpoint {
    /// The process.
    pub pid: Pid,
    /// The thread, if its fd table is not that of its process.
    pub tid: Option<Tid>,
    /// The descriptor number.
    pub fd: Fd,
    /// How it is open.
    pub access: AccessMode,
    /// The flags; none if they were not asked for or could not be read.
    pub flags: Option<OpenFlags>,
    /// The open file description, see open(2), by a number that is the same for all descriptors in this report that share it: those that
    /// were duplicated, inherited or sent. Missing if the kernel did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u32"))]
    pub description: Option<u32>,
}

impl Endpoint {
    /// Identifies an end, and is the order of ends in every output.
    #[must_use]
    pub const fn key(&self) -> (Pid, Option<Tid>, Fd) {
        (self.pid, self.tid, self.fd)
    }
}

/// A descriptor of any type, for the listing of a whole fd table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Descriptor {
    /// The process.
    pub pid: Pid,
    /// The thread, as in [`Endpoint::tid`].
    pub tid: Option<Tid>,
    /// The descriptor number.
    pub fd: Fd,
    /// How it is open; none for `O_PATH`, and if it could not be read.
    pub access: Option<AccessMode>,
    /// The flags; none if they could not be read.
    pub flags: Option<OpenFlags>,
    /// The type of the file; none if it is not known.
    #[serde(rename = "type")]
    pub file_type: Option<FileType>,
    /// The link in /proc/PID/fd; none if it could not be read.
    #[serde(flatten, serialize_with = "LinkTarget::or_null", deserialize_with = "LinkTarget::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<LinkTarget>"))]
    pub target: Option<LinkTarget>,
    /// The pipe, if it is one.
    pub pipe: Option<PipeId>,
    /// What else is known of a file that has no path; missing if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "FileDetails"))]
    pub details: Option<FileDetails>,
    /// Whether a thread of the process waits for it, in poll(2), select(2) or a call on it, or an epoll of the process watches it. Missing
    /// if that could not be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "bool"))]
    pub polled: Option<bool>,
}

impl Descriptor {
    /// Identifies a descriptor, as [`Endpoint::key`].
    #[must_use]
    pub const fn key(&self) -> (Pid, Option<Tid>, Fd) {
        (self.pid, self.tid, self.fd)
    }
}

words! {
    /// The type of an open file.
    pub enum FileType {
        /// A regular file.
        Regular = "REG",
        /// A directory.
        Directory = "DIR",
        /// A character device.
        CharacterDevice = "CHR",
        /// A block device.
        BlockDevice = "BLK",
        /// A pipe or FIFO.
        Fifo = "FIFO",
        /// A socket.
        Socket = "SOCK",
        /// A symbolic link, opened with `O_PATH`.
        Symlink = "LINK",
        /// An inode without a name or type, such as an epoll or an eventfd.
        AnonymousInode = "a_inode",
    }
}
