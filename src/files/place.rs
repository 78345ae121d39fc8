//! Where a path leads that is to be written: looked up step by step, each directory held open, so that no other process can put another in its
//! place between a check and its use. A symbolic link that a stranger may have made is not followed: it may lead to any of our files.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat, fstat, fstatfs, openat, readlinkat};
use rustix::io::{Errno, Result};
use rustix::process::geteuid;

use super::Cause;

/// Maximum number of symbolic links on a path, as for the kernel; see `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// A regular file, or the place for a new one.
pub(super) struct Place {
    /// Its directory, opened with `O_PATH`.
    pub(super) folder: OwnedFd,
    pub(super) name: OsString,
    /// The file that is there.
    pub(super) old: Option<Stat>,
}

/// A step of a path.
enum Step {
    Root,
    /// The end of a path that ends in a slash.
    Here,
    Entry(OsString),
}

impl Place {
    /// # Errors
    ///
    /// If the path leads to anything else, or through a link of a stranger.
    pub(super) fn find(path: &Path) -> std::result::Result<Self, Cause> {
        if path.as_os_str().is_empty() {
            return Err(Errno::NOENT.into());
        }
        let mut folder = open(CWD, c".", OFlags::DIRECTORY)?;
        let mut pending = steps(path.as_os_str().as_bytes());
        let mut links = 0;
        let mut is_dangling = false;
        // The file that a link of the kernel leads to.
        let mut expected: Option<(u64, u64)> = None;
        while let Some(step) = pending.pop() {
            let name = match step {
                Step::Root => {
                    folder = open(CWD, c"/", OFlags::DIRECTORY)?;
                    continue;
                }
                Step::Here => continue,
                Step::Entry(name) => name,
            };
            let is_last = pending.is_empty();
            let found = match open(&folder, name.as_os_str(), OFlags::NOFOLLOW) {
                Err(Errno::NOENT) if is_last && is_dangling => {
                    return Err(Cause::NotReplaceable("a dangling symbolic link"));
                }
                Err(Errno::NOENT) if is_last => return Ok(Self { folder, name, old: None }),
                found => found?,
            };
            let stat = fstat(&found)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => folder = found,
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    if !is_trusted(&stat, &fstat(&folder)?) {
                        return Err(Cause::StrangersLink { name: name.into_vec(), owner: stat.st_uid });
                    }
                    // The links of proc lead elsewhere than to what is written in them.
                    if fstatfs(&found)?.f_type == PROC_SUPER_MAGIC {
                        let there = open(&folder, name.as_os_str(), OFlags::empty())?;
                        let stat = fstat(&there)?;
                        match FileType::from_raw_mode(stat.st_mode) {
                            FileType::Directory => {
                                folder = there;
                                continue;
                            }
                            FileType::RegularFile if is_last => expected = Some(identity(&stat)),
                            kind => return Err(not_a_file(kind, is_last)),
                        }
                    }
                    is_dangling |= is_last;
                    pending.extend(steps(readlinkat(&found, c"", Vec::new())?.as_bytes()));
                }
                FileType::RegularFile if is_last => {
                    if expected.is_some_and(|expected| expected != identity(&stat)) {
                        return Err(Cause::NotReplaceable("a file that has been deleted"));
                    }
                    return Ok(Self { folder, name, old: Some(stat) });
                }
                kind => return Err(not_a_file(kind, is_last)),
            }
        }
        Err(Cause::NotReplaceable("a directory"))
    }

    /// What is equal for two paths to the same place: the directory, which may be mounted twice, and the name in it.
    pub(super) fn identity(&self) -> Option<((u64, u64), OsString)> {
        Some((identity(&fstat(self.folder.as_fd()).ok()?), self.name.clone()))
    }
}

/// Opens without the right to read, which is not needed for a step.
fn open(folder: impl std::os::fd::AsFd, name: impl rustix::path::Arg, flags: OFlags) -> Result<OwnedFd> {
    openat(folder, name, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())
}

/// The steps of a path, the first one last.
fn steps(path: &[u8]) -> Vec<Step> {
    let mut steps: Vec<Step> = path.starts_with(b"/").then_some(Step::Root).into_iter().collect();
    let mut names = path.split(|byte| *byte == b'/');
    steps.extend(
        names
            .clone()
            .filter(|name| !name.is_empty() && *name != b".")
            .map(|name| Step::Entry(OsString::from_vec(name.to_vec()))),
    );
    if names.next_back().is_some_and(|last| last.is_empty() || last == b".") {
        steps.push(Step::Here);
    }
    steps.reverse();
    steps
}

/// Whether a link was made by us or by root, or is in a directory in which no other user can make one.
fn is_trusted(link: &Stat, folder: &Stat) -> bool {
    let is_ours = |uid: u32| uid == 0 || uid == geteuid().as_raw();
    let is_closed =
        is_ours(folder.st_uid) && Mode::from_raw_mode(folder.st_mode).intersection(Mode::WGRP | Mode::WOTH).is_empty();
    is_ours(link.st_uid) || is_closed
}

fn not_a_file(kind: FileType, is_last: bool) -> Cause {
    if is_last { Cause::NotReplaceable(name_of(kind)) } else { Errno::NOTDIR.into() }
}

/// The type of what is no regular file, with its article.
pub(super) const fn name_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe or FIFO",
        FileType::Socket => "a socket",
        _ => "a device",
    }
}

pub(super) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
