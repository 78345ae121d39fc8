//! What may hold an end of a pipe that no fd table shows: descriptors in flight over UNIX sockets or registered with an `io_uring`,
//! processes that are stuck in exiting, and the kernel itself.
//!
//! Looked for only where something depends on it: where the kernel says that there is such an end, and where what is found would be wrong
//! if there were one. Watched like the scan, by the same threads; the fdinfo of
//! sockets and of `io_urings` is read and no other, so that none of an epoll is, which may wait.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::path::DecInt;

use super::fd_table::{self, Context, Table};
use super::gap::gap;
use super::process::ProcessDir;
use super::root::{MOUNTS, PF_EXITING, ProcRoot, numbers_in, open_listing, read_piece, read_up_to};
use super::scanner::Scanner;
use super::task::Tables;
use super::watch::Step;
use super::work::{self, Work};
use super::{Error, parse};
use crate::model::{Fd, Gap, Hidden, HolderFd, Pid, PipeId, PossibleEnds, UnreadablePart};

/// How much of an fdinfo is read, in bytes: that of an `io_uring` tells all that waits in its rings before its files.
const LONGEST: usize = 1024 * 1024;

/// A trace of an end that no fd table shows.
pub(super) enum HiddenEvidence {
    InFlight(HolderFd),
    Registered(PipeId, HolderFd),
    Ring(Pid),
    Exiting(Pid, Vec<u8>),
}

/// Looks through the machine for what may hold ends that no fd table shows.
///
/// # Errors
///
/// If the root cannot be opened or is no proc root.
pub fn hidden(proc_root: &Path) -> Result<Hidden, Error> {
    ProcRoot::open(proc_root)?.confined(hidden_in)
}

fn hidden_in(root: ProcRoot) -> Result<Hidden, Error> {
    let scanner = Arc::new(Scanner::bare(root));
    let pids = scanner.root.pids()?;
    let mut hidden = Hidden::default();
    for part in work::run(&scanner, pids, Work::Traces) {
        hidden.gaps.extend(part.gaps);
        for trace in part.traces {
            match trace {
                HiddenEvidence::InFlight(holding) => hidden.in_flight.push(holding),
                HiddenEvidence::Registered(pipe, holding) => hidden.registered.push((pipe, holding)),
                HiddenEvidence::Ring(pid) => hidden.rings.push(pid),
                HiddenEvidence::Exiting(pid, command) => hidden.exiting.push((pid, command)),
            }
        }
    }
    // Of our own mount namespace. Should it not be readable, no mount is known.
    let mounts = read_up_to(CWD, scanner.root.path().join("self/mountinfo"), MOUNTS).unwrap_or_default();
    hidden.autofs = parse::autofs_pipes(&mounts);
    hidden.in_flight.sort_unstable();
    hidden.registered.sort_unstable();
    hidden.rings.sort_unstable();
    hidden.rings.dedup();
    hidden.exiting.sort_unstable();
    hidden.gaps.sort_by_key(|gap| gap.pid);
    Ok(hidden)
}

impl Scanner {
    /// Looks for traces in all tables of a process.
    pub(super) fn traces(&self, pid: Pid, context: &mut Context<'_>) {
        let process = match ProcessDir::open(self, pid) {
            Ok(process) => Arc::new(process),
            Err(errno) if self.root.is_vanished(errno) => return,
            Err(errno) => {
                return context.part.gaps.push(gap(pid, UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING));
            }
        };
        if context.skip.table {
            return self.unanswered(&process, context);
        }
        let own = Arc::new(Table { process: Arc::clone(&process), tid: None });
        let is_empty = fd_table::table_size(&own, self) == Some(0) || self.traces_in(&own, context) == Some(0);
        if is_empty && is_exiting(&process) {
            context.part.traces.push(HiddenEvidence::Exiting(pid, process.command()));
        }
        if let Tables::Private(tids) | Tables::Unknown(tids) = self.tables(&process, context) {
            for tid in tids {
                let table = Table { process: Arc::clone(&process), tid: Some(tid) };
                self.traces_in(&table, context);
            }
        }
    }

    /// Looks for traces in one table, and returns how many descriptors it has.
    fn traces_in(&self, table: &Table, context: &mut Context<'_>) -> Option<usize> {
        let process = &table.process;
        let unread = |what, errno| {
            process.sign(self, Gap { tid: table.tid, ..gap(process.pid, what, errno, PossibleEnds::ANYTHING) })
        };
        let listed = open_listing(process.dir(), table.path("fd"));
        let fds = match listed.and_then(numbers_in) {
            Ok(fds) => fds,
            Err(errno) if self.root.is_vanished(errno) => return None,
            Err(errno) => {
                context.part.gaps.push(unread(UnreadablePart::FdTable, errno));
                return None;
            }
        };
        let listing = open_listing(process.dir(), table.path("fd")).ok()?;
        for fd in fds.iter().copied().map(Fd) {
            context.watch.doing(Step::Fd(table.tid, fd));
            let skip = context.skip;
            if skip.fds.contains(&(table.tid, fd)) || skip.fdinfos.contains(&(table.tid, fd)) {
                context.part.gaps.push(unread(UnreadablePart::Fd(fd), Errno::TIMEDOUT));
                continue;
            }
            // What is gone or refused tells nothing; what is refused, the scan has named.
            let Ok(link) = rustix::fs::readlinkat(&listing, DecInt::new(fd.0), Vec::new()) else { continue };
            let link = link.as_bytes();
            let is_ring = link == b"anon_inode:[io_uring]";
            if !is_ring && !link.starts_with(b"socket:[") {
                continue;
            }
            context.watch.doing(Step::FdInfo(table.tid, fd));
            let text = read_piece(process.dir(), table.path(&format!("fdinfo/{fd}")), LONGEST).unwrap_or_default();
            context.watch.doing(Step::Fd(table.tid, fd));
            let holding = || HolderFd { pid: process.pid, fd, command: process.command() };
            if is_ring {
                context.part.traces.push(HiddenEvidence::Ring(process.pid));
                let registered = parse::registered_pipes(&text).into_iter();
                context.part.traces.extend(registered.map(|pipe| HiddenEvidence::Registered(pipe, holding())));
            } else if parse::in_flight(&text) > 0 {
                context.part.traces.push(HiddenEvidence::InFlight(holding()));
            }
        }
        Some(fds.len())
    }
}

/// Whether a process is on its way out and not there yet: it waits for something, with descriptors that /proc shows no more.
fn is_exiting(process: &ProcessDir) -> bool {
    let stat = parse::stat(&process.text("stat"));
    let is_dead = matches!(stat.state, Some('Z' | 'X' | 'x'));
    !is_dead && stat.flags.is_some_and(|flags| flags & PF_EXITING != 0)
}
