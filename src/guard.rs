//! The guard: a child process looks at the others, and the command only passes on its output.
//!
//! A call may sleep for ever in a file system or behind a lock of another process, and SIGKILL does not end it. A thread that hangs so keeps
//! its whole process from ending, with everything that it has open: so `lspipe | cat` would not end either. A process can be left behind.
//! So the child holds nothing of the caller's, and the command neither looks at anything nor waits for a child that does not end.
//!
//! Owns what passes between the two. Knows nothing of reports.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{Signal, WaitOptions};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use thiserror::Error;

use crate::model::Pid;
use crate::sys::{self, Forked, reason};

/// Maximum number of bytes of output in one message.
pub const CHUNK: usize = 32 * 1024;

/// How often the guard looks whether a child that says nothing still lives.
const TICK: Duration = Duration::from_secs(1);

/// How long a child may take to exit that has said that it will.
const END: Duration = Duration::from_secs(2);

/// How long the threads of a child may take to exit after their work.
const LAST_THREADS: Duration = Duration::from_millis(50);

/// The first byte of a message: what follows.
const OUTPUT: u8 = b'o';
/// A line for stderr.
const LINE: u8 = b'e';
/// Nothing: the output until here is to be written, and that is to be answered.
const FLUSH: u8 = b'f';
/// What the child is doing, for who waits for it.
const PROGRESS: u8 = b'p';
/// The exit status, and 1 if threads hang. The child exits.
const END_OF_ALL: u8 = b'x';

/// Why the answer of the child did not come or could not be passed on.
#[derive(Debug, Error)]
pub enum Stopped {
    /// The child cannot be started.
    #[error("cannot start a process that looks at the others: {}{}", reason(.0), start_hint(.0))]
    Start(io::Error),
    /// The child ended without its last message: how.
    #[error("the process that looks at the others {0} before it was done")]
    Died(String),
    /// Standard output cannot be written.
    #[error("cannot write the report: {}", reason(.0))]
    Write(io::Error),
}

fn start_hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => "; raise the limit of processes, such as `ulimit -u` or TasksMax= of systemd",
        _ => "",
    }
}

/// What the command learns while it waits for the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// A line for stderr.
    Line(&'a str),
    /// What the child is doing.
    Progress(&'a str),
    /// The child has said nothing yet, for so long.
    Silence(Duration),
    /// Output comes.
    Output,
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The child, which does the work.
    Child(Channel),
    /// The command itself.
    Guard(Guard),
}

/// Starts the child. Only before this process has started a thread.
///
/// The child has the descriptors that `arguments` name, such as `/dev/fd/63` or `/dev/stdin`, and no others.
///
/// # Errors
///
/// [`Stopped::Start`].
pub fn start(arguments: impl Iterator<Item: AsRef<OsStr>>) -> Result<Side, Stopped> {
    let failed = |errno: Errno| Stopped::Start(errno.into());
    // No pipe, which would be one more on the machine that is reported; packets, so that no message comes in pieces.
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(failed)?;
    let guard = Pid(std::process::id());
    match sys::fork().map_err(Stopped::Start)? {
        Forked::Parent(child) => {
            drop(theirs);
            Ok(Side::Guard(Guard { socket: ours, child }))
        }
        Forked::Child => {
            drop(ours);
            // An error is that of a sandbox: then the end of the socket is what ends the child.
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            let socket = let_go(theirs, named_fds(arguments)).map_err(failed)?;
            let channel = Channel { socket: Arc::new(socket), guard };
            channel.tell_panics();
            Ok(Side::Child(channel))
        }
    }
}

/// Closes what the child has inherited, and returns its socket. That takes the place of standard input, so that the child has no more
/// descriptors than the command.
fn let_go(socket: OwnedFd, named: Vec<u32>) -> Result<Socket, Errno> {
    let is_named = |fd| named.contains(&fd);
    // Where there is no such device, what is printed by mistake is a message that means nothing.
    let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let silent = null.as_ref().unwrap_or(&socket);
    if !is_named(1) {
        dup2_stdout(silent)?;
    }
    if !is_named(2) {
        dup2_stderr(silent)?;
    }
    drop(null);
    let mut kept: Vec<u32> = vec![0, 1, 2];
    kept.extend(&named);
    let socket = if is_named(0) {
        kept.extend(u32::try_from(socket.as_raw_fd()));
        Socket::Own(socket)
    } else {
        dup2_stdin(&socket)?;
        drop(socket);
        Socket::Stdin
    };
    kept.sort_unstable();
    kept.dedup();
    // An error leaves them open: they are ends that the command has, too.
    let _ = sys::close_all_but(&kept);
    Ok(socket)
}

/// The numbers of our own descriptors in these words, ascending.
fn named_fds(arguments: impl Iterator<Item: AsRef<OsStr>>) -> Vec<u32> {
    const NAMES: [(&str, u32); 3] = [("/dev/stdin", 0), ("/dev/stdout", 1), ("/dev/stderr", 2)];
    const FOLDERS: [&str; 3] = ["/dev/fd/", "/self/fd/", "/thread-self/fd/"];
    let mut fds = Vec::new();
    for argument in arguments {
        let text = String::from_utf8_lossy(argument.as_ref().as_bytes()).into_owned();
        fds.extend(NAMES.into_iter().filter(|(name, _)| text.contains(name)).map(|(_, fd)| fd));
        for folder in FOLDERS {
            fds.extend(
                text.split(folder)
                    .skip(1)
                    .filter_map(|rest| rest.split(|next: char| !next.is_ascii_digit()).next()?.parse::<u32>().ok()),
            );
        }
    }
    // No descriptor has a greater number.
    fds.retain(|fd| i32::try_from(*fd).is_ok());
    fds.sort_unstable();
    fds.dedup();
    fds
}

/// The child's end of the socket.
#[derive(Debug)]
enum Socket {
    Stdin,
    Own(OwnedFd),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin => rustix::stdio::stdin(),
            Self::Own(socket) => socket.as_fd(),
        }
    }
}

