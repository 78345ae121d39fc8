//! What the descriptors of a process are that have no path, and which of them it waits for: for a list of whole tables, and for ends of which
//! that is asked. Watched like the scan, by the same workers.
//!
//! Nothing is opened. The fdinfo of an epoll is read only where no thread of the machine may hold its lock, as for `why`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::addresses::sockets_of;
use super::called::{self, Called};
use super::common::{Common, abis};
use super::descriptors::Descriptors;
use super::epoll::{self, Watched};
use super::heartbeat::ScanStep;
use super::polled::{EVENTFD, PIDFD, TIMERFD, is_disabled};
use super::process::ProcessDir;
use super::scanner::Context;
use super::syscall::{self, Line};
use super::thread_files::{ThreadFiles, thread_files};
use super::wchan;
use super::work::{self, ProcessResult, Work};
use super::{Budget, Error, ScanOptions, Wanted, memory, parse, with_scanner};
use crate::model::{
    EpollFile, EventFile, EventId, Fd, FileDetails, OpenFlags, Pid, PipeGraph, ProcessFile, SignalFile, TaskId, Tid,
    TimerFile, UnixPeer, WatchFile, link,
};

const SIGNALFD: &[u8] = b"anon_inode:[signalfd]";
const INOTIFY: &[u8] = b"anon_inode:inotify";
const FANOTIFY: &[u8] = b"anon_inode:[fanotify]";

/// What is kept of a descriptor, in bytes.
const DETAILS: usize = 128;

/// What is kept of a descriptor that is waited for, in bytes.
const WAITED: usize = 32;

/// The descriptors of a process that are asked about, ascending, with their links where these are known, by the thread that has the table.
pub(super) type Tables = BTreeMap<Option<Tid>, Vec<(Fd, Option<Vec<u8>>)>>;

type Key = (Option<Tid>, Fd);

/// What was found of the descriptors of a process.
#[derive(Debug, Default)]
pub(super) struct Details {
    files: BTreeMap<Key, FileDetails>,
    /// The flags of epolls, which a scan does not read.
    flags: BTreeMap<Key, OpenFlags>,
    /// The sockets, each with its peer where it is a UNIX socket that has one.
    sockets: Vec<(u64, Option<u64>)>,
    /// Those of the asked that are waited for: true, or false where they may be.
    polled: BTreeMap<Key, bool>,
    /// Whether that is all of them.
    is_whole: bool,
}

impl Details {
    /// Adds a descriptor that a thread or an epoll waits for, or may wait for. A set may name any number: what is not asked about is not kept.
    fn waited(&mut self, asked: &Tables, budget: &Budget, key: Key, is_sure: bool) {
        let is_asked = |asked: &Vec<(Fd, _)>| asked.binary_search_by_key(&key.1, |(fd, _)| *fd).is_ok();
        if !asked.get(&key.0).is_some_and(is_asked) {
            return;
        }
        if let Some(known) = self.polled.get_mut(&key) {
            *known |= is_sure;
        } else if budget.charge(WAITED) {
            self.polled.insert(key, is_sure);
        } else {
            self.is_whole = false;
        }
    }
}

