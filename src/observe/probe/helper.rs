//! The helper: a process of its own that takes a duplicate of one end at a time, asks, and lets go.
//!
//! It exists to be abandoned. `FIONREAD` and `F_GETPIPE_SZ` take the lock of the pipe and cannot be killed while they wait for
//! it (`pipe_ioctl` and `pipe_fcntl` in fs/pipe.c), and while a duplicate is held its pipe does not end: so the command itself
//! must not do any of this. A duplicate adds neither a reader nor a writer, and it is held for microseconds.
//!
//! Its program file may have capabilities that the user who starts it lacks. It serves only a parent that has them, too, and whatever
//! happens to it, it does not hold a duplicate for longer than [`HOLD`]: it never waits while it has one, and a timer kills it, also if the
//! user stopped it.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, FileType, PROC_SUPER_MAGIC, StatxFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{set_socket_passcred, socket_peercred};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg};
use rustix::path::Arg;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, getppid, pidfd_getfd, pidfd_open};
use rustix::thread::capabilities;

use super::wire::{Answer, Failure, MAX_PACKET, Request, from_packet, to_packet};
use crate::model::OpenFlags;
use crate::observe::channel::{self, Polled, Sizes};
use crate::sys::{self, KillTimer};

/// `PIDFD_THREAD` of include/uapi/linux/pidfd.h, since Linux 6.9: the pidfd of a thread.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());

/// How long a duplicate may be held. Only a helper that is stopped, or gets no processor, holds one for longer than an instant.
const HOLD: Duration = Duration::from_secs(2);

/// How long it stays without a request: as long as the command may be stopped or gets no processor. It then starts another.
const IDLE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A helper that serves.
struct Helper<'a> {
    /// Standard input.
    socket: BorrowedFd<'a>,
    /// Standard output: the proc root.
    proc_root: BorrowedFd<'a>,
    parent: Pid,
    /// None where there are no timers.
    timer: Option<KillTimer>,
}

/// Serves requests on standard input, a socket, until the other side is closed.
pub(super) fn serve() -> rustix::io::Result<()> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let (socket, proc_root) = (stdin.as_fd(), stdout.as_fd());
    let parent = parent(socket)?;
    match prepare(proc_root) {
        Ok(timer) => Helper { socket, proc_root, parent, timer }.serve(),
        Err(failure) => say(socket, Answer::Failed(failure)),
    }
}

/// The process that is served: the parent, which made the socket, and has all the rights that we have. So what the program file gives
/// serves no process that could not do the same by itself: not one that was started to make us do it, and none that is traced, or runs a
/// library of the user's, which the kernel gives no capabilities.
fn parent(socket: BorrowedFd<'_>) -> rustix::io::Result<Pid> {
    // Denied where seccomp forbids it: whoever installed such a filter without privileges has no new ones either.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // Only now, since a parent that was gone before would not be noticed.
    let parent = getppid().ok_or(Errno::PERM)?;
    let peer = socket_peercred(socket)?;
    let ids = (rustix::process::geteuid(), rustix::process::getegid());
    if (peer.pid, (peer.uid, peer.gid)) != (parent, ids) {
        return Err(Errno::PERM);
    }
    if let Ok(own) = capabilities(None)
        && !capabilities(Some(parent))?.permitted.contains(own.permitted)
    {
        return Err(Errno::PERM);
    }
    // Of each request the kernel says which process sent it. One that was sent already is none of that parent: it may have become the
    // program that it is by execve(2), with a socket that another has, too.
    set_socket_passcred(socket, true)?;
    match rustix::net::recv(socket, &mut [0; 1], RecvFlags::DONTWAIT | RecvFlags::PEEK) {
        Err(Errno::AGAIN) => Ok(parent),
        _ => Err(Errno::PERM),
    }
}

/// What has to be done before the first request.
fn prepare(proc_root: BorrowedFd<'_>) -> Result<Option<KillTimer>, Failure> {
    if !rustix::fs::fstatfs(proc_root).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC) {
        return Err(Failure::Proc);
    }
    // An inherited descriptor, perhaps of the pipe to `cat`, must not stay open for as long as this process hangs.
    let closed = sys::close_all_but(&[0, 1, 2]);
    closed.map_err(|error| Failure::Close(error.raw_os_error().unwrap_or(libc::EBADF)))?;
    // Out of the session of the terminal: ^Z must not stop it while it holds a duplicate. Otherwise the timer ends it.
    let _ = rustix::process::setsid();
    let own = || pidfd_getfd(pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?, 0, PidfdGetfdFlags::empty());
    if let Err(errno) = own() {
        return Err(Failure::Duplicate(errno.raw_os_error()));
    }
    // Where timers do not exist, no user can have brought that about.
    match KillTimer::new().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOSYS)) {
        Ok(timer) => Ok(Some(timer)),
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        Err(errno) => Err(Failure::Timer(errno.raw_os_error())),
    }
}

