//! One process under scan: the descriptor that everything is looked up by, and the facts read of those that hold an end.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::beneath::{Dir, read_link};
use super::budget::Budget;
use super::heartbeat::ScanStep;
use super::mounts::{self, DevptsMounts};
use super::parse::Stat;
use super::root::{read_piece, read_small, read_up_to};
use super::scanner::{Context, Scanner};
use super::work::ProcessResult;
use super::{Detail, parse};
use crate::model::{CommandLine, CommandName, Gap, Pid, PossibleEnds, Process, Tid, UnreadablePart};

/// How much of a command line is kept, in bytes. It may have 6 MiB (`_STK_LIM / 4 * 3` in fs/exec.c), and any user may run many
/// processes that share the memory of theirs.
const CMDLINE: usize = 4 * 1024;

/// What one takes besides its text, in bytes.
const COMMAND_LINE: usize = 64;

/// Maximum length of a file of many records, in bytes.
pub(super) const LONG: u64 = 2 * 1024 * 1024;

/// A process directory, held open so that a PID used again cannot lead to another process.
pub(super) struct ProcessDir {
    pub(super) pid: Pid,
    dir: OwnedFd,
    pub(super) budget: Arc<Budget>,
    /// Whether it is one of a proc file system, and not of a tree of plain files.
    pub(super) is_real: bool,
    /// Whether a worker reads the facts already: a huge fd table is walked by several.
    facts_taken: AtomicBool,
    /// See [`net_namespace`](Self::net_namespace) and [`devpts`](Self::devpts).
    net_namespace: OnceLock<Option<u64>>,
    devpts: OnceLock<DevptsMounts>,
}

impl ProcessDir {
    pub(super) fn open(scanner: &Scanner, pid: Pid) -> rustix::io::Result<Self> {
        let (dir, budget) = (scanner.root.process_dir(pid)?, Arc::clone(&scanner.budget));
        let (is_real, facts_taken) = (scanner.root.is_real(), AtomicBool::new(false));
        let (net_namespace, devpts) = (OnceLock::new(), OnceLock::new());
        Ok(Self { pid, dir, budget, is_real, facts_taken, net_namespace, devpts })
    }

