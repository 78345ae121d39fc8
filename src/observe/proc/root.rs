//! The proc root: a real proc file system or a directory tree like one, and what it says of the whole machine.

use std::fs::File;
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, CWD, PROC_SUPER_MAGIC, RawDir, Statx, StatxFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use super::beneath::{Dir, open_dir, open_file, open_listing};
use super::process::is_refusal;
use super::{Error, mounts, parse};
use crate::model::{Host, Pid, PipeLimits, ViewLimit};
use crate::observe::channel::{Pipefs, device};
use crate::privilege::without_capabilities;

/// `PF_KTHREAD` of include/linux/sched.h.
pub(super) const PF_KTHREAD: u32 = 0x0020_0000;

/// `PF_EXITING` of include/linux/sched.h: the process is on its way out.
pub(super) const PF_EXITING: u32 = 0x4;

/// Maximum length of /proc/stat and of mountinfo, in bytes.
pub(super) const LONG: u64 = 16 * 1024 * 1024;

/// Maximum length of a small file, in bytes. The longest real one is the status of a process in 65536 groups (`NGROUPS_MAX`) of up to 10
/// digits each, which stand before most of its fields; a file of a tree may be huge.
const SMALL: usize = 1024 * 1024;

/// An open proc root.
pub(super) struct ProcRoot {
    path: PathBuf,
    dir: OwnedFd,
    /// None for a tree of plain files.
    pub(super) proc_fs: Option<ProcFs>,
}

/// What only a real proc file system can give.
pub(super) struct ProcFs {
    pub(super) pipefs: Pipefs,
    /// Whether `st_size` of an fd directory is the number of descriptors: since Linux 6.2, before it was always 0.
    pub(super) dir_size_is_count: bool,
    /// Whether its PIDs are those of our own PID namespace, so that a system call may use them.
    pub(super) own_pids: bool,
}

