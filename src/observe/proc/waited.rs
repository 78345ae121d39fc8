//! Which processes could end a wait that is for no channel: those that have an eventfd, those that map the file of a futex, and those that
//! hold a lock on a file. Looked for only where a thread waits for nothing else, and watched like the scan, by the same workers.
//!
//! What is not known whole is left out: an eventfd that a process has that could not be looked at, one that the kernel may post, a file that
//! any process could open by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, StatxFlags};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::beneath::open_file;
use super::details;
use super::fd_dir::{FdDir, Table};
use super::heartbeat::ScanStep;
use super::maps::{self, MappedFile};
use super::polled::{self, FileKind};
use super::process::ProcessDir;
use super::root::{numbers_in, statx};
use super::scanner::{self, Context, Scanner};
use super::task::Tables;
use super::work::{self, ProcessResult, Work};
use super::{Budget, Error, ScanOptions, parse, with_scanner};
use crate::model::{
    AlternativeWake, Device, EventId, Fd, FileLock, LockHolders, Pid, SharedLock, TaskState, Threads, WaitTarget,
    WaitedFiles, Waker, link,
};
use crate::observe::channel::device;

/// What is kept of a process that has such a file, in bytes.
const HOLDER: usize = 64;

/// What threads wait for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    events: BTreeSet<EventId>,
    locks: BTreeSet<SharedLock>,
    /// The files of those.
    files: BTreeSet<MappedFile>,
    file_locks: BTreeSet<FileLock>,
    /// The files of those.
    locked: BTreeSet<(Device, u64)>,
    /// Sockets, by inode.
    pub(super) sockets: BTreeSet<u64>,
    /// Whether the other ends of those are wanted rather.
    pub(super) other_ends: bool,
    /// Descriptors, by process.
    pub(super) descriptors: BTreeMap<Pid, details::Tables>,
}

impl Wanted {
    pub(super) fn of_sockets(sockets: BTreeSet<u64>) -> Self {
        Self { sockets, ..Self::default() }
    }

    pub(super) fn of_connections(sockets: BTreeSet<u64>) -> Self {
        Self { sockets, other_ends: true, ..Self::default() }
    }

    pub(super) fn of_descriptors(descriptors: BTreeMap<Pid, details::Tables>) -> Self {
        Self { descriptors, ..Self::default() }
    }

    /// What could end waits, where nothing else could. If anything else could, it does not matter which processes have it.
    fn of(threads: &Threads) -> Self {
        let mut wanted = Self::default();
        for task in threads.values().flat_map(|group| &group.tasks) {
            let TaskState::Waits { causes, besides } = &task.doing else { continue };
            let is_alone = matches!(besides, None | Some(AlternativeWake::Lock));
            for cause in causes {
                match cause {
                    WaitTarget::Event(id) if is_alone => drop(wanted.events.insert(*id)),
                    WaitTarget::Lock(lock) if is_alone => {
                        wanted.files.insert((lock.device, lock.inode));
                        wanted.locks.insert(*lock);
                    }
                    // Which process holds it is shown even where a timer may end the wait.
                    WaitTarget::FileLock(wait) => {
                        wanted.locked.extend(wait.lock.map(|lock| (lock.device, lock.inode)));
                        wanted.file_locks.extend(wait.lock);
                    }
                    _ => {}
                }
            }
        }
        wanted
    }
}

/// What a process has of those.
#[derive(Debug, Default)]
pub(super) struct Has {
    events: BTreeSet<EventId>,
    /// Sockets, by inode.
    pub(super) sockets: BTreeSet<u64>,
    /// Files that it maps, or has a descriptor of, with whether each has a name.
    files: BTreeMap<MappedFile, bool>,
    /// The locks that it holds, with the descriptor of each.
    file_locks: BTreeSet<(FileLock, Waker)>,
    /// Whether it may have more: of eventfds, of files, and of locks on files.
    more_events: bool,
    more_files: bool,
    more_locks: bool,
    /// Whether the kernel may post eventfds on its behalf.
    posts_events: bool,
}

impl Has {
    /// A table or a descriptor could not be read.
    const fn may_have_more(&mut self) {
        (self.more_events, self.more_files, self.more_locks) = (true, true, true);
    }
}

/// Finds the processes that could end the waits of these threads. Fails as [`scan`](super::scan) does.
pub(crate) fn waited(proc_root: &Path, threads: &Threads, budget: &Arc<Budget>) -> Result<WaitedFiles, Error> {
    let wanted = Wanted::of(threads);
    if wanted.events.is_empty() && wanted.files.is_empty() && wanted.file_locks.is_empty() {
        return Ok(WaitedFiles::default());
    }
    let options = ScanOptions { wanted: Arc::new(wanted), ..ScanOptions::default() };
    with_scanner(proc_root, options, budget, |scanner| Ok(waited_in(scanner, scanner.root.pids()?)))
}

