//! Our capabilities: whether they suffice to look at every process, and how those are dropped that the program file grants beyond those of
//! its user, as setcap(8) does. They are there to look at processes, not to read the file that a path, or a link in a directory tree,
//! leads to.

use std::{fs, io, thread};

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

/// Runs `work` without these capabilities, in a thread if there are any, and waits for it.
///
/// # Errors
///
/// If no thread can be started.
pub(crate) fn without_capabilities<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    // Where there is none to drop, it needs no thread, which a limit of processes may refuse.
    if rustix::process::getuid().is_root() || has_none() {
        return Ok(work());
    }
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, || {
            drop_capabilities();
            work()
        })?;
        worker.join().map_err(|_| io::Error::other("the thread that does it has failed"))
    })
}

/// Whether the calling thread has no capability.
fn has_none() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.union(sets.permitted).is_empty())
}

/// Whether we have what a look at any process takes; see ptrace(2), "Ptrace access mode checking". Capabilities of a user
/// namespace are good for its own processes only.
pub(crate) fn sees_all_processes() -> bool {
    let has = |set| rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(set));
    let reads = has(CapabilitySet::DAC_READ_SEARCH) || has(CapabilitySet::DAC_OVERRIDE);
    // In the initial user namespace IDs are not mapped.
    let uid_map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    has(CapabilitySet::SYS_PTRACE) && reads && uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}