/// Adds what the descriptors of the graph are, and whether they are waited for; of the ends of pipes the latter, for these processes. Fails as
/// [`scan`](super::scan) does.
pub(crate) fn describe(
    proc_root: &Path,
    graph: &mut PipeGraph,
    holders: &BTreeSet<Pid>,
    budget: &Arc<Budget>,
) -> Result<(), Error> {
    let mut asked: BTreeMap<Pid, Tables> = BTreeMap::new();
    for it in &graph.descriptors {
        let link = it.target.as_ref().map(|link| link.0.clone());
        asked.entry(it.pid).or_default().entry(it.tid).or_default().push((it.fd, link));
    }
    for end in graph.pipes.iter().flat_map(|pipe| &pipe.ends).filter(|end| holders.contains(&end.pid)) {
        asked.entry(end.pid).or_default().entry(end.tid).or_default().push((end.fd, None));
    }
    if asked.is_empty() {
        return Ok(());
    }
    for descriptors in asked.values_mut().flat_map(BTreeMap::values_mut) {
        descriptors.sort_unstable_by_key(|(fd, _)| *fd);
    }
    let pids: Vec<Pid> = asked.keys().copied().collect();
    let wanted = Arc::new(Wanted::of_descriptors(asked));
    let options = ScanOptions { wanted: Arc::clone(&wanted), channels: true, ..ScanOptions::default() };
    let found: BTreeMap<Pid, Details> = with_scanner(proc_root, options, budget, |scanner| {
        let results = work::run(scanner, pids.clone(), Work::Details);
        Ok(results.into_iter().map(|result| (result.pid, result.details)).collect())
    })?;
    let peers: BTreeMap<u64, u64> = found
        .values()
        .flat_map(|details| &details.sockets)
        .filter_map(|(inode, peer)| Some((*inode, (*peer)?)))
        .collect();
    let inodes = found.values().flat_map(|details| &details.sockets).map(|(inode, _)| *inode);
    let inodes = inodes.chain(peers.values().copied()).collect();
    let sockets = sockets_of(proc_root, inodes, pids, budget)?;
    let socket = |inode: u64| {
        let mut socket = sockets.get(&inode)?.clone();
        let path = |peer: &u64| sockets.get(peer).and_then(|socket| socket.path.clone());
        socket.unix_peer = peers.get(&inode).map(|peer| UnixPeer { inode: *peer, path: path(peer) });
        Some(FileDetails::Socket(socket))
    };
    let polled = |pid: Pid, key: Key| {
        let details = found.get(&pid)?;
        match details.polled.get(&key) {
            Some(is_sure) => is_sure.then_some(true),
            None => details.is_whole.then_some(false),
        }
    };
    for it in &mut graph.descriptors {
        let key = (it.tid, it.fd);
        let inode = it.target.as_ref().and_then(|target| link::socket(target));
        let details = found.get(&it.pid);
        it.details = inode.map_or_else(|| details?.files.get(&key).cloned(), socket);
        it.flags = it.flags.or_else(|| details?.flags.get(&key).copied());
        it.polled = polled(it.pid, key);
    }
    let ends = graph.pipes.iter().flat_map(|pipe| &pipe.ends);
    graph.polled = ends.filter_map(|end| Some((end.key(), polled(end.pid, (end.tid, end.fd))?))).collect();
    Ok(())
}

/// Looks at the descriptors of a process that were asked about, and at its threads.
pub(super) fn look(pid: Pid, context: &Context<'_>, result: &mut ProcessResult) {
    let Ok(process) = ProcessDir::open(context.scanner, pid).map(Arc::new) else { return };
    let Some(asked) = context.scanner.options.wanted.descriptors.get(&pid) else { return };
    if context.timed_out.contains(ScanStep::Facts) {
        return;
    }
    context.heartbeat.enter(ScanStep::Facts);
    let stat = parse::stat(&process.text("stat"));
    let status = parse::status(&process.text("status"));
    let threads = thread_files(&process, &stat, status.switches, context);
    let common = Common::new(&process, (&status, stat.sid), &threads, context);
    let mut look = Look { common: &common, asked, found: Details { is_whole: true, ..Details::default() } };
    for (tid, descriptors) in asked {
        look.at_table(*tid, descriptors);
    }
    for thread in &threads {
        let step = ScanStep::Task(thread.id.tid);
        context.heartbeat.enter(step);
        // Its set is in memory that does not answer.
        if context.timed_out.contains(step) {
            look.found.is_whole = false;
        } else {
            look.at_thread(thread);
        }
    }
    result.details = look.found;
}

struct Look<'a> {
    common: &'a Common<'a>,
    asked: &'a Tables,
    found: Details,
}

