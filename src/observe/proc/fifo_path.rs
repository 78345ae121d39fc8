//! The FIFO that a thread is opening: which one, seen from that thread. It is looked up, and never opened. That asks file systems, so
//! that it must run as a step of a [`Heartbeat`](super::heartbeat::Heartbeat).
//!
//! Only the links in /proc lead to where a thread is and to its root directory. Their text is a name, which may lead elsewhere: in
//! another root, in other mounts, and where something was mounted over it.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use rustix::fs::{AtFlags, CWD, OFlags, PROC_SUPER_MAGIC, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::beneath::{open_dir, read_link};
use super::fd_dir::OWNER;
use super::hung::HungCalls;
use super::opener::{self, Opener};
use super::parse::DELETED;
use super::process::ProcessDir;
use super::root::{ProcRoot, statx};
use crate::model::{AccessMode, Fd, PipeId};
use crate::observe::channel::{self, Pipefs, device};
use crate::privilege::without_capabilities;

/// `MAXSYMLINKS` of include/linux/namei.h: the maximum number of links in one path.
const MAX_LINKS: u32 = 40;

/// Where a path begins.
pub(super) struct PathBase<'a> {
    pub(super) process: &'a ProcessDir,
    /// The directory of the files of the thread, below the process.
    pub(super) thread: &'a str,
    /// What a path that is not absolute is relative to; none for the working directory.
    pub(super) dir: Option<Fd>,
}

/// What is at a path.
pub(super) struct Found {
    /// The FIFO. `ENOENT` if there is no longer a file at the path.
    pub(super) pipe: rustix::io::Result<PipeId>,
    /// The path from the root directory on, where that is known.
    pub(super) name: Option<Vec<u8>>,
}

impl PathBase<'_> {
    /// Looks for the FIFO that a thread opens at a path in this way.
    ///
    /// The path is in its memory, and any other may be there by now, to make us tell what there is. So it is looked up with the rights of
    /// the thread, and with no more than our user has. And it must be a FIFO that the thread may open.
    pub(super) fn look_up(&self, path: &[u8], access: AccessMode, root: &ProcRoot) -> Found {
        let Some(pipefs) = root.pipefs() else {
            let name = self.join(path);
            // A tree of plain files has no other root than ours, and names are all there is. Nor does a name that is missing here say that
            // it is there.
            let is_name = name.starts_with(b"/") && self.process.dir().is_ours("mem");
            let stat = || identify(CWD, &name, None).map(|(pipe, _)| pipe);
            let pipe = if is_name { stat().or(Err(Errno::NXIO)) } else { Err(Errno::NXIO) };
            return Found { pipe, name: Some(name) };
        };
        let walked = self.walk(path);
        // In a jail the text does not say how far up `..` leads, and the same names lead elsewhere for us.
        let walked_to = || walked.as_ref().map_or_else(Stop::name, |(file, _)| name_of(file));
        let name = self.name_by_text(path).or_else(walked_to);
        let pipe = walked.map_err(|stop| stop.errno).and_then(|(file, opener)| {
            let (pipe, stat) = identify(&file, b"", Some(pipefs))?;
            let wanted = match access {
                AccessMode::Read => Some(opener::READ),
                AccessMode::Write => Some(opener::WRITE),
                AccessMode::ReadWrite => None,
            };
            if wanted.is_none_or(|what| opener.may(what, &stat)) { Ok(pipe) } else { Err(Errno::ACCESS) }
        });
        Found { pipe, name }
    }

    fn walk(&self, path: &[u8]) -> Result<(OwnedFd, Opener<'_>), Stop> {
        let refused = |_| Stop { errno: Errno::ACCESS, dir: None, left: Vec::new() };
        let opener = Opener::new(self.process, self.thread).ok_or(Errno::ACCESS).map_err(refused)?;
        // Of these links, the kernel itself says where they lead.
        let root = open_dir(self.process.dir(), format!("{}root", self.thread)).map_err(refused)?;
        let start = || open_dir(self.process.dir(), self.link());
        let start = if path.starts_with(b"/") { None } else { Some(start().map_err(refused)?) };
        let found = without_capabilities(|| walk(&root, start, path, &opener, &self.process.budget.hung))?;
        Ok((found, opener))
    }

    /// The path from the root directory on by its text; none in a jail of chroot(2).
    pub(super) fn name_by_text(&self, path: &[u8]) -> Option<Vec<u8>> {
        let root = read_link(self.process.dir(), &format!("{}root", self.thread));
        root.map_or(true, |root| root == b"/").then(|| self.join(path))
    }

    /// The path behind the directory that it is relative to, where that has a name.
    fn join(&self, path: &[u8]) -> Vec<u8> {
        if path.starts_with(b"/") {
            return path.to_vec();
        }
        let below = path.strip_prefix(b"./").unwrap_or(path);
        match read_link(self.process.dir(), &self.link()) {
            // Removed, as it seems: then no name leads there.
            Ok(start) if start.ends_with(DELETED) => path.to_vec(),
            Ok(start) => [&start, b"/".as_slice(), below].concat(),
            Err(_) => path.to_vec(),
        }
    }

    fn link(&self) -> String {
        let thread = self.thread;
        self.dir.map_or_else(|| format!("{thread}cwd"), |fd| format!("{thread}fd/{fd}"))
    }
}