fn waited_in(scanner: &Arc<Scanner>, pids: Vec<Pid>) -> WaitedFiles {
    let wanted = &scanner.options.wanted;
    let (mut events, mut files) = (BTreeMap::<_, BTreeSet<Pid>>::new(), BTreeMap::<_, BTreeSet<Pid>>::new());
    let (mut unknown_events, mut unknown_files) = (BTreeSet::new(), BTreeSet::new());
    let mut file_locks: BTreeMap<FileLock, LockHolders> =
        wanted.file_locks.iter().map(|lock| (*lock, LockHolders::default())).collect();
    let (mut all_events, mut all_files, mut all_locks) = (true, true, true);
    for ProcessResult { pid, has, gaps, .. } in work::run(scanner, pids, Work::Waited) {
        // What a thread may have for itself is as what was not read at all.
        all_events &= !has.more_events && gaps.is_empty();
        all_files &= !has.more_files && gaps.is_empty();
        all_locks &= !has.more_locks && gaps.is_empty();
        for (lock, holder) in has.file_locks {
            file_locks.entry(lock).or_default().seen.insert(holder);
        }
        for id in has.events {
            events.entry(id).or_default().insert(pid);
            unknown_events.extend(has.posts_events.then_some(id));
        }
        for (file, has_name) in has.files {
            files.entry(file).or_default().insert(pid);
            unknown_files.extend(has_name.then_some(file));
        }
    }
    events.retain(|id, _| all_events && !unknown_events.contains(id));
    files.retain(|file, _| all_files && !unknown_files.contains(file));
    // With no holder it would not wait: so there is one that was not seen.
    file_locks.retain(|_, holders| !holders.seen.is_empty());
    for holders in file_locks.values_mut() {
        holders.are_all = all_locks;
    }
    let of_lock = |lock: &SharedLock| Some((*lock, files.get(&(lock.device, lock.inode))?.clone()));
    let locks = wanted.locks.iter().filter_map(of_lock).collect();
    WaitedFiles { events, locks, file_locks, ..WaitedFiles::default() }
}

/// Looks for what is wanted in all tables of a process, and in its mappings.
pub(super) fn look(process: &Arc<ProcessDir>, context: &Context<'_>, result: &mut ProcessResult) {
    let own = Table::new(process, None);
    // Kernel threads and zombies have no table.
    if own.size(context.scanner) != Some(0) {
        look_in(&own, context, result);
    }
    if let Tables::Private(tids) | Tables::Unknown(tids) = scanner::tables(process, context, result) {
        for tid in tids {
            look_in(&Table::new(process, Some(tid)), context, result);
        }
    }
    if !result.has.events.is_empty() || !context.scanner.options.wanted.files.is_empty() {
        look_at_mappings(process, context, &mut result.has);
    }
}

fn look_at_mappings(process: &ProcessDir, context: &Context<'_>, has: &mut Has) {
    let read = || match open_file(process.dir(), c"maps") {
        Ok(file) => maps::mapped(File::from(file), &context.scanner.options.wanted.files),
        Err(errno) if context.scanner.root.is_real() && context.scanner.root.is_vanished(errno) => {
            Some(maps::Mapped::default())
        }
        Err(_) => None,
    };
    let hung = context.timed_out.contains(ScanStep::Maps);
    match if hung { None } else { context.heartbeat.during(ScanStep::Maps, read) } {
        Some(mapped) if context.scanner.budget.charge(mapped.files.len() * HOLDER) => {
            has.posts_events |= mapped.posts_events;
            for (file, has_name) in mapped.files {
                *has.files.entry(file).or_default() |= has_name;
            }
        }
        _ => (has.more_files, has.posts_events) = (true, true),
    }
}

/// Looks for what is wanted in one table.
fn look_in(table: &Table, context: &Context<'_>, result: &mut ProcessResult) {
    let is_vanished = |errno| context.scanner.root.is_vanished(errno);
    let has = &mut result.has;
    let listed = table.open("fd").and_then(|listing| Ok((numbers_in(&listing)?, listing)));
    let (fds, listing) = match listed {
        Ok(listed) => listed,
        Err(errno) if is_vanished(errno) => return,
        Err(_) => return has.may_have_more(),
    };
    let dir = FdDir { table, listing: Some(&listing), context };
    for fd in fds.into_iter().map(Fd) {
        let step = ScanStep::Fd(table.tid, fd);
        context.heartbeat.enter(step);
        let looked =
            if context.timed_out.contains(step) { Err(Errno::TIMEDOUT) } else { look_at(&dir, &listing, fd, has) };
        match looked {
            Ok(()) => {}
            Err(errno) if is_vanished(errno) => {}
            Err(_) => has.may_have_more(),
        }
    }
}

