//! The words of the program as types: what a pipe, an end and a process are, and what a scan could not see.
//!
//! Knows nothing of /proc, of options or of output, and imports nothing of the crate. Names of processes and files are
//! bytes, since the kernel promises no encoding for them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

/// Defines an identifier that is a number to the kernel and a type to us, so that a PID never stands in an fd's place.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A process ID, as the scanned proc file system numbers it.
    Pid
}
number! {
    /// A thread ID.
    Tid
}
number! {
    /// A file descriptor number.
    Fd
}
number! {
    /// A user ID.
    Uid
}

impl Pid {
    /// The largest PID that a kernel can hand out: `PID_MAX_LIMIT`, 2²², in include/linux/threads.h.
    pub const MAX: Self = Self(4 * 1024 * 1024);
}

/// A device number, shown as `major:minor` in decimal, as in /proc/PID/mountinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for Device {
    type Err = NotAPipeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once(':').ok_or(NotAPipeId)?;
        Ok(Self {
            major: decimal(major)?,
            minor: decimal(minor)?,
        })
    }
}

/// What sort of pipe it is; see pipe(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PipeKind {
    /// Made by pipe(2); lives in pipefs and has no name.
    Anonymous,
    /// A FIFO special file; see fifo(7).
    Fifo,
}

impl PipeKind {
    /// The word for this kind in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Fifo => "fifo",
        }
    }
}

/// Which pipe: its device and inode together, since FIFOs of two file systems may share an inode number.
///
/// All anonymous pipes of a kernel are on one device, pipefs, so they are known by their inode alone, and the device is a
/// fact of the [`PipeGraph`]. Ordered with anonymous pipes first, then by device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// The text is not the name of a pipe in either form of [`PipeId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPipeId;

impl FromStr for PipeId {
    type Err = NotAPipeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inside = |prefix| text.strip_prefix(prefix)?.strip_suffix(']');
        if let Some(inode) = inside("pipe:[") {
            return Ok(Self::Anonymous {
                inode: decimal(inode)?,
            });
        }
        let (device, inode) = inside("fifo:[")
            .and_then(|id| id.rsplit_once(':'))
            .ok_or(NotAPipeId)?;
        Ok(Self::Fifo {
            device: device.parse()?,
            inode: decimal(inode)?,
        })
    }
}

/// A number in plain digits; `parse` alone would take `+5` too, which the kernel never writes.
fn decimal<T: FromStr>(text: &str) -> Result<T, NotAPipeId> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAPipeId);
    }
    text.parse().map_err(|_| NotAPipeId)
}

/// One of the two directions of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The read end, held by readers.
    Read,
    /// The write end, held by writers.
    Write,
}

/// How a descriptor was opened: the `O_ACCMODE` part of its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessMode {
    /// `O_RDONLY`
    Read,
    /// `O_WRONLY`
    Write,
    /// `O_RDWR`: one descriptor that is both ends.
    ReadWrite,
}

impl AccessMode {
    /// `r`, `w` or `rw`, as lsfd writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::ReadWrite => "rw",
        }
    }

    /// Whether a descriptor of this mode is an end on that side.
    #[must_use]
    pub const fn is_on(self, side: Side) -> bool {
        !matches!(
            (self, side),
            (Self::Read, Side::Write) | (Self::Write, Side::Read)
        )
    }
}

/// The flags of an open descriptor, as the octal number in the `flags` line of /proc/PID/fdinfo/FD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

/// The flags worth a name, as fcntl.h of the machine we run on numbers them. Left out: the access mode, which has a field of
/// its own, and `O_LARGEFILE`, which the kernel sets by itself.
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
    // The bit that O_SYNC has beyond O_DSYNC.
    (libc::O_SYNC & !libc::O_DSYNC, "O_SYNC"),
];

impl OpenFlags {
    /// Whether the descriptor was opened with `O_PATH`: a reference to a file, and no end of a pipe.
    #[must_use]
    pub fn is_path(self) -> bool {
        self.has(libc::O_PATH)
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
        FLAG_NAMES
            .into_iter()
            .filter(move |(flag, _)| self.has(*flag))
            .map(|(_, name)| name)
    }

    fn has(self, flag: i32) -> bool {
        self.0 & flag.cast_unsigned() != 0
    }
}

/// One end of a pipe: a descriptor in a process's fd table. Never an `O_PATH` descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The process.
    pub pid: Pid,
    /// The thread, where the descriptor is in an fd table that the thread does not share with its process.
    pub tid: Option<Tid>,
    /// The descriptor number.
    pub fd: Fd,
    /// How it is open.
    pub access: AccessMode,
    /// Its flags, where they were asked for and could be read.
    pub flags: Option<OpenFlags>,
}

impl Endpoint {
    /// What tells one end from another, and the order of ends in every output.
    #[must_use]
    pub const fn key(&self) -> (Pid, Option<Tid>, Fd) {
        (self.pid, self.tid, self.fd)
    }
}

/// A pipe and all its ends that were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipe {
    /// Which pipe.
    pub id: PipeId,
    /// A FIFO's name as its first holder opened it, in that holder's mount namespace.
    pub path: Option<Vec<u8>>,
    /// Whether the FIFO has no name left in its file system (link count 0).
    pub deleted: bool,
    /// The ends, ordered by [`Endpoint::key`]. A read-write end stands here once.
    pub ends: Vec<Endpoint>,
}

impl Pipe {
    /// The ends on one side; a read-write end is on both.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Endpoint> {
        self.ends.iter().filter(move |end| end.access.is_on(side))
    }
}

