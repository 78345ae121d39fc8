//! The system calls that neither std nor rustix wraps, behind safe functions, and the text of their errors. All `unsafe` of the crate is
//! here.

#![allow(unsafe_code, reason = "kcmp(2), signal(2) and close_range(2) have no safe wrapper")]

use std::cmp::Ordering;
use std::io;

use crate::model::{Fd, Tid};

/// `KCMP_FILES` of linux/kcmp.h: compare the fd tables of two threads.
const KCMP_FILES: libc::c_long = 2;

/// `KCMP_FILE` of linux/kcmp.h: compare the open files of two descriptors.
const KCMP_FILE: libc::c_long = 0;

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
    compare(a, b, KCMP_FILES, [0; 2])
}

/// Compares the open files of a descriptor of each of two threads, in the same way: equal if one is a duplicate of the other.
///
/// # Errors
///
/// As [`compare_fd_tables`]; `EBADF` if either is not open.
pub(crate) fn compare_files((a, a_fd): (Tid, Fd), (b, b_fd): (Tid, Fd)) -> io::Result<Ordering> {
    compare(a, b, KCMP_FILE, [a_fd.0, b_fd.0])
}

fn compare(a: Tid, b: Tid, what: libc::c_long, which: [u32; 2]) -> io::Result<Ordering> {
    let [a, b, one, other] = [a.0, b.0, which[0], which[1]].map(libc::c_long::from);
    // SAFETY: kcmp takes five integers and touches no memory of ours.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, a, b, what, one, other) };
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

/// Lets a write to a closed pipe end the process, as it ends `cat`; Rust's runtime ignores SIGPIPE.
pub fn die_of_sigpipe() {
    // SAFETY: SIG_DFL installs no handler, so nothing of ours runs in signal context.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
