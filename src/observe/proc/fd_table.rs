//! The walk of one fd table: the inner loop of the program, one statx(2) for each descriptor and more for pipes only.
//!
//! Lists the table and keeps the account of what it could not see. What a single descriptor is, `descriptor` tells.

use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{RawDir, SeekFrom};
use rustix::io::Errno;

use super::gap::{gap, is_refusal};
use super::process::ProcessDir;
use super::root::{number_name, numbers_in, open_listing};
use super::watch::{Step, Watch};
use super::work::{Part, Queue, Skip, Work};
use super::{Scanner, mounts};
use crate::model::{AccessMode, Fd, Gap, OpenFlags, Pid, PossibleEnds, Side, Tid, UnreadablePart};

/// A table with more descriptors than this in one buffer of its directory is huge: the rest goes to another thread.
const HUGE: usize = 512;

/// How often a table is listed again to find what moved.
const LOOKS_AT_MOVED: u32 = 4;

/// The fd table of a process, or of one of its threads.
pub(super) struct Table {
    pub(super) process: Arc<ProcessDir>,
    /// Set where a thread has a table that it does not share with its process.
    pub(super) tid: Option<Tid>,
}

impl Table {
    /// The path of one of its directories, `fd` or `fdinfo`, below the process.
    pub(super) fn path(&self, leaf: &str) -> String {
        match self.tid {
            Some(tid) => format!("task/{tid}/{leaf}"),
            None => leaf.to_owned(),
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.process.pid
    }
}

/// What a job has at hand while it walks.
pub(super) struct Context<'a> {
    pub(super) scanner: &'a Scanner,
    pub(super) watch: &'a Watch,
    pub(super) skip: &'a Skip,
    pub(super) queue: &'a dyn Queue,
    /// Whether the rest of a huge table may go to another thread.
    pub(super) splits: bool,
    pub(super) part: &'a mut Part,
}

/// Walks a table, from the beginning or from a position of its directory, and adds what it finds to the part.
pub(super) fn walk(table: &Arc<Table>, from: Option<u64>, context: &mut Context<'_>) {
    match open_listing(table.process.dir(), table.path("fd")) {
        Ok(listing) => Walk::new(table, Some(&listing), context).run(&listing, from),
        // A thread that goes away may leave its table to others, or its ends to other threads.
        Err(errno) if context.scanner.root.is_vanished(errno) => match table.tid {
            None => context.part.vanished = true,
            Some(_) => context.part.vanished_fds += 1,
        },
        Err(errno) => without_listing(table, errno, context),
    }
}

/// With `CAP_SYS_PTRACE` alone, fd may not be opened, but fdinfo may: it tells all but the targets.
fn without_listing(table: &Arc<Table>, errno: Errno, context: &mut Context<'_>) {
    let numbers = open_listing(table.process.dir(), table.path("fdinfo")).and_then(numbers_in);
    if let Ok(numbers) = numbers
        && is_refusal(errno)
        && context.scanner.root.real.is_some()
    {
        let mut walk = Walk::new(table, None, context);
        walk.refused = Some(Refused { errno, fds: 0, may_hold: PossibleEnds::NOTHING, fdinfo: true });
        for fd in numbers {
            walk.visit(Fd(fd));
        }
        return walk.settle();
    }
    let fds = table_size(table, context.scanner);
    if fds == Some(0) {
        return;
    }
    let unread = gap(table.pid(), UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING);
    let unread = table.process.sign(context.scanner, Gap { fds, tid: table.tid, ..unread });
    context.part.gaps.push(unread);
}

/// The number of descriptors in a table, to be had even where the table may not be read; none before Linux 6.2.
pub(super) fn table_size(table: &Table, scanner: &Scanner) -> Option<u64> {
    listed(&table.process, &table.path("fd"), scanner)
}

/// The same of the fd directory of that path below the process.
pub(super) fn listed(process: &ProcessDir, path: &str, scanner: &Scanner) -> Option<u64> {
    if !scanner.root.real.as_ref()?.sized {
        return None;
    }
    let stat = rustix::fs::statat(process.dir(), path, rustix::fs::AtFlags::empty()).ok()?;
    u64::try_from(stat.st_size).ok()
}

