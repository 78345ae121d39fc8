//! The client of the helper: starts it, asks it, and abandons it when it does not answer.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use super::wire::{Answer, MAX_PACKET, Request, from_packet, to_packet};
use crate::observe::channel::{Polled, Sizes};
use crate::observe::proc::is_runnable;

/// How long a helper may take to start on a busy machine.
const START: Duration = Duration::from_secs(5);

/// How long an idle helper may take to exit, before it is no longer waited for.
const END: Duration = Duration::from_millis(50);

/// How often the time limit starts again while the helper is runnable: waiting for a processor is not a hang.
const MAX_RETRIES: u32 = 20;

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
    proc_root: PathBuf,
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
    pub(super) fn new(command: &[OsString], proc_root: &Path) -> io::Result<Self> {
        let helper = Some(Helper::start(command, proc_root)?);
        Ok(Self { command: command.to_owned(), proc_root: proc_root.to_owned(), helper, abandoned: 0 })
    }

    /// Asks about one end, within a limit.
    pub(super) fn ask(&mut self, request: &Request, limit: Duration) -> io::Result<Outcome> {
        let mut helper = match self.helper.take() {
            Some(helper) => helper,
            None => Helper::start(&self.command, &self.proc_root)?,
        };
        let outcome = helper.ask(request, limit, &self.proc_root);
        match outcome {
            Ok(Outcome::Asked(_, None)) => {
                helper.abandon();
                self.abandoned += 1;
            }
            // It was killed: the next one may do better.
            Err(_) => helper.end(),
            Ok(_) => self.helper = Some(helper),
        }
        outcome
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
    fn start(command: &[OsString], proc_root: &Path) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        // No pipe, which would be one more on the machine that is reported; packets, so that no message comes in pieces.
        let (socket, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir(proc_root)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let helper = Self { child, socket };
        let errno = match helper.recv(Instant::now() + START) {
            Ok(Some(Answer::Ready)) => return Ok(helper),
            Ok(Some(_)) => Errno::PROTO,
            Ok(None) => Errno::TIMEDOUT,
            Err(errno) => errno,
        };
        helper.abandon();
        Err(errno.into())
    }

    fn ask(&mut self, request: &Request, limit: Duration, proc_root: &Path) -> io::Result<Outcome> {
        rustix::net::send(&self.socket, &to_packet(request), SendFlags::NOSIGNAL)?;
        let mut polled = None;
        loop {
            match self.recv_with_retries(limit, proc_root)? {
                None => return Ok(Outcome::Asked(polled, None)),
                Some(Answer::Nothing { refused }) => return Ok(Outcome::Nothing { refused }),
                Some(Answer::Polled(answer)) => polled = Some(answer),
                Some(Answer::Sizes(sizes)) => return Ok(Outcome::Asked(polled, Some(sizes))),
                Some(Answer::Ready) => return Err(Errno::PROTO.into()),
            }
        }
    }

    /// The next answer; none if the helper sleeps for the whole time limit.
    fn recv_with_retries(&self, limit: Duration, proc_root: &Path) -> rustix::io::Result<Option<Answer>> {
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
    fn is_runnable(&self, proc_root: &Path) -> bool {
        is_runnable(&proc_root.join(self.child.id().to_string()).join("stat")) == Some(true)
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
