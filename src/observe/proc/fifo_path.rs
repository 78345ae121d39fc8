//! The FIFO that a thread is opening: which one, seen from that thread. It is looked up, and never opened. That asks file systems, so
//! that it must run as a step of a [`Heartbeat`](super::heartbeat::Heartbeat).
//!
//! Only the links in /proc lead to where a thread is and to its root directory. Their text is a name, which may lead elsewhere: in
//! another root, in other mounts, and where something was mounted over it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, OFlags, PROC_SUPER_MAGIC, StatxFlags};
use rustix::io::Errno;

use super::hung::HungCalls;
use super::process::ProcessDir;
use super::root::{ProcRoot, open_dir, statx};
use crate::model::{Fd, PipeId};
use crate::observe::channel::{self, Pipefs, device};

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

impl PathBase<'_> {
    /// The FIFO at a path. `ENOENT` if there is no longer a file at it.
    pub(super) fn fifo(&self, path: &[u8], root: &ProcRoot) -> rustix::io::Result<PipeId> {
        let Some(pipefs) = root.pipefs() else {
            // A tree of plain files has no other root than ours, and names are all there is.
            let path = self.name(path.to_vec());
            // Nor does a name that is missing here say that it is there.
            return if path.starts_with(b"/") {
                identify(CWD, &path, None).or(Err(Errno::NXIO))
            } else {
                Err(Errno::NXIO)
            };
        };
        let root = open_dir(self.process.dir(), format!("{}root", self.thread)).or(Err(Errno::ACCESS))?;
        let start = || open_dir(self.process.dir(), self.link()).or(Err(Errno::ACCESS));
        let start = if path.starts_with(b"/") { None } else { Some(start()?) };
        identify(walk(&root, start, path, &self.process.budget.hung)?, b"", Some(pipefs))
    }

    /// The path from the root directory on, where the directory that it is relative to has a name.
    pub(super) fn name(&self, path: Vec<u8>) -> Vec<u8> {
        if path.starts_with(b"/") {
            return path;
        }
        let below = path.strip_prefix(b"./").unwrap_or(&path);
        match rustix::fs::readlinkat(self.process.dir(), self.link(), Vec::new()) {
            // Removed, as it seems: then no name leads there.
            Ok(start) if start.as_bytes().ends_with(b" (deleted)") => path,
            Ok(start) => [start.as_bytes(), b"/", below].concat(),
            Err(_) => path,
        }
    }

    fn link(&self) -> String {
        let thread = self.thread;
        self.dir.map_or_else(|| format!("{thread}cwd"), |fd| format!("{thread}fd/{fd}"))
    }
}

/// Looks a path up as the kernel does for a process with this root directory (`path_resolution(7)`), from a directory or from the root: name
/// by name, since from a directory openat2(2) keeps a lookup either below that or within our own root.
fn walk(root: &OwnedFd, start: Option<OwnedFd>, path: &[u8], hung: &HungCalls) -> rustix::io::Result<OwnedFd> {
    let mut here = start;
    // The names that are left, the next one last.
    let mut left = names(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        let dir = here.as_ref().unwrap_or(root);
        if name == b".." && is_same(dir, root) {
            continue;
        }
        let next = hung.look_up(dir, &name, OFlags::empty())?;
        let Ok(target) = rustix::fs::readlinkat(&next, c"", Vec::new()) else {
            here = Some(next);
            continue;
        };
        links += 1;
        // A link in a proc may lead each process elsewhere, such as /proc/self.
        if links > MAX_LINKS || rustix::fs::fstatfs(&next)?.f_type == PROC_SUPER_MAGIC {
            return Err(Errno::LOOP);
        }
        if target.as_bytes().starts_with(b"/") {
            here = None;
        }
        left.extend(names(target.as_bytes()));
    }
    here.ok_or(Errno::ISDIR)
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

fn identify(dir: impl AsFd, path: &[u8], pipefs: Option<&Pipefs>) -> rustix::io::Result<PipeId> {
    let stat = statx(dir, path, AtFlags::EMPTY_PATH, StatxFlags::TYPE | StatxFlags::INO)?;
    channel::by_stat(&stat, pipefs).ok_or(Errno::NXIO)
}
