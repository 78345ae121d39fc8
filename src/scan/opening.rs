//! The FIFO that a thread is opening: which one, seen from that thread. It is looked up, and never opened.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};

use super::Scanner;
use super::descriptor::pipe_of;
use super::process::ProcessDir;
use super::root::open_dir;
use crate::model::{Fd, PipeId};

/// The FIFO at a path as the process sees it: from its root directory, or from the directory that the path is relative to. None if
/// it is no longer there, or not to be seen.
pub(super) fn fifo(scanner: &Scanner, process: &ProcessDir, dir: Option<Fd>, path: &[u8]) -> Option<PipeId> {
    let Some(real) = &scanner.root.real else {
        // A tree of plain files has no other root than ours.
        return identify(CWD, path, None);
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = open_dir(process.dir(), c"root").ok()?;
    // Links in it lead where they would lead the process.
    let path = absolute(process, dir, path.to_vec());
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    identify(file.ok()?, b"", Some(real))
}

/// The path from the root directory on, where the directory that it is relative to has a name.
pub(super) fn absolute(process: &ProcessDir, dir: Option<Fd>, path: Vec<u8>) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path;
    }
    let start = match dir {
        Some(fd) => rustix::fs::readlinkat(process.dir(), format!("fd/{fd}"), Vec::new()),
        None => rustix::fs::readlinkat(process.dir(), c"cwd", Vec::new()),
    };
    let below = path.strip_prefix(b"./").unwrap_or(&path);
    match start {
        Ok(start) => [start.as_bytes(), b"/", below].concat(),
        Err(_) => path,
    }
}

fn identify(dir: impl AsFd, path: &[u8], real: Option<&super::root::Real>) -> Option<PipeId> {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
    pipe_of(&rustix::fs::statx(dir, path, flags, StatxFlags::TYPE | StatxFlags::INO).ok()?, real)
}