impl<'a> Look<'a> {
    fn owner(&self, tid: Option<Tid>) -> Tid {
        tid.unwrap_or(Tid(self.common.process.pid.0))
    }

    fn table(&self, tid: Option<Tid>) -> Rc<Descriptors<'a>> {
        self.common.table(TaskId { pid: self.common.process.pid, tid: self.owner(tid) })
    }

    fn at_table(&mut self, tid: Option<Tid>, descriptors: &[(Fd, Option<Vec<u8>>)]) {
        let table = self.table(tid);
        // Those that are no ends of pipes, too: they may watch ends.
        let dir = tid.map_or_else(String::new, |tid| format!("task/{tid}/"));
        let listed = epoll::epolls(self.common.process, &dir);
        let mut gone = BTreeSet::new();
        self.found.is_whole &= listed.is_some();
        for epoll in listed.unwrap_or_default() {
            let may_read = self.common.reads_epoll(self.owner(tid), epoll);
            let text = if may_read { table.epoll_text(epoll) } else { None };
            let watched = text.as_deref().and_then(epoll::watched);
            let flags = text.as_deref().filter(|_| watched.is_some()).and_then(|text| parse::fdinfo(text).flags);
            self.found.flags.extend(flags.map(|flags| ((tid, epoll), flags)));
            let file = self.watched(tid, &table, watched, &mut gone);
            if descriptors.iter().any(|(fd, link)| *fd == epoll && link.is_some()) {
                self.keep((tid, epoll), FileDetails::Epoll(file));
            }
        }
        if !gone.is_empty() {
            // Which of the descriptors with that inode it is, if any, is not told.
            for (fd, _) in descriptors {
                if table.inode(*fd).is_none_or(|inode| gone.contains(&inode)) {
                    self.waited((tid, *fd), false);
                }
            }
        }
        for (fd, link) in descriptors.iter().filter_map(|(fd, link)| Some((*fd, link.as_deref()?))) {
            if let Some(inode) = link::socket(link) {
                let scanner = self.common.context.scanner;
                let peer = scanner.root.is_real().then(|| scanner.sockets.peer(scanner, self.common.process, inode));
                self.found.sockets.push((inode, peer.flatten()));
            } else if let Some(file) = self.file(&table, fd, link) {
                self.keep((tid, fd), file);
            }
        }
    }

    /// What an epoll watches. The inodes of files whose numbers are others' by now are added to `gone`.
    fn watched(
        &mut self,
        tid: Option<Tid>,
        table: &Descriptors<'_>,
        watched: Option<Vec<Watched>>,
        gone: &mut BTreeSet<u64>,
    ) -> EpollFile {
        let (mut fds, mut others, mut is_whole) = (BTreeSet::new(), 0, watched.is_some());
        for file in watched.into_iter().flatten() {
            let waits = !is_disabled(file.events);
            match table.is_there(&file) {
                Some(true) => {
                    fds.insert(file.fd);
                    if waits {
                        self.waited((tid, file.fd), true);
                    }
                }
                Some(false) => {
                    others += 1;
                    gone.extend(waits.then_some(file.inode));
                }
                None => is_whole = false,
            }
        }
        self.found.is_whole &= is_whole;
        let watches = is_whole.then(|| fds.into_iter().collect());
        EpollFile { watches, others: if is_whole { others } else { 0 } }
    }

    fn waited(&mut self, key: Key, is_sure: bool) {
        self.found.waited(self.asked, &self.common.context.scanner.budget, key, is_sure);
    }

    fn keep(&mut self, key: Key, file: FileDetails) {
        if self.common.context.scanner.budget.charge(DETAILS) {
            self.found.files.insert(key, file);
        }
    }

    /// What a descriptor with this link is; none of an epoll, and of what has a path.
    fn file(&self, table: &Descriptors<'_>, fd: Fd, link: &[u8]) -> Option<FileDetails> {
        let text = || {
            let dir = table.fd_dir();
            let text = dir.fdinfo_text(fd).ok()?;
            // The number may have been closed and used again meanwhile.
            dir.link(fd).is_ok_and(|again| again == link).then_some(text)
        };
        Some(match link {
            PIDFD => {
                // -1 if it has been reaped.
                let pid = text().as_deref().and_then(parse::pid_of_pidfd).map(Pid);
                FileDetails::Pidfd(ProcessFile { pid, command: pid.and_then(|pid| self.command(pid)) })
            }
            EVENTFD => {
                let text = text().unwrap_or_default();
                let id = parse::event_id(&text).map(EventId);
                FileDetails::Eventfd(EventFile { id, count: parse::event_count(&text) })
            }
            TIMERFD => FileDetails::Timerfd(TimerFile { armed: text().as_deref().and_then(parse::is_armed) }),
            SIGNALFD => FileDetails::Signalfd(SignalFile { signals: text().as_deref().and_then(parse::signals) }),
            INOTIFY => FileDetails::Inotify(WatchFile { watches: text().as_deref().map(parse::inotify_watches) }),
            FANOTIFY => FileDetails::Fanotify,
            parse::IO_URING => FileDetails::IoUring,
            _ => return None,
        })
    }

    fn command(&self, pid: Pid) -> Option<crate::model::CommandName> {
        let command = ProcessDir::open(self.common.context.scanner, pid).ok()?.command();
        (!command.is_empty()).then(|| command.into())
    }

    /// Adds what a thread waits for.
    fn at_thread(&mut self, thread: &ThreadFiles) {
        let Some(waits) = waits(thread, self.common) else {
            self.found.is_whole = false;
            return;
        };
        if waits.is_empty() {
            return;
        }
        let mut is_known = true;
        for tid in self.asked.keys() {
            match self.common.may_share(self.owner(*tid), thread.id.tid) {
                Some(true) => {
                    for (fd, is_sure) in waits {
                        self.waited((*tid, fd), is_sure);
                    }
                    return;
                }
                Some(false) => {}
                None => is_known = false,
            }
        }
        self.found.is_whole &= is_known;
    }
}

