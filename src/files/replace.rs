//! Replaces a file: a temporary file beside it, which no other user can open and which is locked while it is written, is renamed. A
//! temporary file that no process has locked is left from a process that was killed; the next one removes it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::fchown;

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, fchmod, flock, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::Cause;
use super::place::{Place, identity};

/// The mode of a new file, before the umask applies.
const NEW_FILE: Mode = Mode::from_bits_retain(0o666);

/// What is kept of the mode of an old file. Not set-user-ID: the new file is not the program that got it.
const PERMISSIONS: Mode = Mode::from_bits_retain(0o777);

/// Maximum number of bytes of a file's name that the name of its temporary file repeats: a name has 255 bytes at most.
const MAX_PREFIX: usize = 200;

/// The length of the random end of a temporary name.
const SUFFIX: usize = 6;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Maximum number of temporary names that are tried.
const TRIES: usize = 100;

impl Place {
    /// Puts a file with these bytes there.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), Cause> {
        let name = self.name.as_bytes();
        let prefix = [b".", &name[..name.len().min(MAX_PREFIX)], b"."].concat();
        remove_leftovers(self.folder.as_fd(), &prefix);
        let mut temporary = Temporary::create(self.folder.as_fd(), &prefix)?;
        temporary.file.write_all(bytes)?;
        let mode = match &self.old {
            Some(old) => {
                // Only root may change the owner; otherwise the new file belongs to us.
                let _ = fchown(&temporary.file, Some(old.st_uid), Some(old.st_gid));
                Mode::from_raw_mode(old.st_mode) & PERMISSIONS
            }
            None => NEW_FILE & !own_umask(),
        };
        // Last, so that no other user could open it before.
        fchmod(&temporary.file, mode)?;
        temporary.file.sync_all()?;
        temporary.rename(&self.name)
    }
}

/// A file that is removed unless it is renamed.
pub(super) struct Temporary<'a> {
    folder: BorrowedFd<'a>,
    pub(super) name: Option<Vec<u8>>,
    file: File,
}

impl<'a> Temporary<'a> {
    /// The name ends in random letters, so that a collector of *.prom does not read it.
    pub(super) fn create(folder: BorrowedFd<'a>, prefix: &[u8]) -> Result<Self, Cause> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        for _ in 0..TRIES {
            let name = [prefix, &random_letters()].concat();
            let file = match openat(folder, name.as_slice(), flags, Mode::RUSR | Mode::WUSR) {
                Err(Errno::EXIST) => continue,
                // The directory exists, since it is open.
                Err(Errno::NOENT) => return Err(Cause::NotCreatable),
                file => File::from(file?),
            };
            let temporary = Self { folder, name: Some(name), file };
            // Where a file system has no locks, nothing is removed either. Another process may have taken it for a leftover before we
            // had the lock.
            let is_taken = flock(&temporary.file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK);
            if !is_taken && fstat(&temporary.file)?.st_nlink > 0 {
                return Ok(temporary);
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists).into())
    }

    pub(super) fn rename(mut self, name: &OsStr) -> Result<(), Cause> {
        if let Some(temporary) = &self.name {
            renameat(self.folder, temporary.as_slice(), self.folder, name)?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // If it cannot be removed, the next write will try.
            let _ = unlinkat(self.folder, name.as_slice(), AtFlags::empty());
        }
    }
}

fn random_letters() -> [u8; SUFFIX] {
    let mut random = RandomState::new().build_hasher().finish();
    [(); SUFFIX].map(|()| {
        let letter = LETTERS[usize::try_from(random % 62).unwrap_or_default()];
        random /= 62;
        letter
    })
}

/// Removes what killed processes left in this directory. What cannot be read or removed stays.
fn remove_leftovers(folder: BorrowedFd<'_>, prefix: &[u8]) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(entries) = openat(folder, c".", flags, Mode::empty()).and_then(Dir::new) else { return };
    for entry in entries.flatten() {
        let is_temporary = |suffix: &[u8]| suffix.len() == SUFFIX && suffix.iter().all(u8::is_ascii_alphanumeric);
        if entry.file_name().to_bytes().strip_prefix(prefix).is_some_and(is_temporary) {
            let _ = remove_leftover(folder, entry.file_name());
        }
    }
}

fn remove_leftover(folder: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<(), Errno> {
    let is_ours = |file: &rustix::fs::Stat| {
        FileType::from_raw_mode(file.st_mode).is_file() && file.st_uid == geteuid().as_raw() && file.st_nlink == 1
    };
    // Before it is opened, which may have an effect on what is no regular file.
    if !is_ours(&statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?) {
        return Ok(());
    }
    // For writing: NFS has no other exclusive locks.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty())?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let (locked, named) = (fstat(&file)?, statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?);
    if is_ours(&locked) && identity(&locked) == identity(&named) {
        unlinkat(folder, name, AtFlags::empty())?;
    }
    Ok(())
}

/// From proc (since Linux 4.7): umask(2) returns it only by setting another, for all threads. If it is not known, no other user may read the
/// file.
fn own_umask() -> Mode {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("Umask:")?.trim(), 8).ok());
    mask.map_or(Mode::RWXG | Mode::RWXO, Mode::from_raw_mode)
}
