//! What may hold an end of a pipe that no fd table shows: descriptors in flight over UNIX sockets or registered with an `io_uring`,
//! processes that are stuck in exiting, and the kernel itself.
//!
//! Looked for only where something depends on it: where the kernel says that there is such an end, and where what is found would be wrong
//! if there were one. Watched like the scan, by the same workers. Only the fdinfo of sockets and of `io_urings` is read, since that of an
//! epoll may wait.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::beneath::open_file;
use super::fd_dir::{FdDir, Table};
use super::heartbeat::ScanStep;
use super::process::ProcessDir;
use super::root::{LONG, PF_EXITING, numbers_in, read_up_to};
use super::scanner::{self, Context, Scanner};
use super::task::Tables;
use super::work::{self, ProcessResult, Work};
use super::{Budget, Error, ScanOptions, maps, mounts, parse, with_scanner};
use crate::model::{Fd, Gap, Hidden, HolderFd, Pid, PossibleEnds, UnreadablePart};

/// What is kept of a descriptor that may hold ends, in bytes.
const HOLDER: usize = 192;

/// Looks through the machine for what may hold ends that no fd table shows. Fails as [`scan`](super::scan) does.
pub(crate) fn hidden(proc_root: &Path, budget: &Arc<Budget>) -> Result<Hidden, Error> {
    with_scanner(proc_root, ScanOptions::default(), budget, hidden_in)
}

fn hidden_in(scanner: &Arc<Scanner>) -> Result<Hidden, Error> {
    let pids = scanner.root.pids()?;
    let mut hidden = Hidden::default();
    let (mut open_rings, mut mapped_rings) = (BTreeSet::new(), Vec::new());
    for result in work::run(scanner, pids, Work::Hidden) {
        open_rings.extend(result.open_rings);
        mapped_rings.extend(result.mapped_rings.iter().map(|inode| (*inode, result.pid)));
        hidden.gaps.extend(result.gaps);
        hidden.in_flight.extend(result.hidden.in_flight);
        hidden.registered.extend(result.hidden.registered);
        hidden.rings.extend(result.hidden.rings);
        hidden.unread_rings.extend(result.hidden.unread_rings);
        hidden.exiting.extend(result.hidden.exiting);
    }
    // A ring without a descriptor anywhere: what is registered with it cannot be seen.
    mapped_rings.retain(|(inode, _)| !open_rings.contains(inode));
    for pid in mapped_rings.into_iter().map(|(_, pid)| pid).collect::<BTreeSet<Pid>>() {
        let command = ProcessDir::open(scanner, pid).map(|process| process.command()).unwrap_or_default();
        hidden.unread_rings.push((pid, None, command.into()));
    }
    // Of our own mount namespace. Where it cannot be read, no mount is known.
    let mountinfo = read_up_to(scanner.root.dir(), "self/mountinfo", LONG).unwrap_or_default();
    hidden.autofs = mounts::autofs_pipes(&mountinfo);
    hidden.in_flight.sort_unstable();
    hidden.registered.sort_unstable();
    hidden.rings.sort_unstable();
    hidden.rings.dedup();
    hidden.unread_rings.sort_unstable();
    hidden.unread_rings.dedup();
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
    if !is_empty && context.scanner.root.is_real() {
        look_at_mappings(process, context, result);
    }
}

/// Looks for rings that are mapped: their descriptors may be closed (`io_uring_register_ring_fd(3)`). One that is not even mapped
/// (`IORING_SETUP_NO_MMAP`) shows nowhere.
fn look_at_mappings(process: &ProcessDir, context: &Context<'_>, result: &mut ProcessResult) {
    // As a command line, this takes a lock of the memory of the process.
    let rings = if context.timed_out.contains(ScanStep::Facts) {
        None
    } else {
        context.heartbeat.during(ScanStep::Facts, || mapped_rings(process))
    };
    match rings {
        Some(rings) if rings.is_empty() => {}
        Some(rings) => {
            result.hidden.rings.push(process.pid);
            result.mapped_rings = rings;
        }
        None => {
            result.hidden.rings.push(process.pid);
            result.hidden.unread_rings.push((process.pid, None, process.command().into()));
        }
    }
}

/// The rings in the mappings; none where not all of these could be read. What is refused, the scan has named.
fn mapped_rings(process: &ProcessDir) -> Option<BTreeSet<u64>> {
    let Ok(file) = open_file(process.dir(), c"maps") else { return Some(BTreeSet::new()) };
    maps::rings(File::from(file))
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
        let is_ring = link == parse::IO_URING;
        if !is_ring && !link.starts_with(b"socket:[") {
            continue;
        }
        let text = match dir.fdinfo_text(fd) {
            Ok(text) => text,
            Err(errno) if context.scanner.root.is_vanished(errno) => continue,
            // Too long, or refused although the link is not.
            Err(_) if is_ring => Vec::new(),
            Err(errno) => {
                result.gaps.push(unread(UnreadablePart::Fd { fd }, errno));
                continue;
            }
        };
        let is_holder = is_ring || parse::in_flight(&text) > 0;
        if is_holder && !context.scanner.budget.charge(HOLDER) {
            result.gaps.push(unread(UnreadablePart::FdTable, Errno::NOMEM));
            break;
        }
        let holder = || HolderFd { pid: process.pid, fd, command: process.command().into() };
        if is_ring {
            result.hidden.rings.push(process.pid);
            result.open_rings.extend(parse::fdinfo(&text).ino);
            let registered = parse::registered(&text);
            result.hidden.registered.extend(registered.pipes.into_iter().map(|pipe| (pipe, holder())));
            if registered.unknown.anonymous {
                result.hidden.unread_rings.push((process.pid, Some(fd), process.command().into()));
            } else if registered.unknown != PossibleEnds::NOTHING {
                // The paths of files, of which no more is known.
                let unnamed = unread(UnreadablePart::Fd { fd }, Errno::NODATA);
                result.gaps.push(Gap { may_hold: registered.unknown, ..unnamed });
            }
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