fn look_at(dir: &FdDir<'_>, listing: &OwnedFd, fd: Fd, has: &mut Has) -> Result<(), Errno> {
    let (link, scanner) = (dir.link(fd)?, dir.context.scanner);
    let wanted = &scanner.options.wanted;
    has.posts_events |= may_post(&link);
    has.sockets.extend(link::socket(&link).filter(|inode| wanted.sockets.contains(inode)));
    if link == polled::EVENTFD && !wanted.events.is_empty() {
        let FileKind::Event(id) = polled::kind(&link, &dir.fdinfo_text(fd)?) else { return Err(Errno::NODATA) };
        if wanted.events.contains(&id) && !has.events.contains(&id) {
            scanner.budget.charge(HOLDER).then_some(()).ok_or(Errno::NOMEM)?;
            has.events.insert(id);
        }
    }
    // It may be passed on as a descriptor, and mapped when it is needed. What has a name is unknown anyway.
    if !wanted.files.is_empty() && link.ends_with(parse::DELETED) && scanner.root.is_real() {
        let stat = statx(listing, DecInt::new(fd.0), AtFlags::empty(), StatxFlags::TYPE | StatxFlags::INO)?;
        let file = (device(&stat), stat.stx_ino);
        if wanted.files.contains(&file) {
            has.files.entry(file).or_default();
        }
    }
    if !wanted.locked.is_empty() && link.starts_with(b"/") && scanner.root.is_real() {
        look_at_locks(dir, fd, has)?;
    }
    Ok(())
}

/// Looks for the locks that are wanted on a file with a path.
fn look_at_locks(dir: &FdDir<'_>, fd: Fd, has: &mut Has) -> Result<(), Errno> {
    let (scanner, Table { process, tid }) = (dir.context.scanner, dir.table);
    let file = dir.file_id(fd)?;
    if !scanner.options.wanted.locked.contains(&file) {
        return Ok(());
    }
    let text = dir.fdinfo_text(fd)?;
    // The number may have been closed and used again meanwhile.
    if dir.file_id(fd)? != file {
        return Err(Errno::AGAIN);
    }
    for kind in parse::locks(&text) {
        let lock = FileLock { kind, device: file.0, inode: file.1 };
        if scanner.options.wanted.file_locks.contains(&lock) {
            scanner.budget.charge(HOLDER).then_some(()).ok_or(Errno::NOMEM)?;
            has.file_locks.insert((lock, Waker { pid: process.pid, tid: *tid, fd: Some(fd) }));
        }
    }
    Ok(())
}

/// Whether a file is one by which the kernel may post an eventfd: an `io_uring(7)`, a virtual machine, a device (`eventfd_signal`), or a
/// control group of version 1. Terminals and the devices of mem(4) do not.
fn may_post(link: &[u8]) -> bool {
    const HARMLESS: [&[u8]; 10] = [
        b"/dev/null",
        b"/dev/zero",
        b"/dev/full",
        b"/dev/random",
        b"/dev/urandom",
        b"/dev/tty",
        b"/dev/pts/",
        b"/dev/ptmx",
        b"/dev/console",
        b"/dev/shm/",
    ];
    let is_device = link.starts_with(b"/dev/") && !HARMLESS.iter().any(|harmless| link.starts_with(harmless));
    let names: [&[u8]; 3] = [b"anon_inode:[io_uring]", b"anon_inode:kvm", b"anon_inode:[vfio"];
    is_device || names.iter().any(|name| link.starts_with(name)) || link.starts_with(b"/sys/fs/cgroup/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_which_the_kernel_may_post_an_eventfd() {
        for link in
            ["/dev/kvm", "/dev/vhost-net", "anon_inode:kvm-vm", "anon_inode:[io_uring]", "/sys/fs/cgroup/memory/x"]
        {
            assert!(may_post(link.as_bytes()), "{link}");
        }
        for link in
            ["/dev/null", "/dev/pts/3", "/dev/zero (deleted)", "anon_inode:[eventpoll]", "socket:[7]", "/home/dev/kvm"]
        {
            assert!(!may_post(link.as_bytes()), "{link}");
        }
    }
}
