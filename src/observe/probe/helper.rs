//! The helper: a process of its own that takes a duplicate of one end at a time, asks, and lets go.
//!
//! It exists to be abandoned. `FIONREAD` and `F_GETPIPE_SZ` take the lock of the pipe and cannot be killed while they wait for
//! it (`pipe_ioctl` and `pipe_fcntl` in fs/pipe.c), and while a duplicate is held its pipe does not end: so the command itself
//! must not do any of this. A duplicate adds neither a reader nor a writer, and it is held for microseconds.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, FileType, StatxFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::path::Arg;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, Signal};

use super::wire::{Answer, MAX_PACKET, Request, from_packet, to_packet};
use crate::model::OpenFlags;
use crate::observe::channel::{self, Polled, Sizes};
use crate::sys;

/// `PIDFD_THREAD` of include/uapi/linux/pidfd.h, since Linux 6.9: the pidfd of a thread.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());

/// Serves requests on standard input, a socket, until the other side is closed. The current directory is the proc root.
pub(super) fn serve() -> rustix::io::Result<()> {
    // Before all else: an inherited descriptor, perhaps of the pipe to `cat`, must not stay open for as long as this process hangs.
    sys::close_from(3).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOSYS))?;
    // Out of the session of the terminal: ^Z must not stop it while it holds a duplicate.
    rustix::process::setsid()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    say(socket, Answer::Ready)?;
    let mut buffer = [0; MAX_PACKET];
    loop {
        let length = rustix::io::read(socket, &mut buffer)?;
        match buffer.get(..length).and_then(from_packet::<Request>) {
            Some(request) => answer(socket, &request)?,
            // Also when the command has exited.
            None => return Ok(()),
        }
    }
}

fn say(socket: BorrowedFd<'_>, answer: Answer) -> rustix::io::Result<()> {
    rustix::net::send(socket, &to_packet(&answer), SendFlags::NOSIGNAL).map(|_| ())
}

/// Answers one request. The duplicate is closed before the last answer, unless it turns out to be something else: to close that may hang,
/// and the command must not wait for it.
fn answer(socket: BorrowedFd<'_>, request: &Request) -> rustix::io::Result<()> {
    let end = match duplicate(request) {
        Ok(end) => end,
        Err(errno) => {
            let refused = matches!(errno, Errno::PERM | Errno::ACCESS | Errno::NOSYS);
            return say(socket, Answer::Nothing { refused });
        }
    };
    let is_it = is_the_one(&end, c"", AtFlags::EMPTY_PATH, request);
    let Ok(polled) = is_it.and_then(|()| poll_end(&end)) else {
        return say(socket, Answer::Nothing { refused: false });
    };
    // First what is certain: what comes next may never return.
    say(socket, Answer::Polled(polled))?;
    let sizes = if request.sizes { (channel::class(request.kind).sizes)(end.as_fd()) } else { Sizes::default() };
    drop(end);
    say(socket, Answer::Sizes(sizes))
}

/// Takes a duplicate of the descriptor, if it is an end of the pipe that it should be. Nothing else may be duplicated: the last
/// close of a file asks its file system, which may not answer.
fn duplicate(request: &Request) -> rustix::io::Result<OwnedFd> {
    let Request { pid, tid, fd, .. } = request;
    let (number, flags, path) = match tid {
        Some(tid) => (tid.0, PIDFD_THREAD, format!("{pid}/task/{tid}/fd/{fd}")),
        None => (pid.0, PidfdFlags::empty(), format!("{pid}/fd/{fd}")),
    };
    let number = i32::try_from(number).ok().and_then(rustix::process::Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = rustix::process::pidfd_open(number, flags)?;
    is_the_one(CWD, path.as_str(), AtFlags::NO_AUTOMOUNT, request)?;
    let fd = i32::try_from(fd.0).map_err(|_| Errno::BADF)?;
    rustix::process::pidfd_getfd(&process, fd, PidfdGetfdFlags::empty())
}

/// Asks whether this is a pipe, and the one that is meant.
fn is_the_one(dir: impl AsFd, path: impl Arg, flags: AtFlags, request: &Request) -> rustix::io::Result<()> {
    let mask = StatxFlags::TYPE | StatxFlags::INO;
    let stat = rustix::fs::statx(dir, path, flags | AtFlags::STATX_DONT_SYNC, mask)?;
    let is_pipe = FileType::from_raw_mode(stat.stx_mode.into()) == channel::class(request.kind).file_type;
    let is_it = (channel::device(&stat), stat.stx_ino) == (request.device, request.inode);
    if is_pipe && is_it { Ok(()) } else { Err(Errno::BADF) }
}

/// Polls an end. What is open with `O_PATH` is none.
fn poll_end(end: &OwnedFd) -> rustix::io::Result<Polled> {
    let access = OpenFlags(rustix::fs::fcntl_getfl(end)?.bits()).access().ok_or(Errno::BADF)?;
    let mut polled = [PollFd::new(end, PollFlags::IN | PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    let [room, no_writer, no_reader] =
        [PollFlags::OUT, PollFlags::HUP, PollFlags::ERR].map(|flag| polled[0].revents().contains(flag));
    Ok(Polled { access, room, no_writer, no_reader })
}
