//! Drops the capabilities that the program file grants beyond those of its user, as setcap(8) does. They are there to look at processes,
//! not to read the file that a path, or a link in a directory tree, leads to.

use std::{io, thread};

use rustix::thread::{CapabilitySet, CapabilitySets};

/// Drops all capabilities of the calling thread and of the threads that it starts from now on. Root keeps them: it may read any file.
///
/// Only for a thread of our own: the thread of a caller would lose what its other work needs.
pub(crate) fn drop_capabilities() {
    if rustix::process::getuid().is_root() {
        return;
    }
    let none = CapabilitySet::empty();
    // Dropping needs no privilege.
    let _ =
        rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none });
}

/// Runs `work` in a thread without these capabilities, and waits for it.
///
/// # Errors
///
/// If no thread can be started.
pub(crate) fn without_capabilities<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, || {
            drop_capabilities();
            work()
        })?;
        worker.join().map_err(|_| io::Error::other("the thread that does it has failed"))
    })
}