impl ProcRoot {
    /// Opens it with the rights of our user. Only what is a proc file system is then looked through with more.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |errno: Errno| Error::OpenRoot { path: path.to_owned(), source: errno.into() };
        let open = || {
            let dir = open_dir(CWD, path)?;
            let kind = rustix::fs::fstatfs(&dir)?.f_type;
            Ok((dir, kind))
        };
        let (dir, kind) = without_capabilities(open).map_err(failed)?;
        let mut root = Self { path: path.to_owned(), dir, proc_fs: None };
        if kind == PROC_SUPER_MAGIC {
            // Every proc has it at its root (`proc_setup_self` in fs/proc/self.c), and nowhere else.
            if rustix::fs::statat(&root.dir, c"self", AtFlags::SYMLINK_NOFOLLOW).is_err() {
                return Err(Error::InsideProc(root.path));
            }
            root.proc_fs = Some(root.detect_pipefs()?);
        }
        Ok(root)
    }

    /// Does some work with it, in a directory tree with no more rights than our user has.
    pub(super) fn confined<T>(self, work: impl FnOnce(Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.is_real() { work(self) } else { without_capabilities(|| work(self)) }
    }

    /// The directory, for lookups below it.
    pub(super) fn dir(&self) -> Dir<'_> {
        if self.is_real() { Dir::of_proc(&self.dir) } else { Dir::of_tree(&self.dir) }
    }

    /// Makes a pipe of our own, the only one that we may touch, and looks at it through this proc. It is closed on return.
    fn detect_pipefs(&self) -> Result<ProcFs, Error> {
        let failed = |call| move |errno: Errno| Error::Pipefs { call, source: errno.into() };
        let (read_end, _write_end) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed("pipe2(2)"))?;
        let stat = rustix::fs::statx(&read_end, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE | StatxFlags::INO)
            .map_err(failed("statx(2)"))?;
        // "self" and never getpid(2): the proc of another PID namespace numbers us differently, or not at all.
        let own = rustix::fs::readlinkat(&self.dir, c"self", Vec::new()).ok();
        let info = read_small(Dir::of_proc(&self.dir), format!("self/fdinfo/{}", read_end.as_raw_fd()));
        let info = info.map(|text| parse::fdinfo(&text));
        let table = rustix::fs::statat(&self.dir, c"self/fd", AtFlags::empty());
        Ok(ProcFs {
            pipefs: Pipefs { device: device(&stat), mnt_id: info.ok().and_then(|info| info.mnt_id) },
            dir_size_is_count: table.is_ok_and(|table| table.st_size > 0),
            own_pids: own.is_some_and(|own| own.to_bytes() == std::process::id().to_string().as_bytes()),
        })
    }

    /// The file system of anonymous pipes; none for a tree of plain files.
    pub(super) fn pipefs(&self) -> Option<&Pipefs> {
        self.proc_fs.as_ref().map(|proc_fs| &proc_fs.pipefs)
    }

    /// Whether it is a proc file system, and no tree of plain files.
    pub(super) const fn is_real(&self) -> bool {
        self.proc_fs.is_some()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_dir(self) -> OwnedFd {
        self.dir
    }

    /// Every process, ascending. What is not named by a number in the range of PIDs is no process.
    pub(super) fn pids(&self) -> Result<Vec<Pid>, Error> {
        let failed = |errno: Errno| Error::OpenRoot { path: self.path.clone(), source: errno.into() };
        let listing = open_listing(self.dir(), c".").map_err(failed)?;
        let mut pids: Vec<Pid> = numbers_in(listing).map_err(failed)?.into_iter().map(Pid).collect();
        pids.retain(|pid| *pid > Pid(0) && *pid <= Pid::MAX);
        if pids.is_empty() {
            if !self.is_real() {
                return Err(Error::NotProc(self.path.clone()));
            }
            if !self.is_hidepid() {
                return Err(Error::EndedNamespace(self.path.clone()));
            }
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// Those of some processes that exist, ascending. What it costs does not depend on how many others there are.
    pub(super) fn those_there(&self, wanted: &[Pid]) -> Result<Vec<Pid>, Error> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if !self.is_real() {
            // Its directories may be anything.
            return Ok(self.pids()?.into_iter().filter(|pid| wanted.contains(pid)).collect());
        }
        // The kernel looks up threads here, too, which it does not list (`proc_pid_lookup` in fs/proc/base.c).
        let is_thread = |pid: Pid| {
            let status = self.read(&format!("{pid}/status")).unwrap_or_default();
            parse::tgid(&status).is_some_and(|tgid| tgid != pid.0)
        };
        let is_gone = |pid: Pid| self.process_dir(pid).is_err_and(|errno| self.is_vanished(errno));
        let mut pids: Vec<Pid> = wanted.to_vec();
        pids.retain(|pid| !is_gone(*pid) && !is_thread(*pid));
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// The directory of a process, as an `O_PATH` descriptor. All else is looked up relative to it, so that a PID that is
    /// used again meanwhile cannot mix two processes up.
    pub(super) fn process_dir(&self, pid: Pid) -> rustix::io::Result<OwnedFd> {
        open_dir(self.dir(), rustix::path::DecInt::new(pid.0))
    }

    /// Whether an error means that a process or descriptor went away. In a tree of plain files nothing goes away.
    pub(super) fn is_vanished(&self, errno: Errno) -> bool {
        self.is_real() && matches!(errno, Errno::NOENT | Errno::SRCH)
    }

    /// What names the machine: not when it was booted, which is asked for only where it is needed.
    pub(super) fn host(&self) -> Host {
        let line = |path| {
            let text = self.read(path).ok()?;
            Some(String::from_utf8_lossy(parse::line(&text)).into_owned())
        };
        Host {
            hostname: line("sys/kernel/hostname"),
            kernel: line("sys/kernel/osrelease"),
            boot_id: line("sys/kernel/random/boot_id"),
            booted_at: None,
        }
    }

    pub(super) fn pipe_limits(&self) -> PipeLimits {
        let number = |path| parse::single(&self.read(path).ok()?);
        PipeLimits {
            user_pages_soft: number("sys/fs/pipe-user-pages-soft"),
            user_pages_hard: number("sys/fs/pipe-user-pages-hard"),
            page_size: Some(procfs::page_size()),
        }
    }

    /// When the machine was booted, by its clock as it is now.
    pub(super) fn booted_at(&self) -> Option<Timestamp> {
        let seconds = parse::boot_time(&read_up_to(self.dir(), c"stat", LONG).ok()?)?;
        Timestamp::from_second(seconds).ok()
    }

    /// Why there may be processes that `pids` does not show.
    pub(super) fn view_limit(&self, pids: &[Pid]) -> Option<ViewLimit> {
        if !self.is_real() {
            return None;
        }
        // Every PID namespace has a process 1 for as long as any process lives in it.
        if pids.first() != Some(&Pid(1)) {
            return Some(ViewLimit::Hidepid);
        }
        // Kernel threads live in the initial namespace only, and the first of them, kthreadd, has PID 2 there.
        match self.read("2/stat").map(|text| parse::stat(&text).flags) {
            Ok(Some(flags)) if flags & PF_KTHREAD != 0 => None,
            // With hidepid=1, processes of others are listed, and nothing of them can be read.
            Err(errno) if is_refusal(errno) && self.is_hidepid() => Some(ViewLimit::Hidepid),
            _ => Some(ViewLimit::PidNamespace),
        }
    }

    /// Whether it is mounted with `hidepid`, by our own mounts. One that only others have mounted is reached through the directory of a
    /// process that we may trace, and so that process is not hidden.
    fn is_hidepid(&self) -> bool {
        let mounts = read_up_to(CWD, c"/proc/self/mountinfo", LONG).unwrap_or_default();
        let stat = rustix::fs::statx(&self.dir, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE);
        stat.is_ok_and(|stat| mounts::is_hidepid(&mounts, device(&stat)))
    }

    /// Reads a small file of the root.
    pub(super) fn read(&self, path: &str) -> rustix::io::Result<Vec<u8>> {
        read_small(self.dir(), path)
    }
}

/// statx(2) that asks no server to synchronise and mounts nothing: so a dead mount does not block, but for file systems that
/// synchronise all the same.
pub(super) fn statx(dir: impl AsFd, path: impl Arg, how: AtFlags, mask: StatxFlags) -> rustix::io::Result<Statx> {
    rustix::fs::statx(dir, path, how | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT, mask)
}

/// The names in a directory that are plain numbers, in the order of the directory.
pub(super) fn numbers_in(listing: impl AsFd) -> rustix::io::Result<Vec<u32>> {
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut entries = RawDir::new(listing, &mut buffer);
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        numbers.extend(number_name(entry?.file_name().to_bytes()));
    }
    Ok(numbers)
}

/// The number that a name in /proc stands for: only as the kernel writes it, so that no two names are one number.
pub(super) fn number_name(name: &[u8]) -> Option<u32> {
    let canonical = name == b"0" || name.first().is_some_and(|first| (b'1'..=b'9').contains(first));
    let digits = std::str::from_utf8(name).ok().filter(|_| canonical)?;
    digits.parse().ok()
}

/// Reads a small file that the kernel makes in one piece, such as fdinfo, stat or status. Fails with `EFBIG` where it is too long.
pub(super) fn read_small<'a>(dir: impl Into<Dir<'a>>, path: impl Arg) -> rustix::io::Result<Vec<u8>> {
    read_whole(dir, path, SMALL)?.ok_or(Errno::FBIG)
}

