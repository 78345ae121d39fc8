//! Mounts that gave no answer: remembered, so that each costs its second of waiting only once, and named.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use procfs::FromRead as _;
use procfs::process::MountInfos;

use super::process::ProcessDir;

/// The mount IDs, as fdinfo shows them, of file systems that do not answer.
#[derive(Default)]
pub(super) struct DeadMounts {
    /// Read for each descriptor, so that the set is locked only if there is anything in it.
    any: AtomicBool,
    ids: Mutex<HashSet<u64>>,
}

impl DeadMounts {
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    pub(super) fn contains(&self, id: Option<u64>) -> bool {
        id.is_some_and(|id| self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(&id))
    }

    pub(super) fn add(&self, id: Option<u64>) {
        if let Some(id) = id {
            self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            self.any.store(true, Ordering::Relaxed);
        }
    }
}

/// Where a process has the mount of that ID, by /proc/PID/mountinfo, which asks no file system.
pub(super) fn mount_point(process: &ProcessDir, id: u64) -> Option<PathBuf> {
    let MountInfos(mounts) = MountInfos::from_read(process.long_text("mountinfo").as_slice()).ok()?;
    mounts.into_iter().find(|mount| u64::try_from(mount.mnt_id) == Ok(id)).map(|mount| mount.mount_point)
}
