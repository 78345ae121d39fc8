//! To which open files a blocked system call holds references of its own, besides those of the descriptors. Pure.

use super::syscall::{self, Abi, Call, Line};
use super::wchan::{self, Place};
use crate::model::{Fd, Fingerprint};

/// The files to which a call that sleeps holds a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// All that it polls: one for each wait queue in which it sleeps (`__pollwait` in fs/select.c). An epoll holds none.
    Polled,
    /// Those of these descriptors, if its fd table is shared by then (`__fget_light` in fs/file.c).
    IfShared([Option<Fd>; 2]),
}

/// Those of a thread that sleeps; none where its call is another, or was not read.
pub(crate) fn held(trace: &Fingerprint) -> Option<Held> {
    let place = wchan::place(&trace.wchan)?;
    let Line::Call(number, arguments) = syscall::line(&trace.syscall)? else { return None };
    let mut calls = Abi::of_machine().iter().filter_map(|abi| syscall::decode(*abi, number, arguments));
    match (place, calls.find(|call| place.fits(*call))?) {
        (Place::Poll, Call::Poll { .. } | Call::Restart { .. }) => Some(Held::Polled),
        (Place::Pipe(_), Call::Read(fd) | Call::Write(fd) | Call::Vmsplice(fd)) => {
            Some(Held::IfShared([Some(fd), None]))
        }
        (Place::Pipe(_), Call::Move(from, to)) => Some(Held::IfShared([Some(from), Some(to)])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_hold() {
        let of = |number: i64, wchan: &str| {
            let syscall = format!("{number} 0x3 0x7 0x4 0x0 0x0 0x0 0x7fff 0x7f09").into_bytes();
            held(&Fingerprint { syscall, wchan: wchan.as_bytes().to_vec(), ..Fingerprint::default() })
        };
        let one = Some(Held::IfShared([Some(Fd(3)), None]));
        assert_eq!(of(libc::SYS_read, "anon_pipe_read"), one);
        assert_eq!(of(libc::SYS_writev, "pipe_write"), one);
        assert_eq!(of(libc::SYS_splice, "do_splice_direct"), None, "it does not sleep in a pipe");
        assert_eq!(of(libc::SYS_tee, "pipe_wait_readable"), Some(Held::IfShared([Some(Fd(3)), Some(Fd(7))])));
        assert_eq!(of(libc::SYS_ppoll, "poll_schedule_timeout.constprop.0"), Some(Held::Polled));
        assert_eq!(of(libc::SYS_pselect6, "do_select"), Some(Held::Polled));
        assert_eq!(of(libc::SYS_epoll_pwait, "do_epoll_wait"), None);
        assert_eq!(of(libc::SYS_write, "poll_schedule_timeout"), None, "the number is not what it seems");
        assert_eq!(of(libc::SYS_read, "0"), None);
        assert_eq!(held(&Fingerprint { wchan: b"pipe_read".to_vec(), ..Fingerprint::default() }), None);
    }
}
