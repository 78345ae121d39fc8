//! Files that the user names: read whole, and replaced atomically. Both with the privileges of the user, not with the capabilities of the
//! program file.

mod place;
mod replace;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, FsWord, Mode, OFlags, fcntl_setfl, fstat, fstatfs, makedev, open};
use rustix::io::retry_on_intr;
use thiserror::Error;

use self::place::{Place, name_of};
use crate::escape::quote_name;
use crate::privilege::without_capabilities;
use crate::sys::reason;

/// `PIPEFS_MAGIC` of linux/magic.h.
const PIPEFS_MAGIC: FsWord = 0x5049_5045;

/// How long the next bytes of a FIFO are waited for.
const FIFO_SECONDS: i64 = 5;

/// A file cannot be written.
#[derive(Debug, Error)]
#[error("{}: {cause}", quote_name(path.as_os_str().as_bytes()))]
pub struct Error {
    path: PathBuf,
    cause: Cause,
}

impl Error {
    pub(crate) fn new(path: &Path, cause: impl Into<Cause>) -> Self {
        Self { path: path.to_owned(), cause: cause.into() }
    }
}

#[derive(Debug, Error)]
pub(crate) enum Cause {
    /// It cannot be created, written or renamed.
    #[error("cannot write this file: {}{}", reason(.0), hint(.0))]
    Failed(#[from] io::Error),
    /// The file system of its directory creates no files, as that of /proc.
    #[error("cannot write this file: no file can be created in its directory; give another path")]
    NotCreatable,
    /// The path leads to something else than a regular file: its type, with its article.
    #[error("this is {0}, not a regular file that can be replaced; give the path of a file")]
    NotReplaceable(&'static str),
    /// A link in the path may lead to any file that its owner chooses.
    #[error(
        "{} is a symbolic link of user {owner}, who decides which file it leads to: give the path of the file itself",
        quote_name(name)
    )]
    StrangersLink {
        /// The link, without its directory.
        name: Vec<u8>,
        owner: u32,
    },
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Failed(errno.into())
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; create its directory first",
        io::ErrorKind::PermissionDenied => "; its directory must be writable, because the file is replaced",
        // rename(2): a mount point is never replaced.
        io::ErrorKind::ResourceBusy => {
            "; a file that is mounted by itself, as into a container, cannot be replaced: mount its directory instead"
        }
        io::ErrorKind::FileTooLarge => "; see `ulimit -f`",
        _ => "",
    }
}

/// Reads a whole file, or an anonymous pipe, as `<(cat FILE)` is in a shell. What may never end is refused; so is a FIFO that no process
/// writes to.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    without_capabilities(|| {
        // Nonblocking: open(2) of a FIFO waits for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut file = File::from(open(path, flags, Mode::empty())?);
        let stat = fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => {}
            FileType::Fifo if fstatfs(&file)?.f_type == PIPEFS_MAGIC => fcntl_setfl(&file, OFlags::empty())?,
            FileType::Fifo => return read_fifo(&file),
            // Which is as good as an empty file.
            FileType::CharacterDevice if stat.st_rdev == makedev(1, 3) => {}
            kind => {
                let what = name_of(kind);
                return Err(io::Error::other(format!("this is {what}, which may never end; give a regular file")));
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

/// Reads a FIFO that is open with `O_NONBLOCK`. Until a writer has come, poll(2) waits (`pipe_poll` in fs/pipe.c).
fn read_fifo(mut file: &File) -> io::Result<Vec<u8>> {
    let patience = Timespec { tv_sec: FIFO_SECONDS, tv_nsec: 0 };
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 65536]);
    loop {
        if retry_on_intr(|| poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&patience)))? == 0 {
            return Err(io::Error::other(format!("no process has written to this FIFO for {FIFO_SECONDS} s")));
        }
        match file.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes a temporary file beside that one and renames it: a reader finds either the old or the new file, whole, even after a crash.
/// The target of a symbolic link is replaced, not the link. An existing file keeps its permissions and, where we may change it, its owner.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let replaced = without_capabilities(|| Place::find(path)?.replace(bytes));
    replaced.map_err(|cause| Error::new(path, cause))
}

/// Whether two paths lead to the same file, which need not exist yet. By its inode too: a directory may be mounted twice, and a file may
/// have several names.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let place = |path: &Path| Place::find(path).ok().and_then(|place| place.identity());
    let is_one = || {
        one == other
            || file(one).is_some_and(|one| Some(one) == file(other))
            || place(one).is_some_and(|one| Some(one) == place(other))
    };
    without_capabilities(is_one)
}

#[cfg(test)]
mod tests;
