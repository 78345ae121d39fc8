//! The system calls that neither std nor rustix wraps, behind safe functions, and the text of their errors. All `unsafe` of the crate is
//! here.

#![allow(unsafe_code, reason = "kcmp(2), signal(2), fork(2) and close_range(2) have no safe wrapper")]

use std::cmp::Ordering;
use std::io;

use crate::model::{Pid, Tid};

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
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    let none: libc::c_long = 0;
    // SAFETY: close_range takes three integers and touches no memory of ours. No descriptor has an owner yet, as both callers require.
    let closed =
        unsafe { libc::syscall(libc::SYS_close_range, libc::c_long::from(first), libc::c_long::from(last), none) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor but these, which are in ascending order. Only for the beginning of a process; see [`close_from`].
///
/// # Errors
///
/// If they cannot be listed.
pub(crate) fn close_all_but(kept: &[u32]) -> io::Result<()> {
    let mut first = 0;
    // Before Linux 5.9, and where a sandbox refuses it.
    if close_range(u32::MAX, u32::MAX).is_err() {
        return close_each_but(kept);
    }
    for fd in kept {
        if let Some(last) = fd.checked_sub(1).filter(|last| *last >= first) {
            close_range(first, last)?;
        }
        first = fd + 1;
    }
    close_range(first, u32::MAX)
}

/// Closes them one by one.
fn close_each_but(kept: &[u32]) -> io::Result<()> {
    let listed = std::fs::read_dir("/proc/self/fd")?;
    let fds: Vec<u32> = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for fd in fds.into_iter().filter(|fd| !kept.contains(fd)) {
        // SAFETY: as for close_range. That of the listing is closed already, which is an error that means nothing.
        unsafe {
            libc::close(fd.cast_signed());
        }
    }
    Ok(())
}

/// Which side of a fork(2) this is.
pub(crate) enum Forked {
    /// The process that was started.
    Child,
    /// The one that called, with the process that was started.
    Parent(Pid),
}

/// Starts a copy of this process. Only for a process with a single thread: in the child, the locks of others would be held for ever.
///
/// # Errors
///
/// `EAGAIN` where a limit of processes is reached, `ENOMEM`.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: there is no other thread whose locks or half-made changes the child could meet.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(Pid(pid.cast_unsigned()))),
    }
}

/// Lets a write to a closed pipe end the process, as it ends `cat`; Rust's runtime ignores SIGPIPE.
pub fn die_of_sigpipe() {
    // SAFETY: SIG_DFL installs no handler, so nothing of ours runs in signal context.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
