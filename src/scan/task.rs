//! The threads of a process: which of them have an fd table of their own.

use rustix::fs::AtFlags;

use super::Scanner;
use super::process::ProcessDir;
use super::root::{numbers_in, open_listing};
use crate::model::Tid;
use crate::sys;

/// The tables of a process besides that of its leader.
pub(super) enum Tables {
    /// None: all threads share the leader's.
    Shared,
    /// One of each group of threads that share a table, the leader's group left out.
    Private(Vec<Tid>),
    /// It cannot be told which are shared: these are all other threads.
    Unknown(Vec<Tid>),
}

/// How many threads a process has, by the link count of its task directory; one where that cannot be told.
pub(super) fn count(scanner: &Scanner, process: &ProcessDir) -> u64 {
    if scanner.root.real.is_none() {
        return u64::MAX;
    }
    rustix::fs::statat(process.dir(), c"task", AtFlags::empty()).map_or(1, |stat| stat.st_nlink.saturating_sub(2))
}

/// Sorts the threads by their tables: each costs a kcmp(2), a microsecond.
pub(super) fn tables(scanner: &Scanner, process: &ProcessDir) -> rustix::io::Result<Tables> {
    if count(scanner, process) <= 1 {
        return Ok(Tables::Shared);
    }
    let leader = Tid(process.pid.0);
    let threads = numbers_in(open_listing(process.dir(), c"task")?)?;
    let mut threads: Vec<Tid> = threads.into_iter().map(Tid).filter(|tid| *tid != leader).collect();
    threads.sort_unstable();
    if !scanner.root.real.as_ref().is_some_and(|real| real.own_pids) {
        return Ok(Tables::Unknown(threads));
    }
    let mut owners = vec![leader];
    for tid in &threads {
        let mut shared = false;
        for owner in &owners {
            match sys::same_fd_table(*owner, *tid) {
                Ok(same) => shared |= same,
                // A thread that is gone has no table to show.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => shared = true,
                // No kcmp in this kernel, or not for us.
                Err(_) => return Ok(Tables::Unknown(threads)),
            }
        }
        if !shared {
            owners.push(*tid);
        }
    }
    Ok(Tables::Private(owners.split_off(1)))
}