/// Sends an answer, and never waits until there is room for it: if it is not taken, the helper exits.
fn say(socket: BorrowedFd<'_>, answer: Answer) -> rustix::io::Result<()> {
    rustix::net::send(socket, &to_packet(&answer), SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map(|_| ())
}

impl Helper<'_> {
    fn serve(&self) -> rustix::io::Result<()> {
        say(self.socket, Answer::Ready)?;
        while let Some(request) = self.next()? {
            self.answer(&request)?;
        }
        Ok(())
    }

    /// The next request of the parent; none at the end, also when the parent has exited, and after a time without one.
    fn next(&self) -> rustix::io::Result<Option<Request>> {
        let ready = retry_on_intr(|| poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&IDLE)))?;
        if ready == 0 || getppid() != Some(self.parent) {
            return Ok(None);
        }
        let (mut buffer, mut space) =
            ([0; MAX_PACKET], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))]);
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(self.socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags)?;
        let is_parent =
            |message| matches!(message, RecvAncillaryMessage::ScmCredentials(sender) if sender.pid == self.parent);
        if received.bytes > 0 && !control.drain().any(is_parent) {
            return Err(Errno::PERM);
        }
        Ok(buffer.get(..received.bytes).and_then(from_packet))
    }

    /// Answers one request.
    fn answer(&self, request: &Request) -> rustix::io::Result<()> {
        self.set_timer(HOLD)?;
        let answer = self.ask(request)?;
        self.set_timer(Duration::ZERO)?;
        answer.map_or(Ok(()), |answer| say(self.socket, answer))
    }

    fn set_timer(&self, after: Duration) -> rustix::io::Result<()> {
        let set = self.timer.as_ref().map_or(Ok(()), |timer| timer.set(after));
        set.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
    }

    /// The last answer to a request; none if that is given already. The duplicate is closed before it, unless it turns out to be something
    /// else: to close that may hang, and the command must not wait for it.
    fn ask(&self, request: &Request) -> rustix::io::Result<Option<Answer>> {
        let end = match duplicate(self.proc_root, request) {
            Ok(end) => end,
            Err(errno) => {
                let refused = matches!(errno, Errno::PERM | Errno::ACCESS | Errno::NOSYS);
                return Ok(Some(Answer::Nothing { refused }));
            }
        };
        let is_it = is_the_one(&end, c"", AtFlags::EMPTY_PATH, request);
        let Ok(polled) = is_it.and_then(|()| poll_end(&end)) else {
            say(self.socket, Answer::Nothing { refused: false })?;
            return Ok(None);
        };
        // First what is certain: what comes next may never return.
        say(self.socket, Answer::Polled(polled))?;
        let sizes = if request.sizes { (channel::class(request.kind).sizes)(end.as_fd()) } else { Sizes::default() };
        drop(end);
        Ok(Some(Answer::Sizes(sizes)))
    }
}

/// Takes a duplicate of the descriptor, if it is an end of the pipe that it should be. Nothing else may be duplicated: the last
/// close of a file asks its file system, which may not answer.
fn duplicate(proc_root: BorrowedFd<'_>, request: &Request) -> rustix::io::Result<OwnedFd> {
    let Request { pid, tid, fd, .. } = request;
    let (number, flags, path) = match tid {
        Some(tid) => (tid.0, PIDFD_THREAD, format!("{pid}/task/{tid}/fd/{fd}")),
        None => (pid.0, PidfdFlags::empty(), format!("{pid}/fd/{fd}")),
    };
    let number = i32::try_from(number).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = pidfd_open(number, flags)?;
    is_the_one(proc_root, path.as_str(), AtFlags::NO_AUTOMOUNT, request)?;
    let fd = i32::try_from(fd.0).map_err(|_| Errno::BADF)?;
    pidfd_getfd(&process, fd, PidfdGetfdFlags::empty())
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
