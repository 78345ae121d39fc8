//! One process under scan: the descriptor that everything is looked up by, and the facts read of those that hold an end.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use rustix::io::Errno;

use super::fd_table::{self, Context};
use super::gap::gap;
use super::root::{read_piece, read_small, read_up_to};
use super::watch::Step;
use super::{Facts, Scanner, parse};
use crate::model::{CommandLine, Gap, Pid, PossibleEnds, Process, Tid, Uid, UnreadablePart};

/// How much of a command line is read, in bytes. It may have 6 MiB (`_STK_LIM / 4 * 3` in fs/exec.c), and anybody may run many
/// processes of that size.
const CMDLINE: usize = 128 * 1024;

/// How much of a file of many records is read, in bytes.
const LONG: u64 = 2 * 1024 * 1024;

/// A process directory, held open so that a PID used again cannot lead to another process.
pub(super) struct ProcessDir {
    pub(super) pid: Pid,
    dir: OwnedFd,
    /// Whether somebody reads the facts already: a huge fd table is walked by several threads.
    facts_taken: AtomicBool,
}

impl ProcessDir {
    pub(super) fn open(scanner: &Scanner, pid: Pid) -> rustix::io::Result<Self> {
        Ok(Self { pid, dir: scanner.root.process_dir(pid)?, facts_taken: AtomicBool::new(false) })
    }

    /// The descriptor, good for looking things up only.
    pub(super) fn dir(&self) -> std::os::fd::BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// A small file of the process; empty where it cannot be read.
    pub(super) fn text(&self, name: &str) -> Vec<u8> {
        // Whatever the cause, the answer is the same: its facts stay unknown.
        read_small(&self.dir, name).unwrap_or_default()
    }

    /// The same of a file that the kernel makes record by record, so that any read may be short.
    pub(super) fn long_text(&self, name: &str) -> Vec<u8> {
        read_up_to(&self.dir, name, LONG).unwrap_or_default()
    }

    /// Reads the facts into the part, once for a process.
    pub(super) fn facts(&self, tid: Option<Tid>, context: &mut Context<'_>) {
        if self.facts_taken.swap(true, Ordering::Relaxed) {
            return;
        }
        let Context { scanner, watch, skip, .. } = *context;
        watch.doing(Step::Facts);
        if scanner.want.facts == Facts::Command || skip.facts {
            context.part.process = Some(Process { command: self.command().into(), ..Process::unknown(self.pid) });
        } else {
            context.part.process = Some(self.all_facts(scanner, tid, context));
        }
        if skip.facts {
            let unread = gap(self.pid, UnreadablePart::Cmdline, Errno::TIMEDOUT, PossibleEnds::NOTHING);
            context.part.gaps.push(self.sign(scanner, unread));
        }
    }

    fn all_facts(&self, scanner: &Scanner, tid: Option<Tid>, context: &mut Context<'_>) -> Process {
        let stat = parse::stat(&self.text("stat"));
        let status = parse::status(&self.text("status"));
        let group = parse::cgroup(&self.text("cgroup"));
        let cmdline = match self.cmdline(tid) {
            Ok(cmdline) => Some(cmdline),
            Err(errno) => {
                if !scanner.root.is_vanished(errno) {
                    let unread = gap(self.pid, UnreadablePart::Cmdline, errno, PossibleEnds::NOTHING);
                    context.part.gaps.push(self.sign(scanner, unread));
                }
                None
            }
        };
        let audited = scanner.want.facts >= Facts::Audit;
        let is_dead = matches!(stat.state, Some('Z' | 'X'));
        Process {
            ppid: stat.ppid,
            pgid: stat.pgid,
            sid: stat.sid,
            uid: status.uid,
            command: if stat.command.is_empty() { self.command() } else { stat.command }.into(),
            cmdline,
            state: stat.state,
            started_at: stat.start_time.and_then(|ticks| scanner.clock.at(ticks)).map(Into::into),
            ns_pid: status.ns_pid(),
            container: group.container,
            unit: group.unit,
            fd_limit: audited.then(|| parse::fd_limit(&self.text("limits"))).flatten(),
            // A process whose first thread has exited has its table no more in that one's directory, which then says 0.
            fds: (audited && !is_dead).then(|| fd_table::listed(self, "fd", scanner)).flatten(),
            pid_namespace: audited.then(|| self.pid_namespace()).flatten(),
            ..Process::unknown(self.pid)
        }
    }

    /// The inode of its PID namespace, by the link `pid:[4026531836]`.
    fn pid_namespace(&self) -> Option<u64> {
        let link = rustix::fs::readlinkat(&self.dir, c"ns/pid", Vec::new()).ok()?;
        parse::namespace(link.as_bytes())
    }

    /// Lets the facts be read again, after an attempt that got no answer.
    pub(super) fn release_facts(&self) {
        self.facts_taken.store(false, Ordering::Relaxed);
    }

    /// Completes a gap with whose it is.
    pub(super) fn sign(&self, scanner: &Scanner, gap: Gap) -> Gap {
        Gap { command: self.command().into(), uid: self.uid(scanner), ..gap }
    }

    /// Its command; empty where that cannot be read.
    pub(super) fn command(&self) -> Vec<u8> {
        let comm = self.text("comm");
        if comm.is_empty() { parse::stat(&self.text("stat")).command } else { parse::line(&comm).to_vec() }
    }

    fn uid(&self, scanner: &Scanner) -> Option<Uid> {
        (scanner.want.facts >= Facts::All).then(|| parse::status(&self.text("status")).uid)?
    }

    /// The command line. That of a process whose leader has exited is to be had from its live threads only.
    fn cmdline(&self, tid: Option<Tid>) -> rustix::io::Result<CommandLine> {
        let text = match tid {
            Some(tid) => read_piece(&self.dir, format!("task/{tid}/cmdline"), CMDLINE),
            None => read_piece(&self.dir, c"cmdline", CMDLINE),
        };
        text.map(CommandLine)
    }
}

/// Turns the start times of processes, in clock ticks after boot, into dates.
pub(super) struct Clock {
    booted_at: Option<Timestamp>,
    ticks_per_second: u64,
}

impl Clock {
    pub(super) fn new(booted_at: Option<Timestamp>) -> Self {
        Self { booted_at, ticks_per_second: procfs::ticks_per_second().max(1) }
    }

    fn at(&self, ticks: u64) -> Option<Timestamp> {
        let millis = ticks.checked_mul(1000)? / self.ticks_per_second;
        self.booted_at?.checked_add(SignedDuration::from_millis(i64::try_from(millis).ok()?)).ok()
    }
}