    /// The descriptor, good for looking things up only.
    pub(super) fn dir(&self) -> Dir<'_> {
        if self.is_real { Dir::of_proc(&self.dir) } else { Dir::of_tree(&self.dir) }
    }

    /// A small file of the process; empty where it cannot be read.
    pub(super) fn text(&self, name: &str) -> Vec<u8> {
        read_small(self.dir(), name).unwrap_or_default()
    }

    /// The same of a file that the kernel makes record by record, so that any read may be short; empty where it is too long, too.
    pub(super) fn long_text(&self, name: &str) -> Vec<u8> {
        let text = read_up_to(self.dir(), name, LONG + 1).unwrap_or_default();
        if u64::try_from(text.len()).is_ok_and(|length| length <= LONG) { text } else { Vec::new() }
    }

    /// The number of descriptors in an fd directory, to be had even where that may not be read; none before Linux 6.2.
    pub(super) fn fd_count(&self, path: &str, scanner: &Scanner) -> Option<u64> {
        scanner.root.proc_fs.as_ref().filter(|proc_fs| proc_fs.dir_size_is_count)?;
        u64::try_from(rustix::fs::statat(&self.dir, path, AtFlags::empty()).ok()?.st_size).ok()
    }

    /// A gap at this process, with its name and user.
    pub(super) fn gap(&self, scanner: &Scanner, what: UnreadablePart, errno: Errno, may_hold: PossibleEnds) -> Gap {
        let command = self.command().into();
        let uid = if scanner.options.detail >= Detail::All { parse::status(&self.text("status")).uid } else { None };
        Gap { command, uid, ..gap(self.pid, what, errno, may_hold) }
    }

    /// Reads the facts into the result, once for a process. Its `stat` may have been read before.
    pub(super) fn facts(
        &self,
        tid: Option<Tid>,
        stat: Option<Stat>,
        context: &Context<'_>,
        result: &mut ProcessResult,
    ) {
        if self.facts_taken.swap(true, Ordering::Relaxed) {
            return;
        }
        let scanner = context.scanner;
        if let Some(process) = stat.as_ref().and_then(|stat| known_facts(scanner, self.pid, stat)) {
            result.process = Some(process);
            return;
        }
        let timed_out = context.timed_out.contains(ScanStep::Facts);
        context.heartbeat.enter(ScanStep::Facts);
        result.process = Some(if timed_out || scanner.options.detail == Detail::Command {
            Process { command: self.command().into(), ..Process::unknown(self.pid) }
        } else {
            self.all_facts(scanner, tid, stat, result)
        });
        if timed_out {
            let nothing = PossibleEnds::NOTHING;
            result.gaps.push(self.gap(scanner, UnreadablePart::Cmdline, Errno::TIMEDOUT, nothing));
        }
    }

    /// Lets the facts be read again, after an attempt that hung.
    pub(super) fn release_facts(&self) {
        self.facts_taken.store(false, Ordering::Relaxed);
    }

    fn all_facts(
        &self,
        scanner: &Scanner,
        tid: Option<Tid>,
        stat: Option<Stat>,
        result: &mut ProcessResult,
    ) -> Process {
        let stat = stat.unwrap_or_else(|| parse::stat(&self.text("stat")));
        // Before its user: what has a user was still there, and in no container if none was named.
        let text = self.text("cgroup");
        let group = parse::cgroup(&text);
        // The costliest of these files is not read where the kernel's list has what is wanted of it.
        let listed = stat.start_time.and_then(|started| scanner.recorded.get()?.user(self.pid, started));
        let (uid, ns_pid) = match listed.filter(|_| !text.is_empty()) {
            Some(uid) => (Some(uid), None),
            None => {
                let status = parse::status(&self.text("status"));
                (status.uid, status.ns_pid())
            }
        };
        // If the leader has exited, only its live threads have it.
        let path = tid.map_or_else(|| "cmdline".to_owned(), |tid| format!("task/{tid}/cmdline"));
        let cmdline = read_piece(self.dir(), path, CMDLINE + 1);
        let cmdline = cmdline.and_then(|text| scanner.command_lines.intern(text, &self.budget).ok_or(Errno::NOMEM));
        if let Err(errno) = cmdline
            && !scanner.root.is_vanished(errno)
        {
            result.gaps.push(self.gap(scanner, UnreadablePart::Cmdline, errno, PossibleEnds::NOTHING));
        }
        let is_dead = matches!(stat.state, Some('Z' | 'X'));
        let process = Process {
            ppid: stat.ppid,
            pgid: stat.pgid,
            sid: stat.sid,
            uid,
            command: if stat.command.is_empty() { self.command() } else { stat.command }.into(),
            cmdline: cmdline.ok(),
            state: stat.state,
            started_at: stat.start_time.and_then(|ticks| started_at(scanner.booted_at?, ticks)).map(Into::into),
            ns_pid,
            container: group.container,
            unit: group.unit,
            ..Process::unknown(self.pid)
        };
        if !scanner.is_audit() {
            return process;
        }
        Process {
            fd_limit: parse::fd_limit(&self.text("limits")),
            // If the first thread has exited, its directory no longer has the fd table, and says 0.
            fds: if is_dead { None } else { self.fd_count("fd", scanner) },
            pid_namespace: self.pid_namespace(),
            ..process
        }
    }

    /// The inode of its PID namespace.
    fn pid_namespace(&self) -> Option<u64> {
        parse::namespace(&read_link(self.dir(), "ns/pid").ok()?)
    }

    /// The inode of its network namespace; none where that may not be read.
    pub(super) fn net_namespace(&self) -> Option<u64> {
        *self.net_namespace.get_or_init(|| parse::namespace(&read_link(self.dir(), "ns/net").ok()?))
    }

    /// The instances of devpts in its mount namespace.
    pub(super) fn devpts(&self) -> &DevptsMounts {
        self.devpts.get_or_init(|| mounts::devpts(&self.long_text("mountinfo")))
    }

    /// Its command; empty where that cannot be read.
    pub(super) fn command(&self) -> Vec<u8> {
        let comm = self.text("comm");
        if comm.is_empty() { parse::stat(&self.text("stat")).command } else { parse::line(&comm).to_vec() }
    }
}

/// The command lines of a scan. Forked processes have the same: it is kept once.
#[derive(Default)]
pub(super) struct CommandLines(Mutex<HashSet<Arc<[u8]>>>);

