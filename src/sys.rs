//! The system calls that neither std nor rustix wraps, behind safe functions, and the text of their errors. All `unsafe` of the crate is
//! here and below.

#![allow(
    unsafe_code,
    reason = "kcmp(2), signal(2), fork(2), close(2), close_range(2), timer_create(2), bpf(2), localtime_r(3) and getpwent(3) have no safe wrapper, nor has what runs before main"
)]

pub(crate) mod bpf;

use std::cmp::Ordering;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};
use std::time::Duration;

use crate::model::{Fd, Pid, Tid, Uid};

/// Maximum number of users that are listed.
const MAX_LISTED_USERS: usize = 4096;

/// `KCMP_FILES` of linux/kcmp.h: compare the fd tables of two threads.
const KCMP_FILES: libc::c_long = 2;

/// `KCMP_FILE` of linux/kcmp.h: compare the open files of two descriptors.
const KCMP_FILE: libc::c_long = 0;

/// What an error says, without the number that std appends: `No such file or directory`.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    if matches!(error.raw_os_error(), Some(libc::EMFILE)) {
        return "Too many open files; raise the limit, for example with `ulimit -n 1024`".to_owned();
    }
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}

/// The users that the name service lists, with their names. For a process of one thread.
pub(crate) fn listed_users() -> Vec<(String, Uid)> {
    // SAFETY: getpwent(3) keeps its place in memory that all threads share, and completion starts no thread.
    let users = unsafe { uzers::all_users() };
    users.take(MAX_LISTED_USERS).map(|user| (user.name().to_string_lossy().into_owned(), Uid(user.uid()))).collect()
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

/// Closes every descriptor but these, which are in ascending order. Only for the beginning of a process, before it has any of its own: std
/// and rustix trust that what they opened stays open.
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

fn close_range(first: u32, last: u32) -> io::Result<()> {
    let none: libc::c_long = 0;
    // SAFETY: close_range takes three integers and touches no memory of ours. No descriptor has an owner yet, as the caller requires.
    let closed =
        unsafe { libc::syscall(libc::SYS_close_range, libc::c_long::from(first), libc::c_long::from(last), none) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes them one by one.
fn close_each_but(kept: &[u32]) -> io::Result<()> {
    let listed = std::fs::read_dir("/proc/self/fd")?;
    let fds: Vec<u32> = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for fd in fds.into_iter().filter(|fd| !kept.contains(fd)) {
        if let Ok(fd) = libc::c_int::try_from(fd) {
            // SAFETY: as above. An error means that it was not open, as that of the listing, which is closed already.
            unsafe {
                libc::close(fd);
            }
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

/// Makes a write beyond `RLIMIT_FSIZE` fail with `EFBIG`, which is an error like others, instead of killing the process.
pub fn ignore_sigxfsz() {
    // SAFETY: SIG_IGN installs no handler, so nothing of ours runs in signal context.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Whether the process was started with a closed stdout. std opens /dev/null in its place before `main`, in the same way as a caller may
/// have done, so that only what ran before can tell.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// The standard output, without a buffer. A write fails if it was closed or is not open for writing; that of std takes `EBADF` for success.
#[derive(Debug, Clone, Copy)]
pub struct Stdout;

impl io::Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if STDOUT_WAS_CLOSED.load(AtomicOrdering::Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        Ok(rustix::io::write(io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// glibc and musl call what is in this section before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK_AT_STDOUT: extern "C" fn() = look_at_stdout;

extern "C" fn look_at_stdout() {
    // SAFETY: fcntl with F_GETFD takes two integers and touches no memory of ours. Nothing here needs the runtime of Rust, which has not
    // started yet.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    STDOUT_WAS_CLOSED.store(flags < 0, AtomicOrdering::Relaxed);
}

/// Lets Ctrl-C and a write to a closed pipe do nothing: another process has the terminal.
pub(crate) fn ignore_interrupts() {
    for signal in [libc::SIGINT, libc::SIGPIPE] {
        // SAFETY: SIG_IGN installs no handler, so nothing of ours runs in signal context.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// The time of day in the time zone of the user: hours, minutes and seconds; of UTC if that is not known.
pub(crate) fn local_time() -> (i32, i32, i32) {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Of the type that this libc has: musl and glibc differ.
    let seconds = since_epoch.as_secs().try_into().unwrap_or_default();
    // SAFETY: all bytes of a `tm` may be zero. localtime_r reads the seconds and writes the `tm`, both of which live until it returns; no
    // other thread changes the environment.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut time);
        time
    };
    (time.tm_hour, time.tm_min, time.tm_sec)
}

/// Lets a write to a closed pipe end the process, as it ends `cat`; Rust's runtime ignores SIGPIPE.
pub fn die_of_sigpipe() {
    // SAFETY: SIG_DFL installs no handler, so nothing of ours runs in signal context.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
