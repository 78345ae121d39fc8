//! The client of the helper: starts it, asks it, and abandons it when it does not answer.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use super::Unsupported;
use super::wire::{Answer, Failure, MAX_PACKET, Request, from_packet, to_packet};
use crate::observe::channel::{Polled, Sizes};
use crate::observe::proc::is_runnable_in;
use crate::sys::reason;

/// How long a helper may take to start on a busy machine.
const START: Duration = Duration::from_secs(5);

/// How long an idle helper may take to exit, before it is no longer waited for.
const END: Duration = Duration::from_millis(50);

/// How often the time limit starts again while the helper is runnable: waiting for a processor is not a hang.
const MAX_RETRIES: u32 = 20;

/// How many helpers are asked, one after the other, if they do not answer because they ended.
const TRIES: u32 = 2;

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The end could not be duplicated.
    Nothing {
        /// Whether that was a matter of rights.
        refused: bool,
    },
    /// What was answered in time, poll(2) first. Without sizes, the helper hangs.
    Asked(Option<Polled>, Option<Sizes>),
}

/// Sends requests to a helper, and to a new one after that hung.
pub(super) struct Client {
    /// The program of the helper and its arguments.
    command: Vec<OsString>,
    proc_root: OwnedFd,
    helper: Option<Helper>,
    /// How many helpers hang in some call.
    pub(super) abandoned: u32,
}

struct Helper {
    child: Child,
    socket: OwnedFd,
}

impl Client {
    /// Starts the first helper, which looks descriptors up in this proc.
    pub(super) fn new(command: &[OsString], proc_root: OwnedFd) -> Result<Self, Unsupported> {
        let helper = Some(Helper::start(command, &proc_root)?);
        Ok(Self { command: command.to_owned(), proc_root, helper, abandoned: 0 })
    }

    /// Asks about one end, within a limit. None if no helper answers.
    pub(super) fn ask(&mut self, request: &Request, limit: Duration) -> Option<Outcome> {
        for _ in 0..TRIES {
            let mut helper = match self.helper.take() {
                Some(helper) => helper,
                None => Helper::start(&self.command, &self.proc_root).ok()?,
            };
            match helper.ask(request, limit, &self.proc_root) {
                Ok(outcome @ Outcome::Asked(_, None)) => {
                    helper.abandon();
                    self.abandoned += 1;
                    return Some(outcome);
                }
                Ok(outcome) => {
                    self.helper = Some(helper);
                    return Some(outcome);
                }
                // It was killed, or had nothing to do for too long, as while we were stopped: the next one may do better.
                Err(_) => helper.end(),
            }
        }
        None
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
    }
}

impl Helper {
    fn start(command: &[OsString], proc_root: &OwnedFd) -> Result<Self, Unsupported> {
        let failed = |error: io::Error| Unsupported::HelperFailed(reason(&error));
        let (helper, first) = Self::spawn(command, proc_root).map_err(failed)?;
        let errno = match first {
            Ok(Some(Answer::Ready)) => return Ok(helper),
            Ok(Some(Answer::Failed(failure))) => {
                helper.end();
                return Err(unsupported(failure));
            }
            Ok(Some(_)) => Errno::PROTO,
            Ok(None) => Errno::TIMEDOUT,
            Err(errno) => errno,
        };
        helper.abandon();
        Err(failed(errno.into()))
    }

    /// Starts it, and waits for its first answer.
    fn spawn(command: &[OsString], proc_root: &OwnedFd) -> io::Result<(Self, rustix::io::Result<Option<Answer>>)> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        // No pipe, which would be one more on the machine that is reported; packets, so that no message comes in pieces.
        let (socket, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            // As a descriptor: what a path leads to may change meanwhile.
            .stdout(Stdio::from(proc_root.try_clone()?))
            .stderr(Stdio::null())
            .spawn()?;
        let helper = Self { child, socket };
        let first = helper.recv(Instant::now() + START);
        Ok((helper, first))
    }

    fn ask(&mut self, request: &Request, limit: Duration, proc_root: &OwnedFd) -> rustix::io::Result<Outcome> {
        rustix::net::send(&self.socket, &to_packet(request), SendFlags::NOSIGNAL)?;
        let mut polled = None;
        loop {
            match self.recv_with_retries(limit, proc_root)? {
                None => return Ok(Outcome::Asked(polled, None)),
                Some(Answer::Nothing { refused }) => return Ok(Outcome::Nothing { refused }),
                Some(Answer::Polled(answer)) => polled = Some(answer),
                Some(Answer::Sizes(sizes)) => return Ok(Outcome::Asked(polled, Some(sizes))),
                Some(Answer::Ready | Answer::Failed(_)) => return Err(Errno::PROTO),
            }
        }
    }

    /// The next answer; none if the helper sleeps for the whole time limit.
    fn recv_with_retries(&self, limit: Duration, proc_root: &OwnedFd) -> rustix::io::Result<Option<Answer>> {
        for _ in 0..MAX_RETRIES {
            match self.recv(Instant::now() + limit)? {
                None if self.is_runnable(proc_root) => {}
                answer => return Ok(answer),
            }
        }
        Ok(None)
    }

    /// The next answer; none if it has not arrived by then.
    fn recv(&self, deadline: Instant) -> rustix::io::Result<Option<Answer>> {
        // Interrupted by ^Z and fg, for example.
        let ready = retry_on_intr(|| {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
            poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout))
        })?;
        if ready == 0 {
            return Ok(None);
        }
        let mut buffer = [0; MAX_PACKET];
        let length = rustix::io::read(self.socket.as_fd(), &mut buffer)?;
        let packet = buffer.get(..length).unwrap_or_default();
        // Nothing at all: it has exited.
        from_packet(packet).map(Some).ok_or(Errno::PIPE)
    }

    /// Whether it runs, or only waits for a processor.
    fn is_runnable(&self, proc_root: &OwnedFd) -> bool {
        is_runnable_in(proc_root.as_fd(), self.child.id()) == Some(true)
    }

    /// Ends an idle helper.
    fn end(self) {
        let Self { mut child, socket } = self;
        // It reads the end of its requests. Killed as well, in case it is stopped.
        drop(socket);
        let _ = child.kill();
        let deadline = Instant::now() + END;
        // Reaped where that is quick: with --repeat, there will be many.
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Kills a helper that hangs, and does not wait for its end, which may never come.
    fn abandon(mut self) {
        // An error means that it has exited.
        let _ = self.child.kill();
    }
}

/// What it means that a helper does not serve.
fn unsupported(failure: Failure) -> Unsupported {
    let failed = |what: &str, errno| {
        let error = io::Error::from_raw_os_error(errno);
        Unsupported::HelperFailed(format!("it {what}: {}", reason(&error)))
    };
    match failure {
        Failure::Duplicate(errno) => Unsupported::NoDuplicate(reason(&io::Error::from_raw_os_error(errno))),
        Failure::Close(errno) => failed("cannot close the descriptors that it inherited", errno),
        Failure::Timer(errno) => failed("cannot set the timer that ends it", errno),
        Failure::Proc => Unsupported::Tree,
    }
}
