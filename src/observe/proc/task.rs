//! The threads of a process: which of them have an fd table of their own.

use std::cmp::Ordering;
use std::io;

use rustix::fs::AtFlags;

use super::beneath::open_listing;
use super::process::ProcessDir;
use super::root::numbers_in;
use super::scanner::Scanner;
use crate::model::Tid;
use crate::sys;

/// The tables of a process besides that of its leader.
pub(super) enum Tables {
    /// None: all threads share the leader's.
    Shared,
    /// One of each group of threads that share a table, the leader's group left out.
    Private(Vec<Tid>),
    /// All other threads, where the kernel does not say which share a table.
    Unknown(Vec<Tid>),
}

/// The number of threads of a process, by the link count of its task directory; none where that does not say.
pub(super) fn count(scanner: &Scanner, process: &ProcessDir) -> Option<u64> {
    let stat = scanner.root.is_real().then(|| rustix::fs::statat(process.dir(), c"task", AtFlags::empty()))?;
    Some(stat.ok()?.st_nlink.saturating_sub(2))
}

/// Sorts the threads by their tables: each costs a few kcmp(2), of a microsecond.
pub(super) fn tables(scanner: &Scanner, process: &ProcessDir) -> rustix::io::Result<Tables> {
    if scanner.root.is_real() && count(scanner, process).is_none_or(|count| count <= 1) {
        return Ok(Tables::Shared);
    }
    let leader = Tid(process.pid.0);
    let threads = numbers_in(open_listing(process.dir(), c"task")?)?;
    let mut threads: Vec<Tid> = threads.into_iter().map(Tid).filter(|tid| *tid != leader).collect();
    threads.sort_unstable();
    if !scanner.root.proc_fs.as_ref().is_some_and(|proc_fs| proc_fs.own_pids) {
        return Ok(Tables::Unknown(threads));
    }
    // One thread of each table, in the kernel's order of the tables.
    let mut owners = vec![leader];
    for tid in &threads {
        loop {
            match search(&owners, *tid) {
                Ok(Err(place)) => owners.insert(place, *tid),
                Ok(Ok(_)) => {}
                Err((owner, cause)) if cause.raw_os_error() == Some(libc::ESRCH) => {
                    // One of the two is gone. If it is the owner, those that share its table want a new one.
                    if sys::compare_fd_tables(*tid, *tid).is_ok() {
                        owners.retain(|other| *other != owner);
                        continue;
                    }
                }
                // This kernel has no kcmp, or refuses it.
                Err(_) => return Ok(Tables::Unknown(threads)),
            }
            break;
        }
    }
    owners.retain(|owner| *owner != leader);
    owners.sort_unstable();
    Ok(Tables::Private(owners))
}

/// The owner whose table the thread shares, or the place that it would take among the owners. Fails at the owner with which the kernel
/// does not compare it.
fn search(owners: &[Tid], tid: Tid) -> Result<Result<usize, usize>, (Tid, io::Error)> {
    let mut failed = None;
    let found = owners.binary_search_by(|owner| {
        sys::compare_fd_tables(*owner, tid).unwrap_or_else(|cause| {
            failed = Some((*owner, cause));
            Ordering::Equal
        })
    });
    failed.map_or(Ok(found), Err)
}
