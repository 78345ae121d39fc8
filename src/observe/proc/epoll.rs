//! What an epoll watches, by its fdinfo, and when that may be read: it takes a lock of the epoll (`ep_show_fdinfo` in fs/eventpoll.c),
//! which a thread of any process that shares the epoll may hold for as long as a file system does not answer. A wait for that lock
//! cannot be killed.

use rustix::io::Errno;
use rustix::path::DecInt;

use super::beneath::open_listing;
use super::heartbeat::ScanStep;
use super::process::ProcessDir;
use super::root::numbers_in;
use super::scanner::Context;
use super::syscall::{self, Line};
use super::wchan::{self, Place};
use super::{parse, task};
use crate::model::{Fd, Tid, Uid};
use crate::sys;

/// The function in which a request to a FUSE waits for its answer (fs/fuse/dev.c).
const FUSE_WAIT: &[u8] = b"request_wait_answer";

/// Whether a descriptor with this link is an epoll.
pub(super) fn is_epoll(link: &[u8]) -> bool {
    link == b"anon_inode:[eventpoll]"
}

/// A file that an epoll watches, by a line of its fdinfo: `tfd:        6 events:       1c data: …  pos:0 ino:87a7c sdev:f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watched {
    /// The number by which it was added; it may be another file's by now.
    pub(super) fd: Fd,
    /// What the epoll reports of it.
    pub(super) events: u32,
    /// The inode of the file itself.
    pub(super) inode: u64,
}

/// The files that an epoll watches, from its whole fdinfo; see `proc_pid_fdinfo(5)`. None if any line about one is not whole: what is
/// left out would count as not watched.
pub(super) fn watched(text: &[u8]) -> Option<Vec<Watched>> {
    // Each line that the kernel prints ends.
    let lines = text.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
    lines.filter(|line| line.starts_with(b"tfd")).map(watched_file).collect()
}

fn watched_file(line: &[u8]) -> Option<Watched> {
    let mut words = std::str::from_utf8(line.strip_prefix(b"tfd:")?).ok()?.split_ascii_whitespace();
    let fd = words.next()?.parse().ok()?;
    let hexadecimal = |word| u64::from_str_radix(word, 16).ok();
    let events = words.by_ref().skip_while(|word| *word != "events:").nth(1).and_then(hexadecimal)?.try_into().ok()?;
    // The last but one word: the device comes last.
    let inode = words.find_map(|word| word.strip_prefix("ino:"))?;
    words.next()?.strip_prefix("sdev:")?;
    Some(Watched { fd: Fd(fd), events, inode: hexadecimal(inode)? })
}

/// Whether a thread waits for the answer of a file system.
pub(super) fn in_fuse(wchan: &[u8]) -> bool {
    wchan.starts_with(FUSE_WAIT)
}

/// Whether a thread that sleeps may hold, or wait for, the lock of an epoll for as long as a file system does not answer. Only calls
/// that ask files whether they are ready take it: also of an epoll that is in another one, or in a poll(2). Then it sleeps where no such
/// call waits for its event, as in the file system, or in a page fault on the memory that takes the events.
fn may_hold(wchan: &[u8], syscall: &[u8]) -> bool {
    if wchan::place(wchan) != Some(Place::Elsewhere) {
        return false;
    }
    match syscall::line(syscall) {
        Some(Line::Running) => false,
        Some(Line::Call(number, _)) => syscall::may_poll(number),
        // A worker of an io_uring polls, too, and is in no call.
        Some(Line::NoCall) | None => in_fuse(wchan),
    }
}

/// Maximum number of threads that hold a lock, and of epolls of each, that are compared with those to be read.
const MAX_COMPARED: usize = 64;

/// A thread that may hold the lock of an epoll.
#[derive(Debug, Clone)]
pub(super) struct LockHolder {
    tid: Tid,
    uid: Option<Uid>,
    sid: Option<u32>,
    /// Its epolls; none if they are too many, or could not be listed or compared.
    epolls: Option<Vec<Fd>>,
}

/// An epoll that a thread waits for, with the user and session of its process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) uid: Option<Uid>,
    pub(super) sid: Option<u32>,
    pub(super) tid: Tid,
    pub(super) epoll: Fd,
}

impl LockHolder {
    /// Whether it may hold the lock of this epoll.
    fn may_share(&self, asked: &Asked) -> bool {
        if let Some(epolls) = &self.epolls {
            let order = |own: &Fd| sys::compare_files((self.tid, *own), (asked.tid, asked.epoll));
            return epolls.iter().any(|own| !order(own).is_ok_and(std::cmp::Ordering::is_ne));
        }
        // An epoll is inherited by fork(2), or passed between processes that trust each other.
        let differ = |one: Option<u32>, other: Option<u32>| one.zip(other).is_some_and(|(one, other)| one != other);
        !differ(self.uid.map(|uid| uid.0), asked.uid.map(|uid| uid.0)) || !differ(self.sid, asked.sid)
    }
}

/// Whether no thread on the machine seems to hold the lock of an epoll. The machine is looked at once in a look, before the first epoll is
/// read.
pub(super) fn may_read(context: &Context<'_>, asked: &Asked) -> bool {
    if context.timed_out.contains(ScanStep::EpollLocks) {
        return false;
    }
    let known = &context.scanner.epoll_locks;
    if known.get().is_none() {
        let holders = context.heartbeat.during(ScanStep::EpollLocks, || lock_holders(context));
        // Another worker may have been faster. To wait for it could take for ever, should it hang.
        let _ = known.set(holders);
    }
    known.get().is_some_and(|holders| !holders.iter().any(|holder| holder.may_share(asked)))
}

