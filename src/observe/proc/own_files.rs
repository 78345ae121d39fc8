//! The descriptors that lspipe itself may have open. What could not be opened for want of one says nothing of what was looked at.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::Error;

/// Descriptors that the command has besides those of its workers: the standard streams, the root, and the one that it writes to.
const OWN_FILES: u64 = 5;

/// Descriptors that a worker may have at once: a process, its fd table, that of a thread, and the file that it reads.
const FILES_OF_WORKER: u64 = 6;

/// The number of workers whose descriptors are more than enough for anything besides.
const MANY_WORKERS: usize = 4;

/// How many times a file could not be opened for want of a descriptor of our own, or of the whole system.
static WANTED: AtomicU64 = AtomicU64::new(0);

/// Does a look, which fails where it lacked a descriptor.
pub(super) fn with_enough_files<T>(look: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let before = WANTED.load(Ordering::Relaxed);
    let seen = look();
    if WANTED.load(Ordering::Relaxed) == before { seen } else { Err(Error::TooFewFiles) }
}

/// The number of workers that our limit of open files allows.
pub(super) fn most_workers() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit.saturating_sub(OWN_FILES) / FILES_OF_WORKER).unwrap_or(usize::MAX).max(1)
}

/// Whether our limit of open files allows more than a walk of /proc takes.
pub(crate) fn are_plenty() -> bool {
    most_workers() > MANY_WORKERS
}

/// Notes a lack of descriptors.
pub(super) fn noted(opened: rustix::io::Result<OwnedFd>) -> rustix::io::Result<OwnedFd> {
    if matches!(opened, Err(Errno::MFILE | Errno::NFILE)) {
        WANTED.fetch_add(1, Ordering::Relaxed);
    }
    opened
}