/// The state of a walk.
pub(super) struct Walk<'a, 'b> {
    pub(super) table: &'a Arc<Table>,
    /// The fd directory, relative to which descriptors are looked up; none where it may not be opened.
    pub(super) listing: Option<&'a OwnedFd>,
    pub(super) context: &'a mut Context<'b>,
    refused: Option<Refused>,
    /// The descriptors that were looked at, some perhaps twice.
    looked_at: Vec<Fd>,
    /// Those that were listed, and gone when they were looked at.
    gone: Vec<Fd>,
    /// Whether the rest of the table went to another thread.
    handed_on: bool,
}

/// The account of descriptors whose links may not be read.
struct Refused {
    errno: Errno,
    fds: u64,
    may_hold: PossibleEnds,
    /// Whether fdinfo may be read at least; tried once.
    fdinfo: bool,
}

impl<'a, 'b> Walk<'a, 'b> {
    pub(super) fn new(table: &'a Arc<Table>, listing: Option<&'a OwnedFd>, context: &'a mut Context<'b>) -> Self {
        Self { table, listing, context, refused: None, looked_at: Vec::new(), gone: Vec::new(), handed_on: false }
    }

    fn run(mut self, listing: &OwnedFd, from: Option<u64>) {
        let none = HashSet::new();
        let mut walked = match from {
            Some(position) => {
                rustix::fs::seek(listing, SeekFrom::Start(position)).and_then(|_| self.all(listing, &none))
            }
            None => self.all(listing, &none),
        };
        // What is gone may have moved to another number (dup2 and close), perhaps one that was passed already.
        for _ in 0..LOOKS_AT_MOVED {
            if walked.is_err() || self.gone.is_empty() || from.is_some() || self.handed_on {
                break;
            }
            let mut known: HashSet<Fd> = self.looked_at.iter().copied().collect();
            for fd in std::mem::take(&mut self.gone) {
                known.remove(&fd);
                self.context.part.vanished_fds += 1;
            }
            walked = rustix::fs::seek(listing, SeekFrom::Start(0)).and_then(|_| self.all(listing, &known));
        }
        self.context.part.vanished_fds += self.gone.len();
        match walked {
            Err(errno) if self.context.scanner.root.is_vanished(errno) => {}
            Err(errno) => self.gap(UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING),
            Ok(()) => {}
        }
        self.settle();
    }