impl Socket {
    fn send(&self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let mut packet = Vec::with_capacity(bytes.len() + 1);
        packet.push(kind);
        packet.extend_from_slice(bytes);
        retry_on_intr(|| rustix::net::send(self, &packet, SendFlags::NOSIGNAL))?;
        Ok(())
    }
}

/// What the child passes to the command.
#[derive(Debug)]
pub struct Channel {
    socket: Arc<Socket>,
    /// The command.
    guard: Pid,
}

impl Channel {
    /// The process that the caller of the command knows.
    #[must_use]
    pub const fn guard(&self) -> Pid {
        self.guard
    }

    /// What it writes to standard output, which returns from a flush after that has been written.
    pub fn stdout(&self) -> impl Write + use<> {
        Stdout(Arc::clone(&self.socket))
    }

    /// Lets the command print a line on stderr.
    pub fn say(&self, line: &str) {
        say(&self.socket, line);
    }

    /// Says what the child is doing, for who waits for it.
    pub fn progress(&self, doing: &str) {
        // An error means that the command is gone.
        let _ = self.socket.send(PROGRESS, doing.as_bytes());
    }

    /// The last message. The child has to exit after it, with that status.
    pub fn end(self, status: u8) {
        let deadline = Instant::now() + LAST_THREADS;
        let mut hangs = has_threads();
        while hangs && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
            hangs = has_threads();
        }
        // An error means that the command is gone.
        let _ = self.socket.send(END_OF_ALL, &[status, u8::from(hangs)]);
    }

    /// Lets the command print why a thread panicked.
    fn tell_panics(&self) {
        let socket = Arc::clone(&self.socket);
        std::panic::set_hook(Box::new(move |panic| say(&socket, &panic.to_string())));
    }
}

fn say(socket: &Socket, line: &str) {
    // An error means that the command is gone.
    let _ = socket.send(LINE, line.as_bytes());
}

/// Whether this process has a thread besides the calling one.
fn has_threads() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1)
}

struct Stdout(Arc<Socket>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut length = bytes.len().min(CHUNK);
        loop {
            match self.0.send(OUTPUT, &bytes[..length]) {
                Ok(()) => return Ok(length),
                // The system's default for socket buffers may be small.
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) && length > 1 => length /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.send(FLUSH, &[])?;
        match retry_on_intr(|| rustix::net::recv(&*self.0, &mut [0_u8; 1], RecvFlags::empty()))?.1 {
            // The command is gone.
            0 => Err(Errno::PIPE.into()),
            _ => Ok(()),
        }
    }
}

/// The command, as the guard of a child.
#[derive(Debug)]
pub struct Guard {
    socket: OwnedFd,
    child: Pid,
}