impl CommandLines {
    /// Keeps the beginning of a command line; none where there is no room for it.
    fn intern(&self, mut text: Vec<u8>, budget: &Budget) -> Option<CommandLine> {
        let cut = text.len() > CMDLINE;
        if cut {
            text.truncate(CMDLINE);
            // Not within a character.
            let rest = text.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
            text.truncate(text.len() - rest);
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(&text[..]).cloned() {
            return Some(CommandLine { text, cut });
        }
        let text: Arc<[u8]> = budget.charge(text.len() + COMMAND_LINE).then(|| text.into())?;
        known.insert(Arc::clone(&text));
        Some(CommandLine { text, cut })
    }
}

/// What an earlier scan read of the same process, where it has not run since.
fn known_facts(scanner: &Scanner, pid: Pid, stat: &Stat) -> Option<Process> {
    let known = scanner.options.known.get(&pid)?;
    let started = stat.start_time.and_then(|ticks| started_at(scanner.booted_at?, ticks)).map(Into::into);
    let is_same = known.started_at == started && known.command.as_slice() == stat.command;
    // Its parent may have ended meanwhile, and it may have been stopped.
    let Stat { ppid, pgid, sid, state, .. } = *stat;
    is_same.then(|| Process { ppid, pgid, sid, state, ..known.clone() })
}

/// When a process was started, from the clock ticks after boot.
fn started_at(booted_at: Timestamp, ticks: u64) -> Option<Timestamp> {
    let millis = ticks.checked_mul(1000)? / procfs::ticks_per_second().max(1);
    booted_at.checked_add(SignedDuration::from_millis(i64::try_from(millis).ok()?)).ok()
}

/// Whether the kernel refused to answer, as opposed to having no answer.
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::ACCESS | Errno::PERM)
}

/// A gap at a process of which nothing else is known; see [`ProcessDir::gap`].
pub(super) fn gap(pid: Pid, what: UnreadablePart, errno: Errno, may_hold: PossibleEnds) -> Gap {
    let (error, command) = (errno_name(errno), CommandName::default());
    Gap { pid, tid: None, command, uid: None, what, error, fds: None, mount: None, may_hold }
}

/// A gap at a process of whose threads not all is kept, for want of room. It hides no end.
pub(crate) fn threads_not_kept(pid: Pid, command: CommandName) -> Gap {
    Gap { command, ..gap(pid, UnreadablePart::Tasks, Errno::NOMEM, PossibleEnds::NOTHING) }
}

/// The name of an errno, as in errno(3).
fn errno_name(errno: Errno) -> String {
    let number = errno.raw_os_error();
    syscalls::Errno::new(number).name().map_or_else(|| format!("errno {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CostLimits;

    #[test]
    fn equal_command_lines_are_kept_once_and_long_ones_are_cut() {
        let lines = CommandLines::default();
        let budget = Budget::new(CostLimits { bytes: 4 * (CMDLINE + COMMAND_LINE) as u64, ..CostLimits::default() });
        let intern = |text| lines.intern(text, &budget);
        let [one, other] = [0, 1].map(|_| intern(vec![b'x'; CMDLINE + 1]).unwrap());
        assert!(Arc::ptr_eq(&one.text, &other.text));
        assert_eq!((one.text.len(), one.cut), (CMDLINE, true));
        let whole = intern(vec![b'x'; CMDLINE]).unwrap();
        assert_eq!((whole.text.len(), whole.cut), (CMDLINE, false));
        // A character is not cut in two, whatever its length; what is no character stays.
        for character in ["é", "€", "🦀"] {
            let text = format!("{}{character}", "x".repeat(CMDLINE - 1));
            assert_eq!(intern(text.into_bytes()).unwrap().text.len(), CMDLINE - 1, "{character}");
        }
        let text = [&[0xff][..], &[b'x'; CMDLINE]].concat();
        assert_eq!(intern(text).unwrap().text.len(), CMDLINE);
        // What is known takes no room.
        let more: Vec<bool> = [b'a', b'b', b'c', b'x'].map(|byte| intern(vec![byte; CMDLINE]).is_some()).into();
        assert_eq!(more, [true, false, false, true]);
    }

    #[test]
    fn errnos_have_the_names_of_the_manual() {
        assert_eq!([Errno::ACCESS, Errno::TIMEDOUT].map(errno_name), ["EACCES", "ETIMEDOUT"]);
        assert_eq!([Errno::AGAIN, Errno::OPNOTSUPP].map(errno_name), ["EAGAIN", "EOPNOTSUPP"]);
        assert_eq!(errno_name(Errno::from_raw_os_error(4000)), "errno 4000");
    }
}
