//! Turns: tests that would disturb each other never run at the same time.
//!
//! A stopped file system hangs lsof and lsfd: a test that stops one and a test that runs those [`take`] turns. The helper of `--probe` holds
//! an end of each pipe that it asks about, and a scene's pipes are compared with all of their ends: a test that probes the whole machine has
//! it [`alone`].

use std::cell::Cell;
use std::env;
use std::fs::File;

use rustix::fs::{FlockOperation, flock};

/// Held for as long as the turn lasts.
pub(crate) struct Turn {
    _lock: File,
    is_alone: bool,
}

thread_local! {
    /// Whether the test of this thread has the machine alone.
    static IS_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Waits for its turn. The lock is on the folder for temporary files, which every user may read, so that it also keeps
/// apart two runs of the tests.
pub(crate) fn take() -> Turn {
    let lock = File::open(env::temp_dir()).expect("open the temporary folder");
    flock(&lock, FlockOperation::LockExclusive).expect("flock");
    Turn { _lock: lock, is_alone: false }
}

/// Waits until no other test has a scene, and lets none start. To be called before the test starts its own, and after [`take`].
pub(crate) fn alone() -> Turn {
    let lock = root();
    flock(&lock, FlockOperation::LockExclusive).expect("flock");
    IS_ALONE.set(true);
    Turn { _lock: lock, is_alone: true }
}

/// What each scene holds: waits until no other test has the machine alone.
pub(super) fn share() -> Turn {
    let lock = root();
    if !IS_ALONE.get() {
        flock(&lock, FlockOperation::LockShared).expect("flock");
    }
    Turn { _lock: lock, is_alone: false }
}

/// Another folder that every user may read.
fn root() -> File {
    File::open("/").expect("open the root directory")
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_alone {
            IS_ALONE.set(false);
        }
    }
}
