//! The walk of one fd table: the inner loop of the program, one statx(2) for each descriptor and more for pipes only.
//!
//! Lists the table and keeps the account of what could not be seen. What a single descriptor is, [`FdDir`] finds out.

pub(super) mod recorded;

use std::collections::{HashMap, HashSet};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{RawDir, SeekFrom};
use rustix::io::Errno;

use super::fd_dir::{ByLink, FdDir, Table, ends_of};
use super::heartbeat::ScanStep;
use super::mounts::{self, Mount};
use super::process::is_refusal;
use super::root::{number_name, numbers_in};
use super::scanner::Context;
use super::work::{ProcessResult, Work};
use crate::model::{Fd, Gap, OpenFlags, PossibleEnds, UnreadablePart};
use crate::observe::join::RawEndpoint;

/// A table with more descriptors than this in one buffer of its directory is huge: the rest goes to another worker.
const HUGE: usize = 512;

/// What is kept of an end, by all that comes of it, of what is known of its file, and of a descriptor that is listed, in bytes.
pub(super) const END: usize = 192;
const FACTS: usize = 128;
const DESCRIPTOR: usize = 192;

/// Maximum number of times that a table is listed again to find what moved.
const LOOKS_AT_MOVED: u32 = 4;

/// Walks a table, from the beginning or from a position of its directory, and adds what it finds to the result.
pub(super) fn walk(table: &Table, from: Option<u64>, context: &Context<'_>, result: &mut ProcessResult) {
    match table.open("fd") {
        Ok(listing) => TableWalk::new(table, Some(&listing), context, result).run(&listing, from),
        // A thread that goes away may leave its table to others, or its ends to other threads.
        Err(errno) if context.scanner.root.is_vanished(errno) => match table.tid {
            None => result.vanished = true,
            Some(_) => result.vanished_fds += 1,
        },
        Err(errno) => TableWalk::new(table, None, context, result).run_without_listing(errno),
    }
}

/// Maximum number of descriptors of a table that are named one by one, where their file system answers its own user only.
const MAX_PRIVATE: usize = 8;

struct TableWalk<'a> {
    table: &'a Table,
    dir: FdDir<'a>,
    context: &'a Context<'a>,
    result: &'a mut ProcessResult,
    refused: Option<Refused>,
    /// The descriptors of which only the link is known, with the answer of their file system.
    private: Vec<(Fd, Errno, PossibleEnds)>,
    /// The mounts that were looked up, by their IDs.
    mounts: HashMap<u64, Option<Mount>>,
    /// The descriptors that were looked at, some perhaps twice.
    looked_at: Vec<Fd>,
    /// Those that were listed, and gone when they were looked at.
    gone: Vec<Fd>,
    /// Whether the rest of the table went to another worker.
    split: bool,
    /// Whether the whole table is wanted, and not only its ends.
    describes: bool,
    /// Whether there is no room for more.
    is_full: bool,
}

/// Descriptors whose links may not be read.
struct Refused {
    errno: Errno,
    fds: u64,
    may_hold: PossibleEnds,
    /// Whether at least fdinfo may be read; tried once.
    fdinfo: bool,
}

impl<'a> TableWalk<'a> {
    fn new(
        table: &'a Table,
        listing: Option<&'a OwnedFd>,
        context: &'a Context<'a>,
        result: &'a mut ProcessResult,
    ) -> Self {
        let dir = FdDir { table, listing, context };
        let describes = context.scanner.options.tables.contains(&table.process.pid);
        let (private, looked_at, gone) = (Vec::new(), Vec::new(), Vec::new());
        let (mounts, refused, split, is_full) = (HashMap::new(), None, false, false);
        Self { table, dir, context, result, refused, private, mounts, looked_at, gone, split, describes, is_full }
    }

    fn run(mut self, listing: &OwnedFd, from: Option<u64>) {
        let mut walked = self.list(listing, from, &HashSet::new());
        // What is gone may have moved to another number (dup2 and close), perhaps one that was passed already.
        for _ in 0..LOOKS_AT_MOVED {
            if walked.is_err() || self.gone.is_empty() || from.is_some() || self.split {
                break;
            }
            let mut known: HashSet<Fd> = self.looked_at.iter().copied().collect();
            for fd in std::mem::take(&mut self.gone) {
                known.remove(&fd);
                self.result.vanished_fds += 1;
            }
            walked = self.list(listing, Some(0), &known);
        }
        self.result.vanished_fds += self.gone.len();
        if let Err(errno) = walked
            && !self.context.scanner.root.is_vanished(errno)
        {
            self.record(UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING);
        }
        self.flush_refused();
    }