/// Reads a file that the kernel makes in one piece; none where it is longer than a limit in bytes, since what was read in part proves
/// nothing: what comes behind it is unknown, not absent.
pub(super) fn read_whole<'a>(
    dir: impl Into<Dir<'a>>,
    path: impl Arg,
    limit: usize,
) -> rustix::io::Result<Option<Vec<u8>>> {
    let text = read_piece(dir, path, limit.saturating_add(1))?;
    Ok(Some(text).filter(|text| text.len() <= limit))
}

/// Reads a file that the kernel makes in one piece, up to a limit in bytes: a read that leaves room is the last, which saves the one
/// that would only find the end.
pub(super) fn read_piece<'a>(dir: impl Into<Dir<'a>>, path: impl Arg, limit: usize) -> rustix::io::Result<Vec<u8>> {
    let file = open_file(dir, path)?;
    let mut text = Vec::with_capacity(1024);
    while text.len() < limit {
        text.reserve(1);
        let room = text.capacity() - text.len();
        if rustix::io::read(&file, spare_capacity(&mut text))? < room {
            break;
        }
    }
    text.truncate(limit);
    Ok(text)
}

/// Reads a file of any kind, up to a limit in bytes.
pub(super) fn read_up_to<'a>(dir: impl Into<Dir<'a>>, path: impl Arg, limit: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::from(open_file(dir, path)?).take(limit).read_to_end(&mut text)?;
    Ok(text)
}