    /// Lists the table, one buffer of its directory at a time, and looks at what is not known yet.
    fn all(&mut self, listing: &OwnedFd, known: &HashSet<Fd>) -> rustix::io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
        let mut entries = RawDir::new(listing, &mut buffer);
        let mut fds = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry?;
            fds.extend(number_name(entry.file_name().to_bytes()).map(Fd));
            let position = entry.next_entry_cookie();
            if !entries.is_buffer_empty() {
                continue;
            }
            if fds.len() > HUGE {
                self.hand_on(position);
            }
            for fd in fds.drain(..) {
                if !known.contains(&fd) {
                    self.looked_at.push(fd);
                    self.visit(fd);
                }
            }
            if self.handed_on {
                break;
            }
        }
        Ok(())
    }

    /// Leaves the rest of the table to whoever is free. Only in a real proc does a position hold for another descriptor of
    /// the directory (there it is the fd number plus 2, in `proc_readfd_common` of fs/proc/fd.c).
    fn hand_on(&mut self, position: u64) {
        if self.context.splits && self.context.scanner.root.real.is_some() {
            self.context.queue.push(Work::Rest(Arc::clone(self.table), position));
            self.handed_on = true;
        }
    }

    fn visit(&mut self, fd: Fd) {
        self.context.watch.doing(Step::Fd(self.table.tid, fd));
        if self.context.skip.fds.contains(&(self.table.tid, fd)) {
            self.context.scanner.dead_mounts.add(self.fdinfo(fd).ok().and_then(|info| info.mnt_id));
            return self.without_answer(fd);
        }
        if self.is_on_dead_mount(fd) {
            return self.without_answer(fd);
        }
        let looked = match &self.refused {
            Some(refused) => Err(refused.errno),
            None => self.look(fd),
        };
        match looked {
            Ok(found) => self.context.part.found.extend(found),
            Err(errno) if self.context.scanner.root.is_vanished(errno) => return self.gone.push(fd),
            Err(errno) if is_refusal(errno) && self.context.scanner.root.real.is_some() => {
                self.without_link(fd, errno);
            }
            Err(errno) => self.gap(UnreadablePart::Fd { fd }, errno, PossibleEnds::ANYTHING),
        }
        if self.context.scanner.want.tables.contains(&self.table.pid()) {
            let descriptor = self.describe(fd);
            self.context.part.descriptors.push(descriptor);
        }
    }

    /// Asked only after some mount gave no answer, since fdinfo costs twice what the rest does.
    fn is_on_dead_mount(&self, fd: Fd) -> bool {
        let dead = &self.context.scanner.dead_mounts;
        !dead.is_empty() && self.fdinfo(fd).is_ok_and(|info| dead.contains(info.mnt_id))
    }

    /// What can be said of a descriptor whose file system does not answer: its link does not ask it, nor does its fdinfo, unless
    /// it is an epoll.
    fn without_answer(&mut self, fd: Fd) {
        let info = self.fdinfo(fd).unwrap_or_default();
        let access = info.flags.map(|flags| flags.access());
        let may_hold = match access {
            Some(None) => PossibleEnds::NOTHING,
            Some(Some(access)) => holds(access),
            None => PossibleEnds { anonymous: false, ..PossibleEnds::ANYTHING },
        };
        let mount = info.mnt_id.and_then(|id| mounts::mount_point(&self.table.process, id));
        let unread = gap(self.table.pid(), UnreadablePart::Fd { fd }, Errno::TIMEDOUT, may_hold);
        let unread = self.table.process.sign(self.context.scanner, Gap { mount, tid: self.table.tid, ..unread });
        self.context.part.gaps.push(unread);
    }

    /// What can be said of a descriptor whose link may not be followed: what fdinfo or at least the mode of the link tells.
    fn without_link(&mut self, fd: Fd, errno: Errno) {
        // What is refused once is refused for the whole table, so it is tried once only.
        let info = if self.refused.as_ref().is_none_or(|refused| refused.fdinfo) { self.fdinfo(fd).ok() } else { None };
        if let Some(found) = info.and_then(|info| self.known_by_fdinfo(fd, info)) {
            self.context.part.found.push(found);
            return;
        }
        let refused = self.refused.get_or_insert(Refused {
            errno,
            fds: 0,
            may_hold: PossibleEnds { anonymous: info.is_none(), ..PossibleEnds::NOTHING },
            fdinfo: info.is_some(),
        });
        refused.fds += 1;
        if refused.may_hold.read && refused.may_hold.write {
            return;
        }
        let access = match info {
            Some(info) => info.flags.and_then(OpenFlags::access),
            // Where not even this can be read, it is gone.
            None => self.link_mode(fd).ok().flatten(),
        };
        if let (Some(refused), Some(access)) = (&mut self.refused, access) {
            refused.may_hold = refused.may_hold.or(holds(access));
        }
    }

    /// Tells what was refused.
    fn settle(mut self) {
        if let Some(refused) = self.refused.take().filter(|refused| refused.fds > 0) {
            let unread = gap(self.table.pid(), UnreadablePart::FdLinks, refused.errno, refused.may_hold);
            let unread = self
                .table
                .process
                .sign(self.context.scanner, Gap { fds: Some(refused.fds), tid: self.table.tid, ..unread });
            self.context.part.gaps.push(unread);
        }
    }

    fn gap(&mut self, what: UnreadablePart, errno: Errno, may_hold: PossibleEnds) {
        let unread = Gap { tid: self.table.tid, ..gap(self.table.pid(), what, errno, may_hold) };
        self.context.part.gaps.push(self.table.process.sign(self.context.scanner, unread));
    }
}

/// The ends that a descriptor open in this way may be.
fn holds(access: AccessMode) -> PossibleEnds {
    PossibleEnds { read: access.is_on(Side::Read), write: access.is_on(Side::Write), anonymous: false }
}