    /// With `CAP_SYS_PTRACE` alone, fd may not be opened, but fdinfo may: it has all but the targets.
    fn run_without_listing(mut self, errno: Errno) {
        let numbers = self.table.open("fdinfo").and_then(numbers_in);
        if let Ok(numbers) = numbers
            && is_refusal(errno)
            && self.context.scanner.root.is_real()
        {
            self.refused = Some(Refused { errno, fds: 0, may_hold: PossibleEnds::NOTHING, fdinfo: true });
            for fd in numbers {
                self.visit(Fd(fd));
                if self.is_full {
                    self.record(UnreadablePart::FdTable, Errno::NOMEM, PossibleEnds::ANYTHING);
                    break;
                }
            }
            return self.flush_refused();
        }
        let fds = self.table.size(self.context.scanner);
        if fds != Some(0) {
            let unread = self.gap(UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING);
            self.result.gaps.push(Gap { fds, ..unread });
        }
    }

    /// Lists the table from a position or where it stands, one buffer of its directory at a time, and looks at what is not known yet.
    fn list(&mut self, listing: &OwnedFd, from: Option<u64>, known: &HashSet<Fd>) -> rustix::io::Result<()> {
        if let Some(position) = from {
            rustix::fs::seek(listing, SeekFrom::Start(position))?;
        }
        let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
        let mut entries = RawDir::new(listing, &mut buffer);
        let mut fds = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry?;
            if fds.is_empty() && self.context.scanner.budget.is_over() {
                return Err(Errno::TIME);
            }
            fds.extend(number_name(entry.file_name().to_bytes()).map(Fd));
            let position = entry.next_entry_cookie();
            if !entries.is_buffer_empty() {
                continue;
            }
            if fds.len() > HUGE {
                self.split_rest(position);
            }
            for fd in fds.drain(..) {
                if !known.contains(&fd) {
                    self.looked_at.push(fd);
                    self.visit(fd);
                }
                if self.is_full {
                    return Err(Errno::NOMEM);
                }
            }
            if self.split {
                break;
            }
        }
        Ok(())
    }

    /// Leaves the rest of the table to any idle worker. Only in a real proc does a position hold for another descriptor of
    /// the directory (there it is the fd number plus 2, in `proc_readfd_common` of fs/proc/fd.c).
    fn split_rest(&mut self, position: u64) {
        if self.context.splits && self.context.scanner.root.is_real() {
            self.context.pool.push(Work::Rest(self.table.clone(), position));
            self.split = true;
        }
    }

    fn visit(&mut self, fd: Fd) {
        let step = ScanStep::Fd(self.table.tid, fd);
        self.context.heartbeat.enter(step);
        if self.context.timed_out.contains(step) {
            self.context.scanner.budget.hung.dead_mounts.add(self.dir.fdinfo_of_file(fd).and_then(|info| info.mnt_id));
            return self.record_timeout(fd);
        }
        if self.is_on_dead_mount(fd) {
            return self.record_timeout(fd);
        }
        let looked = match &self.refused {
            Some(refused) => Err(refused.errno),
            None => self.dir.look(fd),
        };
        match looked {
            // One by one, since nearly every descriptor is none.
            Ok([first, second]) => {
                self.keep(first);
                self.keep(second);
            }
            Err(errno) if self.context.scanner.root.is_vanished(errno) => return self.gone.push(fd),
            Err(errno) if is_refusal(errno) && self.context.scanner.root.is_real() => {
                if !self.record_by_link(fd, errno) {
                    return;
                }
            }
            Err(errno) => self.record(UnreadablePart::Fd { fd }, errno, PossibleEnds::ANYTHING),
        }
        if self.describes {
            let descriptor = self.dir.describe(fd);
            let text = descriptor.target.as_ref().map_or(0, |target| target.len());
            if self.has_room(DESCRIPTOR + text) {
                self.result.descriptors.push(descriptor);
            }
        }
    }

    /// Keeps an end, if there is room for it.
    fn keep(&mut self, end: Option<RawEndpoint>) {
        let Some(end) = end else { return };
        let facts = end.facts.as_ref().map_or(0, |facts| FACTS + facts.path.as_ref().map_or(0, Vec::len));
        if self.has_room(END + facts) {
            self.result.ends.push(end);
        }
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        self.is_full |= !self.context.scanner.budget.charge(bytes);
        !self.is_full
    }

    /// Reads fdinfo only after a mount did not answer: it costs twice as much as the rest.
    fn is_on_dead_mount(&self, fd: Fd) -> bool {
        let dead = &self.context.scanner.budget.hung.dead_mounts;
        !dead.is_empty() && self.dir.fdinfo_of_file(fd).is_some_and(|info| dead.contains(info.mnt_id))
    }

    /// Records a descriptor whose file system does not answer. Its link does not depend on that, nor does its fdinfo.
    fn record_timeout(&mut self, fd: Fd) {
        let info = self.dir.fdinfo_of_file(fd).unwrap_or_default();
        let may_hold = match info.flags.map(OpenFlags::access) {
            Some(None) => PossibleEnds::NOTHING,
            Some(Some(access)) => ends_of(access),
            None => PossibleEnds { anonymous: false, ..PossibleEnds::ANYTHING },
        };
        let look_up = |id| mounts::mount(&self.table.process, id);
        let mount = info.mnt_id.and_then(|id| self.mounts.entry(id).or_insert_with(|| look_up(id)).clone());
        let device = mount.as_ref().and_then(|mount| mount.device).filter(|_| may_hold != PossibleEnds::NOTHING);
        let unread = self.gap(UnreadablePart::Fd { fd }, Errno::TIMEDOUT, PossibleEnds { device, ..may_hold });
        self.result.gaps.push(Gap { mount: mount.map(|mount| mount.point), ..unread });
    }

    /// Records a descriptor whose file could not be asked: by the text of its link, where that may be read. Then only its file system
    /// refused, and says nothing of the rest of the table. Whether it is still there.
    fn record_by_link(&mut self, fd: Fd, errno: Errno) -> bool {
        let by_link = if self.refused.is_some() { Err(errno) } else { self.dir.look_at_link(fd) };
        match by_link {
            Ok(ByLink::Ends(ends)) => ends.into_iter().for_each(|end| self.keep(end)),
            Ok(ByLink::Unknown(may_hold)) => self.private.push((fd, errno, may_hold)),
            Err(gone) if self.context.scanner.root.is_vanished(gone) => {
                self.gone.push(fd);
                return false;
            }
            Err(_) => self.record_refused(fd, errno),
        }
        true
    }

    /// Records a descriptor whose link may not be followed: by its fdinfo, or at least by the mode of the link.
    fn record_refused(&mut self, fd: Fd, errno: Errno) {
        // What is refused once is refused for the whole table, so it is tried only once.
        let tries_fdinfo = self.refused.as_ref().is_none_or(|refused| refused.fdinfo);
        let info = if tries_fdinfo { self.dir.fdinfo(fd).ok() } else { None };
        if let Some(ends) = info.and_then(|info| self.dir.ends_by_fdinfo(fd, info)) {
            return ends.into_iter().for_each(|end| self.keep(end));
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
            None => self.dir.link_mode(fd).ok().flatten(),
        };
        if let Some(access) = access {
            refused.may_hold = refused.may_hold.or(ends_of(access));
        }
    }

    /// Reports what was refused, as one gap, and those that only their file systems refused: each, unless they are very many.
    fn flush_refused(mut self) {
        let private = std::mem::take(&mut self.private);
        let (named, rest) = private.split_at(private.len().min(MAX_PRIVATE));
        for (fd, errno, may_hold) in named {
            self.record(UnreadablePart::Fd { fd: *fd }, *errno, *may_hold);
        }
        if let Some((_, errno, _)) = rest.first() {
            let may_hold = rest.iter().fold(PossibleEnds::NOTHING, |all, (_, _, may_hold)| all.or(*may_hold));
            let unread = self.gap(UnreadablePart::FdLinks, *errno, may_hold);
            self.result.gaps.push(Gap { fds: u64::try_from(rest.len()).ok(), ..unread });
        }
        if let Some(Refused { errno, fds, may_hold, .. }) = self.refused.take().filter(|refused| refused.fds > 0) {
            let unread = self.gap(UnreadablePart::FdLinks, errno, may_hold);
            self.result.gaps.push(Gap { fds: Some(fds), ..unread });
            self.result.refused = true;
        }
    }

    fn record(&mut self, what: UnreadablePart, errno: Errno, may_hold: PossibleEnds) {
        let unread = self.gap(what, errno, may_hold);
        self.result.gaps.push(unread);
    }

    fn gap(&self, what: UnreadablePart, errno: Errno, may_hold: PossibleEnds) -> Gap {
        Gap { tid: self.table.tid, ..self.table.process.gap(self.context.scanner, what, errno, may_hold) }
    }
}
