//! What a poll asks of a descriptor, and what a file that is no channel means to a thread that polls it: an exit of a child, an eventfd, a
//! timer. Pure: a link and an fdinfo come in, no file is opened.

use super::parse;
use crate::model::{AccessMode, EventId, Fd, Pid, Side};

/// `EPOLLIN`, `EPOLLPRI`, `EPOLLRDNORM`, `EPOLLRDBAND` and `EPOLLRDHUP` of linux/eventpoll.h. Those of poll(2) have the same values on every
/// architecture supported here.
const DATA: u32 = 0x1 | 0x2 | 0x40 | 0x80 | 0x2000;

/// `EPOLLOUT`, `EPOLLWRNORM` and `EPOLLWRBAND`.
const ROOM: u32 = 0x4 | 0x100 | 0x200;

/// `EP_PRIVATE_BITS` of fs/eventpoll.c: how an epoll reports events, as opposed to which.
const HOW: u32 = 0xf << 28;

/// `EPOLLET`.
const EDGE: u32 = 1 << 31;

/// What a poll asks for. Without either, only a hang-up or an error ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interest {
    pub(super) data: bool,
    pub(super) room: bool,
    /// Whether it is to hear of a change only, so that there may be data or room.
    pub(super) edge: bool,
}

impl Interest {
    /// By the `events` of a `struct pollfd` or of an epoll.
    pub(super) const fn of_events(events: u32) -> Self {
        Self { data: events & DATA != 0, room: events & ROOM != 0, edge: events & EDGE != 0 }
    }

    /// As what it uses an end that is open in this way; none if it waits for a hang-up only: a write end never has data.
    pub(super) fn at(self, access: AccessMode) -> Option<AccessMode> {
        let reads = self.data && access.is_on(Side::Read);
        let writes = self.room && access.is_on(Side::Write);
        match (reads, writes) {
            (true, true) => Some(AccessMode::ReadWrite),
            (true, false) => Some(AccessMode::Read),
            (false, true) => Some(AccessMode::Write),
            (false, false) => None,
        }
    }

    /// Whether a thread that sleeps in it shows that there is no room, where that is what it asks for.
    pub(super) fn shows_full(self, asked: AccessMode) -> bool {
        asked == AccessMode::Write && !self.edge
    }

    pub(super) const fn is_for_any(self) -> bool {
        self.data || self.room
    }
}

/// Whether an epoll reports nothing of a file, not even a hang-up: an event that was asked for once (`EPOLLONESHOT`) has come, and leaves
/// only the other bits (`ep_send_events` in fs/eventpoll.c).
pub(super) const fn is_disabled(events: u32) -> bool {
    events & !HOW == 0
}

/// A descriptor that is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Polled {
    pub(super) fd: Fd,
    pub(super) asks: Interest,
}

/// What a file that is no channel means to a thread that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FileKind {
    /// A process that has not been reaped, by its PID in the proc; see `pidfd_open(2)`.
    Process(Pid),
    /// An eventfd(2).
    Event(EventId),
    /// A `timerfd_create(2)` that is armed.
    Timer,
    /// Anything else.
    Other,
}

pub(super) const EVENTFD: &[u8] = b"anon_inode:[eventfd]";
pub(super) const PIDFD: &[u8] = b"anon_inode:[pidfd]";
pub(super) const TIMERFD: &[u8] = b"anon_inode:[timerfd]";

/// Whether the fdinfo of a file with this link says more of it.
pub(super) fn has_details(link: &[u8]) -> bool {
    matches!(link, EVENTFD | PIDFD | TIMERFD)
}

/// What a file is, by its link and its fdinfo; see `proc_pid_fdinfo(5)`.
pub(super) fn kind(link: &[u8], fdinfo: &[u8]) -> FileKind {
    let found = match link {
        // -1 if it has been reaped, 0 if it is not in the PID namespace of the proc.
        PIDFD => parse::pid_of_pidfd(fdinfo).map(|pid| FileKind::Process(Pid(pid))),
        EVENTFD => parse::event_id(fdinfo).map(|id| FileKind::Event(EventId(id))),
        TIMERFD => parse::is_armed(fdinfo).filter(|is_armed| *is_armed).map(|_| FileKind::Timer),
        _ => None,
    };
    found.unwrap_or(FileKind::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_events_ask_of_an_end() {
        use AccessMode::{Read, ReadWrite, Write};
        for (events, read, write, both) in [
            (0x1, Some(Read), None, Some(Read)),
            (0x2000, Some(Read), None, Some(Read)),
            (0x4, None, Some(Write), Some(Write)),
            (0x5, Some(Read), Some(Write), Some(ReadWrite)),
            (0x18, None, None, None),
            (0x8000_0000, None, None, None),
        ] {
            let asks = Interest::of_events(events);
            assert_eq!([Read, Write, ReadWrite].map(|access| asks.at(access)), [read, write, both], "{events:x}");
        }
        assert!(is_disabled(0xc000_0000) && is_disabled(0) && !is_disabled(0x18) && !is_disabled(0x4000_0001));
    }

    /// As Linux 6.18 prints them.
    #[test]
    fn files_that_say_what_they_are() {
        let head = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1038\n";
        let of = |link: &[u8], rest: &str| kind(link, format!("{head}{rest}").as_bytes());
        assert_eq!(of(PIDFD, "Pid:\t23505\nNSpid:\t23505\t7\n"), FileKind::Process(Pid(23505)));
        for gone in ["Pid:\t-1\nNSpid:\t-1\n", "Pid:\t0\n", ""] {
            assert_eq!(of(PIDFD, gone), FileKind::Other, "{gone}");
        }
        let event = "eventfd-count:                0\neventfd-id: 1\neventfd-semaphore: 0\n";
        assert_eq!(of(EVENTFD, event), FileKind::Event(EventId(1)));
        // Before Linux 5.2.
        assert_eq!(of(EVENTFD, "eventfd-count:                0\n"), FileKind::Other);
        let timer =
            |value: &str| format!("clockid: 1\nticks: 0\nsettime flags: 00\nit_value: {value}\nit_interval: (0, 0)\n");
        assert_eq!(of(TIMERFD, &timer("(9, 999)")), FileKind::Timer);
        assert_eq!(of(TIMERFD, &timer("(0, 7)")), FileKind::Timer);
        assert_eq!(of(TIMERFD, &timer("(0, 0)")), FileKind::Other);
        assert_eq!(of(TIMERFD, "it_value: \n"), FileKind::Other);
        assert_eq!(of(b"anon_inode:[signalfd]", event), FileKind::Other);
    }
}
