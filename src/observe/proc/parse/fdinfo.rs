//! What the fdinfo of a socket, a terminal, an anonymous inode or an `io_uring` says besides position and flags. Pure.

use super::{fields, in_radix, lines, number, value};
use crate::model::{FileLockKind, PipeId, PossibleEnds};
use crate::observe::channel;

/// The number of descriptors in flight to a UNIX socket, by its fdinfo: `scm_fds: 1`, since Linux 5.6.
pub(in crate::observe::proc) fn in_flight(text: &[u8]) -> u64 {
    value(text, b"scm_fds:").and_then(number).unwrap_or(0)
}

/// The number of the pseudoterminal that a descriptor is the master of, by its fdinfo: `tty-index:\t3`, since Linux 4.14.
pub(in crate::observe::proc) fn tty_index(text: &[u8]) -> Option<u64> {
    value(text, b"tty-index:").and_then(number)
}

/// The process of a pidfd, by its PID in the proc: `Pid:\t23505`. None if it has been reaped (-1), or has no PID there (0).
pub(in crate::observe::proc) fn pid_of_pidfd(text: &[u8]) -> Option<u32> {
    number(value(text, b"Pid:")?).filter(|pid| *pid != 0)
}

/// The number of an eventfd: `eventfd-id: 1`, since Linux 5.2.
pub(in crate::observe::proc) fn event_id(text: &[u8]) -> Option<u32> {
    number(value(text, b"eventfd-id:")?)
}

/// The counter of an eventfd, which is in hexadecimal: `eventfd-count:               1f`.
pub(in crate::observe::proc) fn event_count(text: &[u8]) -> Option<u64> {
    in_radix(value(text, b"eventfd-count:")?, 16)
}

/// The signals of a signalfd, by the bits of a mask: `sigmask:\t0000000000000002` is signal 2 (`render_sigset_t` in fs/proc/array.c).
pub(in crate::observe::proc) fn signals(text: &[u8]) -> Option<Vec<u32>> {
    let mask = in_radix(value(text, b"sigmask:")?, 16)?;
    Some((0..u64::BITS).filter(|bit| mask & (1 << bit) != 0).map(|bit| bit + 1).collect())
}

/// The number of watches of an inotify instance, each a line `inotify wd:1 ino:…`.
pub(in crate::observe::proc) fn inotify_watches(text: &[u8]) -> usize {
    lines(text).filter(|line| line.starts_with(b"inotify ")).count()
}

/// Whether a timerfd is armed: `it_value: (0, 49999)`, the seconds and nanoseconds until it expires. None where that is missing.
pub(in crate::observe::proc) fn is_armed(text: &[u8]) -> Option<bool> {
    value(text, b"it_value:").map(|digits| digits.iter().any(|byte| (b'1'..=b'9').contains(byte)))
}

/// How an open file is locked by a process, by its fdinfo: `lock:\t1: FLOCK  ADVISORY  WRITE 252 fe:00:18913 0 EOF` for each lock
/// (`__show_fd_locks` in fs/locks.c), which are those of that file.
pub(in crate::observe::proc) fn locks(text: &[u8]) -> impl Iterator<Item = FileLockKind> {
    lines(text).filter_map(|line| line.strip_prefix(b"lock:")).filter_map(|line| {
        match line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).nth(1)? {
            b"FLOCK" => Some(FileLockKind::Flock),
            b"POSIX" | b"OFDLCK" => Some(FileLockKind::Fcntl),
            // A lease is no lock.
            _ => None,
        }
    })
}

/// The files that are registered with an `io_uring`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::observe::proc) struct Registered {
    pub(in crate::observe::proc) pipes: Vec<PipeId>,
    /// What else may be among them.
    pub(in crate::observe::proc) unknown: PossibleEnds,
}

/// Reads the files that are registered with an `io_uring`, from its whole fdinfo: lines such as `    0: pipe:[18913]` after that of
/// `UserFiles:\t1`, up to the next line that begins with a letter. A path may be that of a FIFO. While the ring is in use, the kernel lists
/// no file, or not even their number (`io_uring_show_fdinfo` in `io_uring/fdinfo.c`); and before it wrote whole paths, a pipe had no name.
pub(in crate::observe::proc) fn registered(text: &[u8]) -> Registered {
    let mut found = Registered { pipes: Vec::new(), unknown: PossibleEnds::NOTHING };
    let mut files = lines(text).skip_while(|line| !line.starts_with(b"UserFiles:"));
    let count = files.next().and_then(|line| number::<u64>(fields(line).next()?.1));
    let mut listed = false;
    for line in files.take_while(|line| !line.first().is_some_and(u8::is_ascii_alphabetic)) {
        let Some((index, path)) = fields(line).next() else { continue };
        if number::<u32>(index.trim_ascii()).is_none() {
            continue;
        }
        listed = true;
        found.unknown = found.unknown.or(match channel::by_link(path) {
            Some(Ok(pipe)) => {
                found.pipes.push(pipe);
                PossibleEnds::NOTHING
            }
            _ if path.starts_with(b"/") => PossibleEnds { anonymous: false, ..PossibleEnds::ANYTHING },
            _ if path == b"<none>" || path.starts_with(b"socket:[") || path.starts_with(b"anon_inode:") => {
                PossibleEnds::NOTHING
            }
            _ => PossibleEnds::ANYTHING,
        });
    }
    if !listed && count != Some(0) {
        found.unknown = PossibleEnds::ANYTHING;
    }
    found
}
