//! What may hold an end of a pipe that no fd table shows: descriptors in flight over UNIX sockets or registered with an `io_uring`,
//! processes that are stuck in exiting, and the kernel itself.
//!
//! Looked for only where something depends on it: where the kernel says that there is such an end, and where what is found would be wrong
//! if there were one. Watched like the scan, by the same workers. Only the fdinfo of sockets and of `io_urings` is read, since that of an
//! epoll may wait.

use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::fd_dir::{FdDir, Table};
use super::heartbeat::ScanStep;
use super::process::ProcessDir;
use super::root::{LONG, PF_EXITING, numbers_in, read_up_to};
use super::scanner::{self, Context, Scanner};
use super::task::Tables;
use super::work::{self, ProcessResult, Work};
use super::{Budget, Error, ScanOptions, mounts, parse, with_scanner};
use crate::model::{Fd, Gap, Hidden, HolderFd, PossibleEnds, UnreadablePart};

/// What is kept of a descriptor that may hold ends, in bytes.
const HOLDER: usize = 192;

/// Looks through the machine for what may hold ends that no fd table shows. Fails as [`scan`](super::scan) does.
pub(crate) fn hidden(proc_root: &Path, budget: &Arc<Budget>) -> Result<Hidden, Error> {
    with_scanner(proc_root, ScanOptions::default(), budget, hidden_in)
}

fn hidden_in(scanner: &Arc<Scanner>) -> Result<Hidden, Error> {
    let pids = scanner.root.pids()?;
    let mut hidden = Hidden::default();
    for result in work::run(scanner, pids, Work::Hidden) {
        hidden.gaps.extend(result.gaps);
        hidden.in_flight.extend(result.hidden.in_flight);
        hidden.registered.extend(result.hidden.registered);
        hidden.rings.extend(result.hidden.rings);
        hidden.exiting.extend(result.hidden.exiting);
    }
    // Of our own mount namespace. Where it cannot be read, no mount is known.
    let mountinfo = read_up_to(scanner.root.dir(), "self/mountinfo", LONG).unwrap_or_default();
    hidden.autofs = mounts::autofs_pipes(&mountinfo);
    hidden.in_flight.sort_unstable();
    hidden.registered.sort_unstable();
    hidden.rings.sort_unstable();
    hidden.rings.dedup();
    hidden.exiting.sort_unstable();
    hidden.gaps.sort_by_key(|gap| gap.pid);
    Ok(hidden)
}

/// Looks for evidence in all tables of a process.
pub(super) fn look(process: &Arc<ProcessDir>, context: &Context<'_>, result: &mut ProcessResult) {
    let own = Table::new(process, None);
    let is_empty = own.size(context.scanner) == Some(0) || look_in(&own, context, result) == Some(0);
    if is_empty && is_exiting(process) {
        result.hidden.exiting.push((process.pid, process.command().into()));
    }
    if let Tables::Private(tids) | Tables::Unknown(tids) = scanner::tables(process, context, result) {
        for tid in tids {
            look_in(&Table::new(process, Some(tid)), context, result);
        }
    }
}

/// Looks for evidence in one table, and returns how many descriptors it has.
fn look_in(table: &Table, context: &Context<'_>, result: &mut ProcessResult) -> Option<usize> {
    let process = &table.process;
    let unread =
        |what, errno| Gap { tid: table.tid, ..process.gap(context.scanner, what, errno, PossibleEnds::ANYTHING) };
    let listed = table.open("fd").and_then(|listing| Ok((numbers_in(&listing)?, listing)));
    let (fds, listing) = match listed {
        Ok(listed) => listed,
        Err(errno) => {
            if !context.scanner.root.is_vanished(errno) {
                result.gaps.push(unread(UnreadablePart::FdTable, errno));
            }
            return None;
        }
    };
    let dir = FdDir { table, listing: Some(&listing), context };
    for fd in fds.iter().copied().map(Fd) {
        let step = ScanStep::Fd(table.tid, fd);
        context.heartbeat.enter(step);
        let timed_out = context.timed_out;
        if timed_out.contains(step) || timed_out.contains(ScanStep::FdInfo(table.tid, fd)) {
            result.gaps.push(unread(UnreadablePart::Fd { fd }, Errno::TIMEDOUT));
            continue;
        }
        // What is gone or refused says nothing; what is refused, the scan has named.
        let Ok(link) = dir.link(fd) else { continue };
        let is_ring = link == b"anon_inode:[io_uring]";
        if !is_ring && !link.starts_with(b"socket:[") {
            continue;
        }
        let text = dir.fdinfo_text(fd).unwrap_or_default();
        let is_holder = is_ring || parse::in_flight(&text) > 0;
        if is_holder && !context.scanner.budget.charge(HOLDER) {
            result.gaps.push(unread(UnreadablePart::FdTable, Errno::NOMEM));
            break;
        }
        let holder = || HolderFd { pid: process.pid, fd, command: process.command().into() };
        if is_ring {
            result.hidden.rings.push(process.pid);
            let registered = parse::registered_pipes(&text).into_iter();
            result.hidden.registered.extend(registered.map(|pipe| (pipe, holder())));
        } else if is_holder {
            result.hidden.in_flight.push(holder());
        }
    }
    Some(fds.len())
}

/// Whether a process is on its way out and not there yet: it waits for something, with descriptors that /proc shows no more.
fn is_exiting(process: &ProcessDir) -> bool {
    let stat = parse::stat(&process.text("stat"));
    let is_dead = matches!(stat.state, Some('Z' | 'X' | 'x'));
    !is_dead && stat.flags.is_some_and(|flags| flags & PF_EXITING != 0)
}
