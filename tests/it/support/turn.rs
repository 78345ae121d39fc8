//! Turns: a stopped file system hangs lsof and lsfd, so a test that stops one and a test that runs those never meet.

use std::env;
use std::fs::File;

use rustix::fs::{FlockOperation, flock};

/// Held for as long as the turn lasts.
pub(crate) struct Turn {
    _lock: File,
}

/// Waits for its turn. The lock is on the folder for temporary files, which every user may read, so that it also keeps
/// apart two runs of the tests.
pub(crate) fn take() -> Turn {
    let lock = File::open(env::temp_dir()).expect("open the temporary folder");
    flock(&lock, FlockOperation::LockExclusive).expect("flock");
    Turn { _lock: lock }
}
