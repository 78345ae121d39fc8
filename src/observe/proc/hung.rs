//! The calls of a run that did not return: how many there are, and what not to try again, in no later look.
//!
//! A call that hangs keeps its thread. So there may be a few of them in a run, however many processes and looks there are.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use super::heartbeat::ScanStep;
use super::mounts::DeadMounts;
use super::root::statx;
use crate::model::{Device, Pid};
use crate::observe::channel::device;

/// Number of hung calls in a run, after which nothing is called that is known to be able to hang and that a report can do without.
const MAX_HUNG: usize = 8;

/// Number of hung calls after which nothing more is looked at.
const HOPELESS: usize = 2 * MAX_HUNG;

/// Number of names in a file system that hung, after which no name is looked up there. One alone may be the name of a mount point, and
/// its file system the one that is mounted there.
const DEAD_NAMES: usize = 2;

/// A step that hung at a process, and when that process was started.
type HungStep = (Option<u64>, ScanStep);

#[derive(Default)]
pub(super) struct HungCalls {
    /// How many calls hung.
    count: AtomicUsize,
    /// How many of them have not returned.
    left: AtomicUsize,
    /// The steps that hung at a process, with its start time.
    steps: Mutex<HashMap<Pid, Vec<HungStep>>>,
    /// The lookups that go on, by the thread that does each.
    lookups: Mutex<HashMap<u32, Lookup>>,
    /// Mounts whose descriptors did not answer.
    pub(super) dead_mounts: DeadMounts,
    /// Mounts of FIFOs whose directories did not answer. Descriptors on them still may.
    pub(super) dead_names: DeadMounts,
}

/// A name that is being looked up in a directory.
struct Lookup {
    file_system: Device,
    directory: u64,
    name: Vec<u8>,
    /// Whether its thread was given up.
    is_hung: bool,
}

impl HungCalls {
    /// Remembers a step that hung in this thread.
    pub(super) fn add(&self, pid: Pid, started: Option<u64>, step: ScanStep, thread: u32) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.left.fetch_add(1, Ordering::Relaxed);
        lock(&self.steps).entry(pid).or_default().push((started, step));
        if let Some(lookup) = lock(&self.lookups).get_mut(&thread) {
            lookup.is_hung = true;
        }
    }

    /// A call that hung has returned after all.
    pub(super) fn returned(&self) {
        self.left.fetch_sub(1, Ordering::Relaxed);
    }

    /// Forgets everything if no call hangs any more: what did not answer may answer now.
    pub(super) fn forget_if_all_returned(&self) {
        if self.left.load(Ordering::Relaxed) == 0 && self.count.swap(0, Ordering::Relaxed) > 0 {
            lock(&self.steps).clear();
            self.dead_mounts.clear();
            self.dead_names.clear();
        }
    }

    /// Whether anything hung at this process in an earlier look, which is not tried again.
    pub(super) fn has(&self, pid: Pid) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && lock(&self.steps).contains_key(&pid)
    }

    /// The steps that hung at this process.
    pub(super) fn steps(&self, pid: Pid, started: Option<u64>) -> Vec<ScanStep> {
        let steps = lock(&self.steps);
        let of_it = steps.get(&pid).into_iter().flatten().filter(|(start, _)| *start == started);
        of_it.map(|(_, step)| *step).collect()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.count.load(Ordering::Relaxed) >= MAX_HUNG
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.count.load(Ordering::Relaxed) >= HOPELESS
    }

    /// Looks a name up in a directory, without following or opening what is there. `ETIMEDOUT` without a lookup, if names in this file
    /// system did not answer.
    pub(super) fn look_up(&self, dir: impl AsFd, name: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let dir = dir.as_fd();
        let look =
            || rustix::fs::openat(dir, name, flags | OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        // With an empty mask no file system is asked, and none refuses (`fuse_getattr` in fs/fuse/dir.c).
        let Ok(stat) = statx(dir, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()) else { return look() };
        let thread = rustix::thread::gettid().as_raw_pid().cast_unsigned();
        let lookup =
            Lookup { file_system: device(&stat), directory: stat.stx_ino, name: name.to_vec(), is_hung: false };
        {
            let mut lookups = lock(&self.lookups);
            if lookup.is_vain(&lookups) {
                return Err(Errno::TIMEDOUT);
            }
            lookups.insert(thread, lookup);
        }
        let found = look();
        lock(&self.lookups).remove(&thread);
        found
    }
}

impl Lookup {
    /// Whether the same name, or several names in this file system, did not answer.
    fn is_vain(&self, lookups: &HashMap<u32, Self>) -> bool {
        let is_there = |other: &&Self| other.is_hung && other.file_system == self.file_system;
        let is_same = |other: &Self| (other.directory, &other.name) == (self.directory, &self.name);
        let hung = || lookups.values().filter(is_there);
        hung().any(is_same) || hung().count() >= DEAD_NAMES
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is a single one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::model::Tid;

    const STEP: ScanStep = ScanStep::Path(Tid(7));

    #[test]
    fn what_hung_is_known_until_all_have_returned() {
        let hung = HungCalls::default();
        for number in 0..MAX_HUNG {
            assert!(!hung.is_exhausted(), "{number}");
            hung.add(Pid(7), Some(1), STEP, 1);
        }
        assert!(hung.is_exhausted() && !hung.is_hopeless());
        assert_eq!(hung.steps(Pid(7), Some(1)).len(), MAX_HUNG);
        // Another process by now.
        assert!(hung.has(Pid(7)) && hung.steps(Pid(7), Some(2)).is_empty() && !hung.has(Pid(8)));
        for _ in 1..MAX_HUNG {
            hung.returned();
            hung.forget_if_all_returned();
            assert!(hung.is_exhausted());
        }
        hung.returned();
        hung.forget_if_all_returned();
        assert!(!hung.is_exhausted() && !hung.has(Pid(7)));
    }

    /// One name that hangs may be a mount point. Two are in a file system that does not answer.
    #[test]
    fn names_beside_two_that_hang_are_not_looked_up() {
        let hung = HungCalls::default();
        let root = File::open("/").unwrap();
        let stat = statx(&root, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()).unwrap();
        let lookup = |name: &[u8]| {
            let (file_system, directory) = (device(&stat), stat.stx_ino);
            Lookup { file_system, directory, name: name.to_vec(), is_hung: false }
        };
        let look_up = |name: &[u8]| hung.look_up(&root, name, OFlags::empty()).map(|_| ());
        assert_eq!([look_up(b"."), look_up(b"no such name")], [Ok(()), Err(Errno::NOENT)]);
        lock(&hung.lookups).insert(u32::MAX, lookup(b"."));
        assert_eq!(look_up(b"."), Ok(()), "it goes on");
        hung.add(Pid(7), None, STEP, u32::MAX);
        assert_eq!([look_up(b"."), look_up(b"..")], [Err(Errno::TIMEDOUT), Ok(())]);
        lock(&hung.lookups).insert(u32::MAX - 1, lookup(b"x"));
        hung.add(Pid(8), None, STEP, u32::MAX - 1);
        assert_eq!(look_up(b".."), Err(Errno::TIMEDOUT));
        // They have come back.
        lock(&hung.lookups).clear();
        assert_eq!(look_up(b".."), Ok(()));
    }
}
