//! Opening what is below the proc root. In a proc file system the kernel made all links. A tree of plain files may come from anyone, and
//! its links may lead to any file: there no link is followed but those that say what a descriptor is, and those only if they are our own
//! or root's; see [`Dir::is_ours`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use super::own_files::noted;

/// A directory that paths are relative to.
#[derive(Clone, Copy)]
pub(super) struct Dir<'a> {
    fd: BorrowedFd<'a>,
    follows_links: bool,
}

impl<'a> Dir<'a> {
    pub(super) fn of_proc(dir: &'a OwnedFd) -> Self {
        Self { fd: dir.as_fd(), follows_links: true }
    }

    pub(super) fn of_tree(dir: &'a OwnedFd) -> Self {
        Self { fd: dir.as_fd(), follows_links: false }
    }

    /// Whether what a file of it says may be looked up on this machine: in a tree only if the file is our user's or root's. Whoever made it
    /// could otherwise learn by our report what there is.
    pub(super) fn is_ours(self, path: &str) -> bool {
        if self.follows_links {
            return true;
        }
        let owner = parent(self, path).and_then(|(dir, name)| {
            let dir = dir.as_ref().map_or(self.fd, AsFd::as_fd);
            Ok(rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_uid)
        });
        owner.is_ok_and(|owner| owner == 0 || owner == rustix::process::geteuid().as_raw())
    }
}

impl AsFd for Dir<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd
    }
}

/// Of the working directory, for paths that we chose, or that the user did.
impl<'a> From<BorrowedFd<'a>> for Dir<'a> {
    fn from(fd: BorrowedFd<'a>) -> Self {
        Self { fd, follows_links: true }
    }
}

/// Opens a directory only to look things up below it.
pub(super) fn open_dir<'a>(dir: impl Into<Dir<'a>>, path: impl Arg) -> rustix::io::Result<OwnedFd> {
    open(dir.into(), path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)
}

/// Opens a directory to list it.
pub(super) fn open_listing<'a>(dir: impl Into<Dir<'a>>, path: impl Arg) -> rustix::io::Result<OwnedFd> {
    open(dir.into(), path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
}

pub(super) fn open_file<'a>(dir: impl Into<Dir<'a>>, path: impl Arg) -> rustix::io::Result<OwnedFd> {
    // O_NONBLOCK: a tree of plain files may have a FIFO where a file belongs.
    open(dir.into(), path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY)
}

/// What a link says.
pub(super) fn read_link(dir: Dir<'_>, path: &str) -> rustix::io::Result<Vec<u8>> {
    let (above, name) = if dir.follows_links { (None, path) } else { parent(dir, path)? };
    let above = above.as_ref().map_or(dir.fd, AsFd::as_fd);
    rustix::fs::readlinkat(above, name, Vec::new()).map(std::ffi::CString::into_bytes)
}

fn open(dir: Dir<'_>, path: impl Arg, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    if dir.follows_links {
        return noted(rustix::fs::openat(dir, path, flags, Mode::empty()));
    }
    noted(path.into_with_c_str(|path| {
        let (above, name) = parent(dir, path.to_str().map_err(|_| Errno::INVAL)?)?;
        let above = above.as_ref().map_or(dir.fd, AsFd::as_fd);
        // To open a device may do something.
        let file_type = FileType::from_raw_mode(rustix::fs::statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
        match file_type {
            FileType::Symlink => Err(Errno::LOOP),
            FileType::CharacterDevice | FileType::BlockDevice => Err(Errno::NXIO),
            _ => rustix::fs::openat(above, name, flags | OFlags::NOFOLLOW, Mode::empty()),
        }
    }))
}

/// The directory that the last name of a path is in, by no link, and this name. No directory if the path has no other name.
fn parent<'a>(dir: Dir<'_>, path: &'a str) -> rustix::io::Result<(Option<OwnedFd>, &'a str)> {
    let Some((above, name)) = path.rsplit_once('/') else { return Ok((None, path)) };
    let mut here: Option<OwnedFd> = None;
    for part in above.split('/').filter(|part| !part.is_empty()) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let above = here.as_ref().map_or(dir.fd, AsFd::as_fd);
        let is_link = || {
            let stat = rustix::fs::statat(above, part, AtFlags::SYMLINK_NOFOLLOW);
            stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
        };
        here = Some(match rustix::fs::openat(above, part, flags, Mode::empty()) {
            Err(Errno::NOTDIR) if is_link() => return Err(Errno::LOOP),
            opened => opened?,
        });
    }
    Ok((here, name))
}