impl Guard {
    /// Passes on what the child prints, until its end, and returns its exit status. `out` is standard output.
    ///
    /// # Errors
    ///
    /// If standard output cannot be written or the child ends before it is done. It ends with this process in any case.
    pub fn relay(self, out: &mut dyn Write, notify: &mut dyn FnMut(Said<'_>)) -> Result<u8, Stopped> {
        let mut buffer = vec![0; CHUNK + 1];
        let started = Instant::now();
        let mut is_silent = true;
        loop {
            let mut wait = || {
                if is_silent {
                    notify(Said::Silence(started.elapsed()));
                }
            };
            let length = self.receive(&mut buffer, &mut wait)?;
            is_silent = false;
            match buffer.get(..length).unwrap_or_default() {
                [OUTPUT, bytes @ ..] => {
                    notify(Said::Output);
                    out.write_all(bytes).map_err(Stopped::Write)?;
                }
                [LINE, line @ ..] => notify(Said::Line(&String::from_utf8_lossy(line))),
                [PROGRESS, doing @ ..] => notify(Said::Progress(&String::from_utf8_lossy(doing))),
                [FLUSH] => {
                    // An error means that the child is gone, which the next message says.
                    let _ = rustix::net::send(&self.socket, &[FLUSH], SendFlags::NOSIGNAL);
                }
                [END_OF_ALL, status, hangs] => {
                    // Waited for, so that its processor time counts as ours; but not for one that hangs.
                    if *hangs == 0 && self.is_closed_within(END) {
                        let _ = self.reap();
                    }
                    return Ok(*status);
                }
                [] => {
                    let how = if self.is_closed_within(END) { self.reap() } else { None };
                    return Err(Stopped::Died(how.unwrap_or_else(killed)));
                }
                _ => {}
            }
        }
    }

    /// The next message. Its length is 0 if the child is gone. `wait` is called about once in a second until then.
    fn receive(&self, buffer: &mut [u8], wait: &mut dyn FnMut()) -> Result<usize, Stopped> {
        // While one of its threads hangs, a child that was killed keeps its end of the socket.
        while !self.is_ready(PollFlags::IN, TICK) {
            if self.is_zombie() {
                return Ok(0);
            }
            wait();
        }
        let received = retry_on_intr(|| rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()));
        match received {
            Ok((length, _)) => Ok(length),
            Err(Errno::CONNRESET) => Ok(0),
            Err(errno) => Err(Stopped::Died(format!("cannot be heard ({})", reason(&errno.into())))),
        }
    }

    fn is_ready(&self, events: PollFlags, limit: Duration) -> bool {
        let timeout = Timespec::try_from(limit).ok();
        retry_on_intr(|| poll(&mut [PollFd::new(&self.socket, events)], timeout.as_ref())).is_ok_and(|ready| ready > 0)
    }

    /// Whether the child closes its end in that time, as its exit does.
    fn is_closed_within(&self, limit: Duration) -> bool {
        self.is_ready(PollFlags::empty(), limit)
    }

    /// Whether the first thread of the child has ended, whatever its others do.
    fn is_zombie(&self) -> bool {
        let stat = fs::read(format!("/proc/{}/stat", self.child)).unwrap_or_default();
        let state = stat.rsplit(|byte| *byte == b')').next().and_then(|rest| rest.get(1));
        matches!(state, Some(b'Z' | b'X'))
    }

    /// Reaps the child, and returns how it ended.
    fn reap(&self) -> Option<String> {
        let pid = i32::try_from(self.child.0).ok().and_then(rustix::process::Pid::from_raw);
        let (_, status) = retry_on_intr(|| rustix::process::waitpid(pid, WaitOptions::empty())).ok()??;
        Some(match (status.terminating_signal(), status.exit_status()) {
            (Some(libc::SIGKILL), _) => killed(),
            (Some(libc::SIGABRT), _) => "was aborted, perhaps for want of memory,".to_owned(),
            (Some(signal), _) => format!("was ended by signal {signal}"),
            (None, status) => format!("ended with status {}", status.unwrap_or_default()),
        })
    }
}

fn killed() -> String {
    "was killed, perhaps for want of memory,".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_that_are_named_are_found() {
        let named = |words: &[&str]| named_fds(words.iter());
        assert_eq!(named(&["audit", "--baseline=/dev/fd/63", "/proc/self/fd/7", "x"]), [7, 63]);
        assert_eq!(named(&["/dev/stdin", "-p", "12", "/proc/thread-self/fd/0", "/dev/stdout"]), [0, 1]);
        assert_eq!(named(&["/dev/fd/", "/dev/fd/x", "/proc/252/fd/3", "/dev/fd/99999999999"]), [0_u32; 0]);
        assert_eq!(named(&["/dev/fd/4294967295", "/dev/fd/2147483648", "/dev/fd/2147483647"]), [2_147_483_647]);
    }
}