/// Facts about a process that holds an end. A fact is none where its file could not be read, or was not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The process ID.
    pub pid: Pid,
    /// The parent.
    pub ppid: Option<u32>,
    /// The process group.
    pub pgid: Option<u32>,
    /// The session.
    pub sid: Option<u32>,
    /// The effective user ID.
    pub uid: Option<Uid>,
    /// The command name (comm), at most 15 bytes.
    pub command: Vec<u8>,
    /// The command line; empty for a kernel thread or a zombie.
    pub cmdline: Option<Vec<Vec<u8>>>,
    /// The state letter of `proc_pid_stat(5)`, for example `S`.
    pub state: Option<char>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// Its PID in its own, innermost PID namespace, where that is another than the scanned one.
    pub ns_pid: Option<u32>,
    /// The container, from its cgroup: an ID in hexadecimal, or the name of an LXC container or a machine.
    pub container: Option<String>,
    /// The systemd unit, from its cgroup.
    pub unit: Option<String>,
}

/// A descriptor of any type, for the whole fd table of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The process.
    pub pid: Pid,
    /// The thread, as in [`Endpoint::tid`].
    pub tid: Option<Tid>,
    /// The descriptor number.
    pub fd: Fd,
    /// How it is open; none for `O_PATH`, and where it could not be read.
    pub access: Option<AccessMode>,
    /// Its flags, where they could be read.
    pub flags: Option<OpenFlags>,
    /// The type of the file, where it could be told.
    pub file_type: Option<FileType>,
    /// The text of the link in /proc/PID/fd, where it could be read.
    pub target: Option<Vec<u8>>,
    /// The pipe, where it is one.
    pub pipe: Option<PipeId>,
}

impl Descriptor {
    /// What tells one descriptor from another, as [`Endpoint::key`].
    #[must_use]
    pub const fn key(&self) -> (Pid, Option<Tid>, Fd) {
        (self.pid, self.tid, self.fd)
    }
}

/// The type of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A pipe or FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A symbolic link, which only `O_PATH` can hold open.
    Symlink,
    /// An inode without a name or type, such as an epoll or an eventfd.
    AnonymousInode,
}

impl FileType {
    /// The name in the TYPE column of lsof(8).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "REG",
            Self::Directory => "DIR",
            Self::CharacterDevice => "CHR",
            Self::BlockDevice => "BLK",
            Self::Fifo => "FIFO",
            Self::Socket => "SOCK",
            Self::Symlink => "LINK",
            Self::AnonymousInode => "a_inode",
        }
    }
}

/// The machine that was scanned; a field is none where the proc tree does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The name of the host.
    pub hostname: Option<String>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The random ID of this boot.
    pub boot_id: Option<String>,
}

/// What of a process could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
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

impl Unread {
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
pub struct MayHold {
    /// A read end.
    pub read: bool,
    /// A write end.
    pub write: bool,
    /// An end of an anonymous pipe; false where all of those were identified in another way.
    pub anonymous: bool,
}

impl MayHold {
    /// Any end at all.
    pub const ANYTHING: Self = Self {
        read: true,
        write: true,
        anonymous: true,
    };
    /// No end: what is missing is something else.
    pub const NOTHING: Self = Self {
        read: false,
        write: false,
        anonymous: false,
    };

    /// Both together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
            anonymous: self.anonymous || other.anonymous,
        }
    }

    fn covers(self, kind: PipeKind, side: Side) -> bool {
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
    /// Its command, empty if even that could not be read.
    pub command: Vec<u8>,
    /// Its effective user ID.
    pub uid: Option<Uid>,
    /// What of it.
    pub what: Unread,
    /// Why: the name of an errno, for example `EACCES`. `ETIMEDOUT` stands for a call that gave no answer.
    pub error: String,
    /// How many descriptors are concerned, where that is known.
    pub fds: Option<u64>,
    /// The mount that did not answer, where a call gave no answer.
    pub mount: Option<PathBuf>,
    /// The ends that may be there all the same.
    pub may_hold: MayHold,
}

/// Why there may be processes that the scan was not even told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// The proc file system is that of a PID namespace: processes outside it are not listed.
    PidNamespace,
    /// The proc file system is mounted with `hidepid`, and we are not exempt.
    Hidepid,
}

impl Outside {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PidNamespace => "pid-namespace",
            Self::Hidepid => "hidepid",
        }
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
    pub outside: Option<Outside>,
    /// Whether the scan was made as root.
    pub as_root: bool,
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

    /// How many processes could not be read whole. `gaps` may have several entries for one.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.gaps.chunk_by(|a, b| a.pid == b.pid).count()
    }
}

/// All pipes of a machine with all their ends, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeGraph {
    /// The machine.
    pub host: Host,
    /// When the scan began.
    pub taken_at: Timestamp,
    /// How much of it was seen.
    pub coverage: Coverage,
    /// The device of all anonymous pipes; none in a proc tree of plain files.
    pub pipefs: Option<Device>,
    /// Every process there was, with its parent if parents were wanted.
    pub parents: BTreeMap<Pid, Option<Pid>>,
    /// Every process that holds an end, by PID.
    pub processes: BTreeMap<Pid, Process>,
    /// Every pipe that has an end, ordered by ID.
    pub pipes: Vec<Pipe>,
    /// The whole fd tables that were asked for, ordered by PID, thread and number.
    pub descriptors: Vec<Descriptor>,
}

impl PipeGraph {
    /// The device that a pipe is on.
    #[must_use]
    pub fn device(&self, id: PipeId) -> Option<Device> {
        match id {
            PipeId::Anonymous { .. } => self.pipefs,
            PipeId::Fifo { device, .. } => Some(device),
        }
    }

    /// The pipe of that ID.
    #[must_use]
    pub fn pipe(&self, id: PipeId) -> Option<&Pipe> {
        let index = self.pipes.binary_search_by_key(&id, |pipe| pipe.id).ok()?;
        self.pipes.get(index)
    }
}
