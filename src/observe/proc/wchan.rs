//! Where in the kernel a thread sleeps, by the symbol in /proc/PID/task/TID/wchan. Pure.

use super::syscall::Call;
use crate::observe::channel::{self, WaitPlace};

/// A place to sleep. Names of functions change between kernels: those of Linux 5.4 to 6.18 are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a pipe.
    Pipe(WaitPlace),
    /// In poll(2) or select(2).
    Poll,
    Epoll,
    /// In wait4(2) or waitid(2).
    Child,
    Futex,
    /// At a lock on a file, among those of this machine.
    FileLock,
    /// In nanosleep(2).
    Timer,
    /// In pause(2) and its variants.
    Signal,
    /// By a signal.
    Stopped,
    /// By a tracer.
    Traced,
    /// By its control group, or because the machine goes to sleep.
    Frozen,
    IoUring,
    Elsewhere,
}

/// The place that a symbol names; none for `0`, which stands for a thread that runs, and for one that may not be looked at.
pub(super) fn place(text: &[u8]) -> Option<Place> {
    let symbol = std::str::from_utf8(text).ok()?.trim_ascii();
    // What the compiler made of a function: `poll_schedule_timeout.constprop.0`.
    let symbol = symbol.split('.').next().unwrap_or(symbol);
    Some(match symbol {
        "" | "0" => return None,
        "poll_schedule_timeout" | "do_poll" | "do_sys_poll" | "do_select" => Place::Poll,
        "do_epoll_wait" | "ep_poll" => Place::Epoll,
        "do_wait" | "kernel_wait4" | "kernel_waitid" => Place::Child,
        "futex_do_wait" | "futex_wait_queue" | "futex_wait_queue_me" => Place::Futex,
        // Of fs/locks.c. Those of file systems that ask a server for the lock are elsewhere.
        "locks_lock_inode_wait"
        | "locks_lock_file_wait"
        | "flock_lock_inode_wait"
        | "posix_lock_inode_wait"
        | "do_lock_file_wait"
        | "fcntl_setlk"
        | "fcntl_setlk64" => Place::FileLock,
        "hrtimer_nanosleep" | "do_nanosleep" | "common_nsleep" => Place::Timer,
        "sigsuspend" | "do_sigtimedwait" => Place::Signal,
        "do_signal_stop" => Place::Stopped,
        "ptrace_stop" => Place::Traced,
        "get_signal" | "__refrigerator" => Place::Frozen,
        "io_cqring_wait" => Place::IoUring,
        _ if symbol.ends_with("sys_pause") => Place::Signal,
        _ => channel::wait_place(symbol).map_or(Place::Elsewhere, Place::Pipe),
    })
}

/// Whether a thread that reads or writes an eventfd waits for that (`eventfd_read` in fs/eventfd.c, which may be inlined).
pub(super) fn is_eventfd(text: &[u8]) -> bool {
    text.starts_with(b"eventfd_") || text.starts_with(b"do_wait_intr_irq")
}

impl Place {
    /// Whether a signal always ends a sleep at this place, so that it never shows as state D.
    pub(super) const fn is_interruptible(self) -> bool {
        matches!(
            self,
            Self::Poll | Self::Epoll | Self::Child | Self::Futex | Self::FileLock | Self::Timer | Self::Signal
        )
    }

    /// Whether a thread in this call sleeps at this place: else the number of the call is not what it seems.
    pub(super) fn fits(self, call: Call) -> bool {
        match self {
            Self::Pipe(WaitPlace::Read) => matches!(call, Call::Read(_)),
            Self::Pipe(WaitPlace::Write) => matches!(call, Call::Write(_)),
            Self::Pipe(WaitPlace::ReadOrWrite) => {
                matches!(call, Call::Read(_) | Call::Write(_) | Call::Move(..) | Call::Vmsplice(_))
            }
            Self::Pipe(WaitPlace::SpliceRead | WaitPlace::SpliceWrite) => {
                matches!(call, Call::Move(..) | Call::Vmsplice(_))
            }
            Self::Pipe(WaitPlace::Open) => matches!(call, Call::Open { .. }),
            Self::Pipe(WaitPlace::Shared) => matches!(call, Call::Read(_) | Call::Write(_) | Call::Move(..)),
            Self::Poll => matches!(call, Call::Poll { .. } | Call::Restart { .. }),
            Self::Epoll => matches!(call, Call::Epoll { .. }),
            Self::Child => matches!(call, Call::Wait(_) | Call::WaitPidfd(_)),
            Self::Futex => matches!(call, Call::Futex { .. } | Call::Restart { .. }),
            Self::FileLock => matches!(call, Call::FileLock(..)),
            Self::Timer => matches!(call, Call::Sleep | Call::Restart { .. }),
            Self::Signal => matches!(call, Call::Signal),
            Self::IoUring => matches!(call, Call::IoUring),
            Self::Stopped | Self::Traced | Self::Frozen | Self::Elsewhere => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::syscall::{Abi, decode};
    use super::*;

    #[test]
    fn symbols_with_what_compilers_add() {
        assert_eq!(place(b"anon_pipe_read"), Some(Place::Pipe(WaitPlace::Read)));
        assert_eq!(place(b"pipe_write.part.0\n"), Some(Place::Pipe(WaitPlace::Write)));
        assert_eq!(place(b"poll_schedule_timeout.constprop.0"), Some(Place::Poll));
        assert_eq!(place(b"fcntl_setlk"), Some(Place::FileLock));
        assert_eq!(place(b"__do_sys_pause"), Some(Place::Signal));
        assert_eq!(place(b"request_wait_answer"), Some(Place::Elsewhere));
        assert_eq!(place(b"0"), None);
        assert_eq!(place(b""), None);
        assert_eq!(place(b"\xff"), None);
    }

    /// 3 is close(2) to a 64-bit caller: in a pipe it can only be the read(2) of a 32-bit one.
    #[test]
    fn a_number_is_believed_only_where_it_fits() {
        let fitting = |number| {
            let calls = [Abi::X86_64, Abi::I386].map(|abi| decode(abi, number, [5, 0, 0, 0, 0, 0]));
            calls.map(|call| call.is_some_and(|call| Place::Pipe(WaitPlace::Read).fits(call)))
        };
        assert_eq!(fitting(3), [false, true]);
        assert_eq!(fitting(0), [true, false]);
        assert_eq!(fitting(1), [false, false]);
    }
}