/// The descriptors that a thread waits for, each with whether that is sure; none if that could not be seen.
fn waits(thread: &ThreadFiles, common: &Common<'_>) -> Option<Vec<(Fd, bool)>> {
    match thread.state {
        None => return None,
        Some('S' | 'D' | 'I') => {}
        Some(_) => return Some(Vec::new()),
    }
    let Line::Call(number, arguments) = syscall::line(&thread.fingerprint.syscall)? else {
        return Some(Vec::new());
    };
    let abis = abis(common.context);
    Some(match called::called(wchan::place(&thread.fingerprint.wchan), abis, number, arguments)? {
        Called::Set(set) => memory::polled(common.process, set)?.into_iter().map(|polled| (polled.fd, true)).collect(),
        Called::Files(files) => files,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::CostLimits;

    #[test]
    fn only_what_is_asked_about_is_kept_and_charged() {
        let budget = Budget::new(CostLimits { time: Duration::MAX, bytes: 2 * WAITED as u64 });
        let asked = Tables::from([(None, [3, 5, 9].map(|fd| (Fd(fd), None)).to_vec())]);
        let mut found = Details { is_whole: true, ..Details::default() };
        let mut waited = |fd: u32, is_sure| {
            found.waited(&asked, &budget, (None, Fd(fd)), is_sure);
            (found.polled.len(), found.is_whole)
        };
        assert_eq!((10..4096).map(|fd| waited(fd, true)).max(), Some((0, true)));
        assert_eq!([waited(5, false), waited(5, true), waited(5, false), waited(3, false)].last(), Some(&(2, true)));
        // No room.
        assert_eq!(waited(9, true), (2, false));
        found.waited(&asked, &budget, (Some(Tid(7)), Fd(3)), true);
        assert_eq!(found.polled, BTreeMap::from([((None, Fd(3)), false), ((None, Fd(5)), true)]));
    }
}
