//! One descriptor of an fd table: which pipe it is an end of, if it is one, and how it is open.
//!
//! In a real proc, nothing here looks a file up by its path, and no pipe or FIFO is ever opened: so a dead mount does not block, but
//! as [`statx`] says, and in the fdinfo of an epoll. In a tree of plain files, where links dangle, their text is the identity.

mod describe;

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::beneath::{Dir, open_listing};
use super::devpts;
use super::directories;
use super::epoll::is_epoll;
use super::heartbeat::ScanStep;
use super::parse::{self, FdInfo};
use super::process::ProcessDir;
use super::root::{read_piece, read_whole, statx};
use super::scanner::{Context, Scanner};
use crate::model::{
    AccessMode, Device, Directories, Endpoint, Fd, Gid, OpenFlags, PipeFile, PipeId, PossibleEnds, Side, Tid, Uid,
};
use crate::observe::channel::{self, Channel, Ends, Pipefs, device};
use crate::observe::join::{FileFacts, RawEndpoint};

/// Maximum number of looks at a descriptor that changes meanwhile.
const ATTEMPTS: u32 = 4;

/// Maximum length of an fdinfo, in bytes. That of an epoll has a line of some 80 bytes for each file in it; that of an `io_uring` has all
/// that waits in its rings before its files.
pub(super) const FDINFO: usize = 16 * 1024 * 1024;

/// The length in bytes within which the fields of any fdinfo stand.
const FDINFO_START: usize = 64 * 1024;

/// `S_IRUSR` and `S_IWUSR`: the mode of a link in /proc/PID/fd says how the descriptor is open.
const LINK_READ: u32 = 0o400;
const LINK_WRITE: u32 = 0o200;

/// The owner and mode of a file, and that it is the one that is meant.
pub(super) const OWNER: StatxFlags =
    StatxFlags::TYPE.union(StatxFlags::INO).union(StatxFlags::MODE).union(StatxFlags::UID).union(StatxFlags::GID);

/// The bits of `st_mode` that are not the type of the file.
const PERMISSIONS: u16 = 0o7777;

const NO_ENDS: Ends<RawEndpoint> = [None, None];

/// What a link says of a descriptor whose file may not be asked.
pub(super) enum ByLink {
    /// It is these ends, or none.
    Ends(Ends<RawEndpoint>),
    /// It is a file with a path, which may be a FIFO.
    Unknown(PossibleEnds),
}

/// The fd table of a process, or of one of its threads.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) process: Arc<ProcessDir>,
    /// None for the table of the process.
    pub(super) tid: Option<Tid>,
}

impl Table {
    pub(super) fn new(process: &Arc<ProcessDir>, tid: Option<Tid>) -> Self {
        Self { process: Arc::clone(process), tid }
    }

    /// A path below its directory, from that of the process.
    fn path(&self, leaf: fmt::Arguments<'_>) -> String {
        match self.tid {
            Some(tid) => format!("task/{tid}/{leaf}"),
            None => fmt::format(leaf),
        }
    }

    /// Opens its directory `fd` or `fdinfo` to list it.
    pub(super) fn open(&self, leaf: &str) -> rustix::io::Result<OwnedFd> {
        open_listing(self.process.dir(), self.path(format_args!("{leaf}")))
    }

    /// The number of descriptors; see [`ProcessDir::fd_count`].
    pub(super) fn size(&self, scanner: &Scanner) -> Option<u64> {
        self.process.fd_count(&self.path(format_args!("fd")), scanner)
    }
}

/// Looks at descriptors of one table.
#[derive(Clone, Copy)]
pub(super) struct FdDir<'a> {
    pub(super) table: &'a Table,
    /// The fd directory, relative to which descriptors are looked up; none where it may not be opened.
    pub(super) listing: Option<&'a OwnedFd>,
    pub(super) context: &'a Context<'a>,
}

