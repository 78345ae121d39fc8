//! One descriptor: which pipe it is an end of, if it is one, and how it is open.
//!
//! In a real proc, nothing here looks a file up by its path, statx(2) is asked not to synchronise, and no pipe or FIFO is ever
//! opened: so a dead mount does not block, but for file systems that synchronise all the same, and the fdinfo of an epoll. In a
//! tree of plain files, where links dangle, their text is the identity.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType as Type, Statx, StatxFlags};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::fd_table::Walk;
use super::parse::{self, FdInfo};
use super::root::{Real, device, read_small};
use super::watch::Step;
use super::work::{FileFacts, Found};
use super::{Facts, directories};
use crate::model::{
    AccessMode, Descriptor, Directories, Endpoint, Fd, FileType, Gid, OpenFlags, PipeFile, PipeId, Uid,
};

/// How often a descriptor that changes while we look at it is looked at again.
const ATTEMPTS: u32 = 4;

/// `S_IRUSR` and `S_IWUSR`: the mode of a link in /proc/PID/fd tells how the descriptor is open.
const LINK_READ: u32 = 0o400;
const LINK_WRITE: u32 = 0o200;

/// What tells whose a file is, and that it is the one that is meant.
const WHOSE: StatxFlags =
    StatxFlags::TYPE.union(StatxFlags::INO).union(StatxFlags::MODE).union(StatxFlags::UID).union(StatxFlags::GID);

/// What of `st_mode` is not the type of the file.
const PERMISSIONS: u16 = 0o7777;

impl Walk<'_, '_> {
    /// The end that a descriptor is, or none if it is something else, or open with `O_PATH`.
    pub(super) fn look(&self, fd: Fd) -> Result<Option<Found>, Errno> {
        match &self.context.scanner.root.real {
            Some(real) => self.look_in_proc(real, fd),
            None => self.look_in_tree(fd),
        }
    }

    fn look_in_proc(&self, real: &Real, fd: Fd) -> Result<Option<Found>, Errno> {
        for _ in 0..ATTEMPTS {
            let Some(pipe) = self.identify(real, fd)? else { return Ok(None) };
            let (access, flags, proved) = if self.context.scanner.want.flags {
                let info = self.fdinfo(fd)?;
                let flags = info.flags.ok_or(Errno::INVAL)?;
                (flags.access(), Some(flags), real.anonymous_pipe(info) == Some(pipe))
            } else {
                (self.link_mode(fd)?, None, false)
            };
            let found = self.end(fd, pipe, access, flags);
            // The number may have been closed and used again meanwhile: then mode and name are another file's.
            if proved || self.identify(real, fd)? == Some(pipe) {
                return Ok(found);
            }
        }
        // It changes faster than we can look, so there is no one thing that it is.
        Err(Errno::NOENT)
    }

    /// Which pipe, by (device, inode); none for any other file.
    fn identify(&self, real: &Real, fd: Fd) -> Result<Option<PipeId>, Errno> {
        let stat = self.statx(fd, StatxFlags::TYPE | StatxFlags::INO)?;
        Ok(pipe_of(&stat, Some(real)))
    }

    /// In a tree of plain files the text of the link comes first: `pipe:[18913]` leads nowhere, and is exact.
    fn look_in_tree(&self, fd: Fd) -> Result<Option<Found>, Errno> {
        let link = self.link(fd)?;
        let named = parse::anonymous_pipe(&link);
        if named.is_none() && link.starts_with(b"pipe:[") {
            return Err(Errno::INVAL);
        }
        let pipe = named.or_else(|| {
            // A name that leads nowhere here names no pipe that we could tell.
            self.statx(fd, StatxFlags::TYPE | StatxFlags::INO).ok().and_then(|stat| pipe_of(&stat, None))
        });
        let Some(pipe) = pipe else { return Ok(None) };
        let flags = self.fdinfo(fd)?.flags.ok_or(Errno::INVAL)?;
        if flags.access().is_none() && !flags.is_path() {
            return Err(Errno::INVAL);
        }
        Ok(self.end(fd, pipe, flags.access(), Some(flags)))
    }

