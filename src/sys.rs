//! The system calls that neither std nor rustix wraps, behind safe functions, and the text of their errors. All `unsafe` of the crate is
//! here.

#![allow(unsafe_code, reason = "kcmp(2), signal(2), close(2), close_range(2) and timer_create(2) have no safe wrapper")]

use std::cmp::Ordering;
use std::io;
use std::time::Duration;

use crate::model::Tid;

/// `KCMP_FILES` of linux/kcmp.h: compare the fd tables of two threads.
const KCMP_FILES: libc::c_long = 2;

/// What an error says, without the number that std appends: `No such file or directory`.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}

/// Compares the fd tables of two threads, as kcmp(2) does: equal if they share one, and else in an order that holds for as long as
/// the tables live. Both IDs are of the caller's PID namespace.
///
/// # Errors
///
/// `ESRCH` if either thread is gone, `EPERM` without the right to read both, `ENOSYS` if the kernel was built without it.
pub(crate) fn compare_fd_tables(a: Tid, b: Tid) -> io::Result<Ordering> {
    let zero: libc::c_long = 0;
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    let order = unsafe {
        libc::syscall(libc::SYS_kcmp, libc::c_long::from(a.0), libc::c_long::from(b.0), KCMP_FILES, zero, zero)
    };
    match order {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Closes every descriptor from this number on. Only for the beginning of a process, before it has any of its
/// own: std and rustix trust that what they opened stays open.
///
/// # Errors
///
/// `ENOSYS` before Linux 5.9.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    let none: libc::c_long = 0;
    // SAFETY: close_range takes three integers and touches no memory of ours. No descriptor above stderr has an owner yet.
    let closed =
        unsafe { libc::syscall(libc::SYS_close_range, libc::c_long::from(first), libc::c_long::from(u32::MAX), none) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes a descriptor by its number. Only as [`close_from`], where that does not exist.
pub(crate) fn close(fd: u32) {
    if let Ok(fd) = libc::c_int::try_from(fd) {
        // SAFETY: as above. An error means that it was not open.
        unsafe {
            libc::close(fd);
        }
    }
}

/// A timer that kills this process, also while it is stopped. It is the kernel that sends the signal, and SIGKILL needs no thread of ours.
#[derive(Debug)]
pub(crate) struct KillTimer(libc::c_int);

impl KillTimer {
    /// Not yet running.
    ///
    /// # Errors
    ///
    /// `EAGAIN` above the limit `RLIMIT_SIGPENDING` of the user, `ENOSYS` if the kernel was built without timers.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: a sigevent is plain data, for which zeros are valid.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        (event.sigev_notify, event.sigev_signo) = (libc::SIGEV_SIGNAL, libc::SIGKILL);
        let mut id: libc::c_int = 0;
        let (event, place): (*const libc::sigevent, *mut libc::c_int) = (&raw const event, &raw mut id);
        // SAFETY: timer_create reads the sigevent and writes the ID, both of which live until it returns.
        let created =
            unsafe { libc::syscall(libc::SYS_timer_create, libc::c_long::from(libc::CLOCK_MONOTONIC), event, place) };
        if created == 0 { Ok(Self(id)) } else { Err(io::Error::last_os_error()) }
    }

    /// Lets it kill after this time, of whole seconds; zero stops it.
    ///
    /// # Errors
    ///
    /// None is known.
    pub(crate) fn set(&self, after: Duration) -> io::Result<()> {
        let seconds = libc::c_long::try_from(after.as_secs()).unwrap_or(libc::c_long::MAX);
        // struct itimerspec: the period and the first expiry, each in seconds and nanoseconds.
        let time: [libc::c_long; 4] = [0, 0, seconds, 0];
        let (none, old): (libc::c_long, *mut libc::c_long) = (0, std::ptr::null_mut());
        // SAFETY: timer_settime reads the times, which live until it returns, and writes nothing.
        let set =
            unsafe { libc::syscall(libc::SYS_timer_settime, libc::c_long::from(self.0), none, time.as_ptr(), old) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Lets a write to a closed pipe end the process, as it ends `cat`; Rust's runtime ignores SIGPIPE.
pub fn die_of_sigpipe() {
    // SAFETY: SIG_DFL installs no handler, so nothing of ours runs in signal context.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