impl FdDir<'_> {
    /// The ends that a descriptor is: none if it is something else, or open with `O_PATH`.
    pub(super) fn look(&self, fd: Fd) -> Result<Ends<RawEndpoint>, Errno> {
        match self.pipefs() {
            Some(pipefs) => self.look_in_proc(pipefs, fd),
            None => self.look_in_tree(fd),
        }
    }

    fn pipefs(&self) -> Option<&Pipefs> {
        self.context.scanner.root.pipefs()
    }

    fn look_in_proc(&self, pipefs: &Pipefs, fd: Fd) -> Result<Ends<RawEndpoint>, Errno> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.identify(fd)? else { return Ok(NO_ENDS) };
            let (access, flags, proved) = if self.context.scanner.options.flags {
                let info = self.fdinfo(fd)?;
                let flags = info.flags.ok_or(Errno::INVAL)?;
                (flags.access(), Some(flags), by_fdinfo(info, pipefs).map(Channel::Pipe) == Some(found))
            } else {
                (self.link_mode(fd)?, None, false)
            };
            let ends = self.ends(fd, found, access, flags);
            // The number may have been closed and used again meanwhile: then mode and name are another file's.
            if proved || self.identify(fd)? == Some(found) {
                return Ok(ends);
            }
        }
        // It changes faster than we can look.
        Err(Errno::NOENT)
    }

    /// Which pipe, by (device, inode), or which other channel; none for any other file.
    fn identify(&self, fd: Fd) -> Result<Option<Channel>, Errno> {
        let stat = self.statx(fd, StatxFlags::TYPE | StatxFlags::INO)?;
        Ok(self.channel(fd, &stat))
    }

    /// The channel that a file is, by the answer of statx(2) about it.
    fn channel(&self, fd: Fd, stat: &Statx) -> Option<Channel> {
        let scanner = self.context.scanner;
        if let Some(pipe) = channel::by_stat(stat, self.pipefs()) {
            return Some(Channel::Pipe(pipe));
        }
        if !scanner.options.channels || !scanner.root.is_real() {
            return None;
        }
        match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Socket => {
                let found = scanner.sockets.connected(scanner, &self.table.process, stat.stx_ino)?;
                Some(Channel::Unix(found.connection))
            }
            FileType::CharacterDevice => self.terminal(fd, stat).map(Channel::Pty),
            _ => None,
        }
    }

    /// In a tree of plain files the text of the link comes first: `pipe:[18913]` leads nowhere, and is exact.
    fn look_in_tree(&self, fd: Fd) -> Result<Ends<RawEndpoint>, Errno> {
        let found = match channel::by_link(&self.link(fd)?) {
            Some(id) => Some(Channel::Pipe(id.map_err(|_| Errno::INVAL)?)),
            // A name that leads nowhere here names no pipe that we could identify.
            None => self.identify(fd).ok().flatten(),
        };
        let Some(found) = found else { return Ok(NO_ENDS) };
        let flags = self.fdinfo(fd)?.flags.ok_or(Errno::INVAL)?;
        if flags.access().is_none() && !flags.is_path() {
            return Err(Errno::INVAL);
        }
        Ok(self.ends(fd, found, flags.access(), Some(flags)))
    }

    /// The ends that a descriptor is by its fdinfo alone, where the link may not be read. It shows no file that has a name.
    pub(super) fn ends_by_fdinfo(&self, fd: Fd, info: FdInfo) -> Option<Ends<RawEndpoint>> {
        let pipe = by_fdinfo(info, self.pipefs()?)?;
        Some(self.ends(fd, Channel::Pipe(pipe), Some(info.flags?.access()?), info.flags))
    }

    /// What a descriptor is by its link alone, where its file may not be asked.
    pub(super) fn look_at_link(&self, fd: Fd) -> Result<ByLink, Errno> {
        for _ in 0..ATTEMPTS {
            let link = self.link(fd)?;
            let access = self.link_mode(fd)?;
            let found = match (access, channel::by_link(&link)) {
                (Some(_), Some(Ok(pipe))) => {
                    ByLink::Ends(self.ends(fd, Channel::Pipe(pipe), access, self.flags_by_link(fd, &link)))
                }
                // Only a path may be that of a FIFO.
                (Some(access), _) if link.starts_with(b"/") => ByLink::Unknown(PossibleEnds {
                    anonymous: false,
                    device: self.private_device(fd),
                    ..ends_of(access)
                }),
                _ => ByLink::Ends(NO_ENDS),
            };
            // The number may have been closed and used again meanwhile.
            if self.link(fd)? == link {
                return Ok(found);
            }
        }
        Err(Errno::NOENT)
    }

    fn flags_by_link(&self, fd: Fd, link: &[u8]) -> Option<OpenFlags> {
        self.context.scanner.options.flags.then(|| self.fdinfo_by_link(fd, link)?.flags)?
    }

    /// The file system of a descriptor of which only that may be asked: a FUSE tells others than its user no more (`fuse_getattr` in
    /// fs/fuse/dir.c).
    fn private_device(&self, fd: Fd) -> Option<Device> {
        let stat = self.statx(fd, StatxFlags::empty()).ok()?;
        Some(device(&stat)).filter(|device| (device.major, device.minor) != (0, 0))
    }

    fn ends(
        &self,
        fd: Fd,
        channel: Channel,
        access: Option<AccessMode>,
        flags: Option<OpenFlags>,
    ) -> Ends<RawEndpoint> {
        let Some(access) = access else { return NO_ENDS };
        channel.ends(access).map(|end| {
            let (pipe, access) = end?;
            let end =
                Endpoint { pid: self.table.process.pid, tid: self.table.tid, fd, access, flags, description: None };
            Some(RawEndpoint { pipe, end, facts: self.facts(fd, channel).map(Box::new), description: None })
        })
    }

    /// The facts of a file that are wanted of its kind.
    fn facts(&self, fd: Fd, channel: Channel) -> Option<FileFacts> {
        let scanner = self.context.scanner;
        match channel {
            Channel::Pipe(pipe) => (pipe.kind().is_named() || scanner.is_audit()).then(|| self.file_facts(fd, pipe)),
            Channel::Unix(connection) => {
                let name = scanner.sockets.connected(scanner, &self.table.process, connection.own)?.name?;
                Some(FileFacts { path: Some(name.to_vec()), ..FileFacts::default() })
            }
            Channel::Pty(terminal) => {
                // A slave loses its name when its master is closed. That of the controlling terminal is not its own.
                let stat = self.statx(fd, StatxFlags::TYPE | StatxFlags::NLINK).ok();
                let deleted = stat.is_some_and(|stat| !terminal.is_master && stat.stx_nlink == 0);
                Some(FileFacts { path: Some(devpts::path(terminal)), deleted, file: None })
            }
        }
    }

    /// The name of a FIFO, and for an audit the owner and mode of any pipe.
    fn file_facts(&self, fd: Fd, pipe: PipeId) -> FileFacts {
        let mut seen = FileFacts::default();
        let (is_named, is_audit) = (pipe.kind().is_named(), self.context.scanner.is_audit());
        let mut mask = StatxFlags::empty();
        mask.set(StatxFlags::NLINK, is_named);
        mask.set(OWNER, is_audit);
        let stat = self.statx(fd, mask).ok().filter(|stat| stat.stx_mask & mask.bits() == mask.bits());
        // The number may have been closed and used again meanwhile.
        let is_it = |stat: &&Statx| is_audit && channel::by_stat(stat, self.pipefs()) == Some(pipe);
        seen.file = stat.as_ref().filter(is_it).map(|stat| PipeFile {
            owner: Uid(stat.stx_uid),
            group: Gid(stat.stx_gid),
            mode: stat.stx_mode & PERMISSIONS,
            directories: None,
        });
        if !is_named {
            return seen;
        }
        seen.deleted = stat.is_some_and(|stat| stat.stx_nlink == 0);
        seen.path = self.link(fd).ok().map(|path| match path.strip_suffix(parse::DELETED) {
            // Only with no link left is this the kernel's word: a file may really be called so.
            Some(name) if seen.deleted => name.to_vec(),
            _ => path,
        });
        if let (Some(path), Some(file), false) = (&seen.path, &mut seen.file, seen.deleted) {
            file.directories = self.directories(fd, pipe, path, file);
        }
        seen
    }

    /// What the directories above a FIFO allow, unless those of one on that mount have given no answer before.
    fn directories(&self, fd: Fd, pipe: PipeId, path: &[u8], file: &PipeFile) -> Option<Directories> {
        let (tid, context) = (self.table.tid, self.context);
        let dead = &context.scanner.budget.hung.dead_names;
        let mount = || self.fdinfo(fd).ok().and_then(|info| info.mnt_id);
        if context.scanner.budget.refuses(ScanStep::Directories(tid, fd)) {
            return None;
        }
        if let Some(hung) = context.timed_out.directories() {
            if hung == (tid, fd) {
                dead.add(mount());
            }
            return None;
        }
        if !dead.is_empty() && dead.contains(mount()) {
            return None;
        }
        let look = || directories::directories(context.scanner, &self.table.process, path, pipe, file);
        context.heartbeat.during(ScanStep::Directories(tid, fd), look)
    }

    fn listing(&self) -> Result<&OwnedFd, Errno> {
        self.listing.ok_or(Errno::ACCESS)
    }

    fn statx(&self, fd: Fd, mask: StatxFlags) -> rustix::io::Result<Statx> {
        let listing = self.listing()?;
        // A link of a tree that another user made may lead to anything on this machine.
        if self.pipefs().is_none() && !Dir::of_tree(listing).is_ours(&fd.to_string()) {
            return Err(Errno::ACCESS);
        }
        statx(listing, DecInt::new(fd.0), AtFlags::empty(), mask)
    }

    /// How it is open, by the mode of the link, which a real proc takes from the open file; none for `O_PATH`.
    pub(super) fn link_mode(&self, fd: Fd) -> rustix::io::Result<Option<AccessMode>> {
        let mode = rustix::fs::statat(self.listing()?, DecInt::new(fd.0), AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
        Ok(match (mode & LINK_READ != 0, mode & LINK_WRITE != 0) {
            (true, true) => Some(AccessMode::ReadWrite),
            (true, false) => Some(AccessMode::Read),
            (false, true) => Some(AccessMode::Write),
            (false, false) => None,
        })
    }

    pub(super) fn link(&self, fd: Fd) -> rustix::io::Result<Vec<u8>> {
        rustix::fs::readlinkat(self.listing()?, DecInt::new(fd.0), Vec::new()).map(std::ffi::CString::into_bytes)
    }

    /// The fdinfo of a descriptor whose link is known, unless it is an epoll: that waits for a lock, which another process may hold for as
    /// long as it likes (`ep_show_fdinfo` in fs/eventpoll.c), and such a wait cannot be killed.
    fn fdinfo_by_link(&self, fd: Fd, link: &[u8]) -> Option<FdInfo> {
        if is_epoll(link) { None } else { self.fdinfo(fd).ok() }
    }

    /// The same of a descriptor that is a file with a path, and so may be on a mount that does not answer.
    pub(super) fn fdinfo_of_file(&self, fd: Fd) -> Option<FdInfo> {
        self.link(fd).ok().filter(|link| link.starts_with(b"/")).and_then(|_| self.fdinfo(fd).ok())
    }

    /// The inode of an open file: as the kernel has it, since Linux 5.14, else as its file system tells it.
    pub(super) fn inode(&self, fd: Fd) -> Option<u64> {
        let link = self.link(fd).ok()?;
        let info = if self.pipefs().is_some() { self.fdinfo_by_link(fd, &link) } else { self.fdinfo(fd).ok() };
        info.and_then(|info| info.ino).or_else(|| self.file_id(fd).ok().map(|(_, inode)| inode))
    }

    /// The device and inode of a file, as statx(2) has them; not in a tree of plain files.
    pub(super) fn file_id(&self, fd: Fd) -> Result<(Device, u64), Errno> {
        let step = ScanStep::FdInfo(self.table.tid, fd);
        if self.pipefs().is_none() || self.context.timed_out.contains(step) {
            return Err(Errno::TIMEDOUT);
        }
        let stat = self.context.heartbeat.during(step, || self.statx(fd, StatxFlags::INO))?;
        let is_known = stat.stx_mask & StatxFlags::INO.bits() != 0;
        is_known.then(|| (device(&stat), stat.stx_ino)).ok_or(Errno::NODATA)
    }

    /// What any fdinfo begins with (`seq_show` in fs/proc/fd.c), however long the rest is. That of an epoll may hang: where the link can be
    /// read, [`fdinfo_by_link`](Self::fdinfo_by_link) tells.
    pub(super) fn fdinfo(&self, fd: Fd) -> Result<FdInfo, Errno> {
        let mut text = self.read_fdinfo(fd, |dir, path| read_piece(dir, path, FDINFO_START))?;
        if text.len() == FDINFO_START {
            text.truncate(text.iter().rposition(|byte| *byte == b'\n').unwrap_or_default());
        }
        Ok(parse::fdinfo(&text))
    }

    /// The whole fdinfo; fails with `EFBIG` where it is too long.
    pub(super) fn fdinfo_text(&self, fd: Fd) -> Result<Vec<u8>, Errno> {
        self.read_fdinfo(fd, |dir, path| read_whole(dir, path, FDINFO)?.ok_or(Errno::FBIG))
    }

    fn read_fdinfo(
        &self,
        fd: Fd,
        read: impl FnOnce(Dir<'_>, String) -> rustix::io::Result<Vec<u8>>,
    ) -> rustix::io::Result<Vec<u8>> {
        let step = ScanStep::FdInfo(self.table.tid, fd);
        if self.context.timed_out.contains(step) {
            return Err(Errno::TIMEDOUT);
        }
        let path = self.table.path(format_args!("fdinfo/{fd}"));
        self.context.heartbeat.during(step, || read(self.table.process.dir(), path))
    }
}

/// The ends of a FIFO that a descriptor open in this way may be.
pub(super) fn ends_of(access: AccessMode) -> PossibleEnds {
    let (read, write) = (access.is_on(Side::Read), access.is_on(Side::Write));
    PossibleEnds { read, write, ..PossibleEnds::NOTHING }
}

fn by_fdinfo(info: FdInfo, pipefs: &Pipefs) -> Option<PipeId> {
    channel::by_mount(info.mnt_id?, info.ino?, pipefs)
}