    /// An anonymous pipe where the link may not be read.
    pub(super) fn known_by_fdinfo(&self, fd: Fd, info: FdInfo) -> Option<Found> {
        let pipe = self.context.scanner.root.real.as_ref()?.anonymous_pipe(info)?;
        self.end(fd, pipe, info.flags?.access(), info.flags)
    }

    fn end(&self, fd: Fd, pipe: PipeId, access: Option<AccessMode>, flags: Option<OpenFlags>) -> Option<Found> {
        let end = Endpoint { pid: self.table.pid(), tid: self.table.tid, fd, access: access?, flags };
        let is_fifo = matches!(pipe, PipeId::Fifo { .. });
        let file = (is_fifo || self.is_audit()).then(|| Box::new(self.file_facts(fd, pipe, is_fifo)));
        Some(Found { pipe, end, file })
    }

    fn is_audit(&self) -> bool {
        self.context.scanner.want.facts >= Facts::Audit
    }

    fn file_facts(&self, fd: Fd, pipe: PipeId, is_fifo: bool) -> FileFacts {
        let mut mask = StatxFlags::empty();
        mask.set(StatxFlags::NLINK, is_fifo);
        mask.set(WHOSE, self.is_audit());
        let stat = self.statx(fd, mask).ok().filter(|stat| stat.stx_mask & mask.bits() == mask.bits());
        // The number may have been closed and used again meanwhile.
        let is_it = |stat: &&Statx| pipe_of(stat, self.context.scanner.root.real.as_ref()) == Some(pipe);
        let file = stat.as_ref().filter(|_| self.is_audit()).filter(is_it).map(|stat| PipeFile {
            owner: Uid(stat.stx_uid),
            group: Gid(stat.stx_gid),
            mode: stat.stx_mode & PERMISSIONS,
            directories: None,
        });
        if !is_fifo {
            return FileFacts { file, ..FileFacts::default() };
        }
        let deleted = stat.is_some_and(|stat| stat.stx_nlink == 0);
        let path = self.link(fd).ok().map(|path| match path.strip_suffix(b" (deleted)") {
            // Only with no link left is this the kernel's word: a file may really be called so.
            Some(name) if deleted => name.to_vec(),
            _ => path,
        });
        let directories = |file: &PipeFile| self.directories(fd, pipe, path.as_deref().filter(|_| !deleted)?, file);
        let file = file.map(|file| PipeFile { directories: directories(&file), ..file });
        FileFacts { path, deleted, file }
    }

    /// What the directories above a FIFO allow, unless those of one on that mount have given no answer before.
    fn directories(&self, fd: Fd, pipe: PipeId, path: &[u8], file: &PipeFile) -> Option<Directories> {
        let (tid, context, process) = (self.table.tid, &self.context, &self.table.process);
        let dead = &context.scanner.dead_names;
        let mount = || self.fdinfo(fd).ok().and_then(|info| info.mnt_id);
        if let Some(hung) = context.skip.directories {
            if hung == (tid, fd) {
                dead.add(mount());
            }
            return None;
        }
        if !dead.is_empty() && dead.contains(mount()) {
            return None;
        }
        context.watch.doing(Step::Directories(tid, fd));
        let found = directories::directories(context.scanner, process, path, pipe, file);
        context.watch.doing(Step::Fd(tid, fd));
        found
    }

    /// Everything about a descriptor of any type, for a person to read. What cannot be read stays unknown.
    pub(super) fn describe(&self, fd: Fd) -> Descriptor {
        let identity = |stat: &Option<Statx>| stat.as_ref().map(|stat| (device(stat), stat.stx_ino, stat.stx_mode));
        let mask = StatxFlags::TYPE | StatxFlags::INO;
        let mut stat = self.statx(fd, mask).ok();
        let mut descriptor = self.describe_once(fd, stat.as_ref());
        for _ in 0..ATTEMPTS {
            let now = self.statx(fd, mask).ok();
            if identity(&now) == identity(&stat) {
                break;
            }
            // It was another file when the rest was read.
            stat = now;
            descriptor = self.describe_once(fd, stat.as_ref());
        }
        descriptor
    }