/// Where a lookup ended that found nothing.
struct Stop {
    errno: Errno,
    /// How far it came; none if it could not begin.
    dir: Option<OwnedFd>,
    /// The names that were left, the next one last.
    left: Vec<Vec<u8>>,
}

impl Stop {
    /// The path that was not found.
    fn name(&self) -> Option<Vec<u8>> {
        let mut name = name_of(self.dir.as_ref()?).filter(|name| !name.ends_with(DELETED))?;
        for part in self.left.iter().rev() {
            if !name.ends_with(b"/") {
                name.push(b'/');
            }
            name.extend(part);
        }
        Some(name)
    }
}

/// The name of an open file from our root directory on, where it is below that; see `d_path` in `fs/d_path.c`.
fn name_of(file: &OwnedFd) -> Option<Vec<u8>> {
    let path = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
    rustix::fs::readlinkat(CWD, path, Vec::new()).ok().map(std::ffi::CString::into_bytes)
}

/// Looks a path up as the kernel does for a process with this root directory (`path_resolution(7)`), from a directory or from the root: name
/// by name, since from a directory openat2(2) keeps a lookup either below that or within our own root.
fn walk(
    root: &OwnedFd,
    start: Option<OwnedFd>,
    path: &[u8],
    opener: &Opener<'_>,
    hung: &HungCalls,
) -> Result<OwnedFd, Stop> {
    let mut here = start;
    // The names that are left, the next one last.
    let mut left = names(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        let dir = here.as_ref().unwrap_or(root);
        if name == b".." && is_same(dir, root) {
            continue;
        }
        match step(dir, &name, opener, hung) {
            Ok((next, None)) => here = Some(next),
            Ok((_, Some(target))) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Stop { errno: Errno::LOOP, dir: None, left });
                }
                if target.starts_with(b"/") {
                    here = None;
                }
                left.extend(names(&target));
            }
            Err(errno) => {
                left.push(name);
                return Err(Stop { errno, dir: rustix::io::fcntl_dupfd_cloexec(dir, 0).ok(), left });
            }
        }
    }
    here.ok_or(Stop { errno: Errno::ISDIR, dir: None, left })
}

/// Looks up a name in a directory: the file, and what it says if it is a link.
fn step(
    dir: &OwnedFd,
    name: &[u8],
    opener: &Opener<'_>,
    hung: &HungCalls,
) -> rustix::io::Result<(OwnedFd, Option<Vec<u8>>)> {
    let stat = statx(dir, c"", AtFlags::EMPTY_PATH, OWNER)?;
    let is_known = stat.stx_mask & OWNER.bits() == OWNER.bits();
    if !is_known || !(opener.may(opener::SEARCH, &stat) || is_untold_root(&stat)) {
        return Err(Errno::ACCESS);
    }
    let next = hung.look_up(dir, name, OFlags::empty())?;
    let Ok(target) = rustix::fs::readlinkat(&next, c"", Vec::new()) else {
        return Ok((next, None));
    };
    // A link in a proc may lead each process elsewhere, such as /proc/self.
    if rustix::fs::fstatfs(&next)?.f_type == PROC_SUPER_MAGIC {
        return Err(Errno::LOOP);
    }
    Ok((next, Some(target.into_bytes())))
}

/// Whether this is the root of a mount whose mode has not been asked for yet: that of FUSE has no permissions until then (`rootmode` of
/// fs/fuse/inode.c), and to ask could hang.
fn is_untold_root(stat: &Statx) -> bool {
    stat.stx_mode & 0o777 == 0 && stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// The names in a path, the first one last.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.rev().map(<[u8]>::to_vec).collect()
}

/// Whether two descriptors are of one directory in one mount. Before Linux 5.8 statx(2) does not give the mount.
fn is_same(a: &OwnedFd, b: &OwnedFd) -> bool {
    let look = |dir: &OwnedFd| statx(dir, c"", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::MNT_ID);
    match (look(a), look(b)) {
        (Ok(a), Ok(b)) => (device(&a), a.stx_ino, a.stx_mnt_id) == (device(&b), b.stx_ino, b.stx_mnt_id),
        _ => false,
    }
}

fn identify(dir: impl AsFd, path: &[u8], pipefs: Option<&Pipefs>) -> rustix::io::Result<(PipeId, Statx)> {
    let stat = statx(dir, path, AtFlags::EMPTY_PATH, OWNER)?;
    Ok((channel::by_stat(&stat, pipefs).ok_or(Errno::NXIO)?, stat))
}
