//! The keeper of the helper: starts it, asks it, and leaves it behind when it gives no answer.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use super::HELPER;
use super::wire::{Answer, PACKET, Polled, Request};

/// How long a helper may take to start on a busy machine.
const START: Duration = Duration::from_secs(5);

/// How long one that has been told to end may take to do so, before it is left to itself.
const END: Duration = Duration::from_millis(50);

/// How often a helper that waits for a processor gets its time over again: that is no hang.
const MOST_PATIENCE: u32 = 20;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The end could not be had.
    Nothing {
        /// Whether it was refused.
        refused: bool,
    },
    /// All that was asked for.
    Told { polled: Polled, queued: Option<u64>, capacity: Option<u64> },
    /// No answer in time. What poll(2) said may have come before.
    Hung(Option<Polled>),
}

/// Asks helpers, one after the other.
pub(super) struct Keeper {
    proc_root: PathBuf,
    helper: Option<Helper>,
    /// How many helpers gave no answer, and hang somewhere.
    pub(super) left_behind: u32,
}

struct Helper {
    child: Child,
    socket: OwnedFd,
}

impl Keeper {
    /// Starts the first helper, which looks descriptors up in this proc.
    ///
    /// # Errors
    ///
    /// If none can be started.
    pub(super) fn new(proc_root: &Path) -> io::Result<Self> {
        let helper = Helper::start(proc_root)?;
        Ok(Self { proc_root: proc_root.to_owned(), helper: Some(helper), left_behind: 0 })
    }

    /// Asks about one end, within a limit.
    pub(super) fn ask(&mut self, request: &Request, limit: Duration) -> io::Result<Outcome> {
        let mut helper = match self.helper.take() {
            Some(helper) => helper,
            None => Helper::start(&self.proc_root)?,
        };
        let outcome = helper.ask(request, limit, &self.proc_root);
        match outcome {
            Ok(Outcome::Hung(_)) => {
                helper.leave_behind();
                self.left_behind += 1;
            }
            // It is gone, killed by somebody: the next one may do better.
            Err(_) => helper.end(),
            Ok(_) => self.helper = Some(helper),
        }
        outcome
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
    }
}

impl Helper {
    fn start(proc_root: &Path) -> io::Result<Self> {
        // No pipe, which would be one more on the machine that is reported; packets, so that no message comes in pieces.
        let (socket, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        // The very program that runs, also where its file has been replaced; and with the capabilities of its file.
        let child = Command::new("/proc/self/exe")
            .arg(HELPER)
            .env_clear()
            .current_dir(proc_root)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let helper = Self { child, socket };
        match helper.hear(Instant::now() + START) {
            Ok(Some(Answer::Ready)) => Ok(helper),
            Ok(None) => {
                helper.leave_behind();
                Err(Errno::TIMEDOUT.into())
            }
            Ok(Some(_)) => {
                helper.end();
                Err(Errno::PROTO.into())
            }
            Err(errno) => {
                helper.end();
                Err(errno.into())
            }
        }
    }

    fn ask(&mut self, request: &Request, limit: Duration, proc_root: &Path) -> io::Result<Outcome> {
        rustix::net::send(&self.socket, &request.to_packet(), SendFlags::NOSIGNAL)?;
        let mut said = None;
        loop {
            match self.hear_patiently(limit, proc_root)? {
                None => return Ok(Outcome::Hung(said)),
                Some(Answer::Nothing { refused }) => return Ok(Outcome::Nothing { refused }),
                Some(Answer::Polled(polled)) if request.sizes => said = Some(polled),
                Some(Answer::Polled(polled)) => {
                    return Ok(Outcome::Told { polled, queued: None, capacity: None });
                }
                Some(Answer::Sizes { queued, capacity }) => {
                    let polled = said.ok_or(Errno::PROTO)?;
                    return Ok(Outcome::Told { polled, queued, capacity });
                }
                Some(Answer::Ready) => return Err(Errno::PROTO.into()),
            }
        }
    }

    /// The next answer; none if the helper sleeps all the time.
    fn hear_patiently(&self, limit: Duration, proc_root: &Path) -> rustix::io::Result<Option<Answer>> {
        for _ in 0..MOST_PATIENCE {
            match self.hear(Instant::now() + limit)? {
                None if self.is_runnable(proc_root) => {}
                heard => return Ok(heard),
            }
        }
        Ok(None)
    }

    /// The next answer; none if none has come by then.
    fn hear(&self, deadline: Instant) -> rustix::io::Result<Option<Answer>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                // ^Z and fg, for example.
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        let mut buffer = [0; PACKET + 1];
        let length = rustix::io::read(self.socket.as_fd(), &mut buffer)?;
        let packet = buffer.get(..length).unwrap_or_default();
        // Nothing at all: it has ended.
        Answer::from_packet(packet).map(Some).ok_or(Errno::PIPE)
    }

    /// Whether it runs, or only waits for a processor.
    fn is_runnable(&self, proc_root: &Path) -> bool {
        let stat = std::fs::read(proc_root.join(self.child.id().to_string()).join("stat"));
        let state = |text: Vec<u8>| {
            let close = text.iter().rposition(|byte| *byte == b')')?;
            text.get(close + 2).copied()
        };
        stat.ok().and_then(state) == Some(b'R')
    }

    /// Ends one that has nothing to do.
    fn end(self) {
        let Self { mut child, socket } = self;
        // It reads the end of its requests. Killed as well, in case that somebody stopped it.
        drop(socket);
        let _ = child.kill();
        let deadline = Instant::now() + END;
        // Reaped where that is quick: with --repeat, there will be many.
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Kills one that hangs, and does not wait for its end, which may never come.
    fn leave_behind(self) {
        let Self { mut child, .. } = self;
        // An error means that it is gone.
        let _ = child.kill();
    }
}