    fn describe_once(&self, fd: Fd, stat: Option<&Statx>) -> Descriptor {
        let real = self.context.scanner.root.real.as_ref();
        let target = self.link(fd).ok();
        // fdinfo of an epoll may wait for a dead file system (`ep_show_fdinfo` in fs/eventpoll.c), and cannot be killed then.
        let is_epoll = target.as_deref() == Some(b"anon_inode:[eventpoll]");
        let info = if is_epoll { None } else { self.fdinfo(fd).ok() };
        let flags = info.and_then(|info| info.flags);
        let access = match flags {
            Some(flags) => flags.access(),
            None => real.and_then(|_| self.link_mode(fd).ok().flatten()),
        };
        let pipe = stat.and_then(|stat| pipe_of(stat, real));
        let pipe = pipe.or_else(|| target.as_deref().and_then(parse::anonymous_pipe));
        let pipe = pipe.or_else(|| real?.anonymous_pipe(info?));
        let by_name = target.as_deref().and_then(file_type_by_name);
        Descriptor {
            pid: self.table.pid(),
            tid: self.table.tid,
            fd,
            access,
            flags,
            file_type: by_name.or_else(|| stat.and_then(file_type)).or(pipe.map(|_| FileType::Fifo)),
            target: target.map(Into::into),
            pipe,
        }
    }

    fn listing(&self) -> Result<&OwnedFd, Errno> {
        self.listing.ok_or(Errno::ACCESS)
    }

    fn statx(&self, fd: Fd, mask: StatxFlags) -> rustix::io::Result<Statx> {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        rustix::fs::statx(self.listing()?, DecInt::new(fd.0), flags, mask)
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

    pub(super) fn fdinfo(&self, fd: Fd) -> Result<FdInfo, Errno> {
        let tid = self.table.tid;
        if self.context.skip.fdinfos.contains(&(tid, fd)) {
            return Err(Errno::TIMEDOUT);
        }
        self.context.watch.doing(Step::FdInfo(tid, fd));
        let path = self.table.path(&format!("fdinfo/{fd}"));
        let text = read_small(self.table.process.dir(), path);
        self.context.watch.doing(Step::Fd(tid, fd));
        text.map(|text| parse::fdinfo(&text))
    }
}

/// The pipe that an answer of statx(2) is about. In a tree of plain files whatever can be followed is a FIFO.
pub(super) fn pipe_of(stat: &Statx, real: Option<&Real>) -> Option<PipeId> {
    if Type::from_raw_mode(stat.stx_mode.into()) != Type::Fifo {
        return None;
    }
    let (device, inode) = (device(stat), stat.stx_ino);
    Some(if real.is_some_and(|real| real.pipefs == device) {
        PipeId::Anonymous { inode }
    } else {
        PipeId::Fifo { device, inode }
    })
}

/// What the text of a link says by itself: names that no path can have, and those that a saved tree cannot follow.
fn file_type_by_name(target: &[u8]) -> Option<FileType> {
    let known: [(&[u8], FileType); 5] = [
        (b"anon_inode:", FileType::AnonymousInode),
        (b"pipe:[", FileType::Fifo),
        (b"socket:[", FileType::Socket),
        (b"/dev/pts/", FileType::CharacterDevice),
        (b"/dev/tty", FileType::CharacterDevice),
    ];
    known.into_iter().find(|(prefix, _)| target.starts_with(prefix)).map(|(_, file_type)| file_type)
}

fn file_type(stat: &Statx) -> Option<FileType> {
    match Type::from_raw_mode(stat.stx_mode.into()) {
        Type::RegularFile => Some(FileType::Regular),
        Type::Directory => Some(FileType::Directory),
        Type::Symlink => Some(FileType::Symlink),
        Type::Fifo => Some(FileType::Fifo),
        Type::Socket => Some(FileType::Socket),
        Type::CharacterDevice => Some(FileType::CharacterDevice),
        Type::BlockDevice => Some(FileType::BlockDevice),
        Type::Unknown => None,
    }
}