/// Every thread that may hold the lock of an epoll. Costs one small file for each thread of the machine.
fn lock_holders(context: &Context<'_>) -> Vec<LockHolder> {
    let scanner = context.scanner;
    let Ok(pids) = scanner.root.pids() else {
        // It may be any.
        return vec![LockHolder { tid: Tid(0), uid: None, sid: None, epolls: None }];
    };
    let mut holders = Vec::new();
    for pid in pids {
        context.heartbeat.enter(ScanStep::EpollLocks);
        let Ok(process) = ProcessDir::open(scanner, pid) else { continue };
        let tids = if scanner.root.is_real() && task::count(scanner, &process).is_none_or(|count| count <= 1) {
            vec![pid.0]
        } else {
            open_listing(process.dir(), c"task").and_then(numbers_in).unwrap_or_default()
        };
        for tid in tids {
            let dir = format!("task/{tid}/");
            let wchan = process.text(&format!("{dir}wchan"));
            // That alone decides for most threads.
            if wchan::place(&wchan) == Some(Place::Elsewhere)
                && may_hold(&wchan, &process.text(&format!("{dir}syscall")))
            {
                let compares = holders.len() < MAX_COMPARED
                    && scanner.root.proc_fs.as_ref().is_some_and(|proc_fs| proc_fs.own_pids);
                holders.push(LockHolder {
                    tid: Tid(tid),
                    uid: parse::status(&process.text("status")).uid,
                    sid: parse::stat(&process.text("stat")).sid,
                    epolls: if compares { epolls(&process, &dir) } else { None },
                });
            }
        }
    }
    holders
}

/// The epolls in the fd table of a thread.
pub(super) fn epolls(process: &ProcessDir, dir: &str) -> Option<Vec<Fd>> {
    let listing = open_listing(process.dir(), format!("{dir}fd")).ok()?;
    let mut found = Vec::new();
    for fd in numbers_in(&listing).ok()? {
        match rustix::fs::readlinkat(&listing, DecInt::new(fd), Vec::new()) {
            Ok(link) if is_epoll(link.as_bytes()) => found.push(Fd(fd)),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(_) => return None,
        }
    }
    Some(found).filter(|found| found.len() <= MAX_COMPARED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t2085\n\
        tfd:        6 events:       1c data:                6  pos:0 ino:87a7c sdev:f\n\
        tfd:       11 events: 80000001 data:               11  pos:0 ino:3 sdev:33\n";

    #[test]
    fn files_of_an_epoll() {
        let watched_files = [(6, 0x1c, 0x87a7c), (11, 0x8000_0001, 3)];
        let watched_files = watched_files.map(|(fd, events, inode)| Watched { fd: Fd(fd), events, inode });
        assert_eq!(watched(TEXT), Some(watched_files.to_vec()));
        assert_eq!(watched(b"pos:\t0\nflags:\t02000002\n"), Some(Vec::new()));
        for broken in [
            "",
            "tfd:        6 events:       1c\n",
            "tfd: 6 events: x data: 1 pos:0 ino:3 sdev:f\n",
            "tfd: x events: 1 data: 1 pos:0 ino:3 sdev:f\n",
            "tfd\n",
        ] {
            assert_eq!(watched(broken.as_bytes()), None, "{broken}");
        }
    }

    /// Wherever a text is cut, a shorter set is not believed. Only a cut between two lines does not show: the reader has to know that it
    /// read all.
    #[test]
    fn a_text_that_is_cut_is_not_known() {
        for cut in (0..TEXT.len()).filter(|cut| *cut == 0 || TEXT[cut - 1] != b'\n') {
            assert_eq!(watched(&TEXT[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn calls_that_may_hold_the_lock() {
        let call = |number: u32| format!("{number} 0x5 0x1 0x7 0x0 0x0 0x0 0x7fff 0x7f09\n");
        let holds = |wchan: &str, syscall: &str| may_hold(wchan.as_bytes(), syscall.as_bytes());
        let [control, wait, poll, read] =
            if cfg!(target_arch = "x86_64") { [233, 232, 7, 0] } else { [21, 22, 73, 63] };
        for number in [control, wait, poll] {
            assert!(holds("request_wait_answer", &call(number)), "{number}");
            assert!(holds("filemap_fault", &call(number)), "{number}");
        }
        assert!(holds("request_wait_answer", "-1 0x0 0x0\n"));
        assert!(holds("request_wait_answer", ""));
        // One waits for its event, one for a file that it reads.
        assert!(!holds("ep_poll", &call(wait)));
        assert!(!holds("poll_schedule_timeout.constprop.0", &call(poll)));
        assert!(!holds("request_wait_answer", &call(read)));
        assert!(!holds("worker_thread", "-1 0x0 0x0\n"));
        assert!(!holds("0", ""));
    }

    #[test]
    fn holders_that_could_not_be_compared() {
        let holder = LockHolder { tid: Tid(1), uid: Some(Uid(7)), sid: Some(70), epolls: None };
        let may_share = |uid: Option<u32>, sid| {
            holder.may_share(&Asked { uid: uid.map(Uid), sid: Some(sid), tid: Tid(2), epoll: Fd(3) })
        };
        assert!(may_share(Some(7), 71) && may_share(Some(8), 70) && may_share(None, 71));
        assert!(!may_share(Some(8), 71));
    }
}
