//! What a thread is doing, in words: at a pipe, a socket or a terminal, or elsewhere.

use std::collections::BTreeSet;

use super::amounts::idle;
use super::{Phrases, in_parentheses, list, to_do_what};
use crate::escape::{quote_name, quote_target};
use crate::model::{
    AccessMode, AlternativeWake, Children, FileLockWait, Operation, OtherFile, Pid, PipeId, PipeKind, PipeWait,
    PtyFlow, Side, Sleep, SleepOn, Task, TaskState, WaitTarget, Waker,
};

/// Maximum number of ends, and of threads, among which a blocked writer is looked for: the same pipe may be in each finding.
const MOST_LOOKED_AT: usize = 1024;

impl Phrases<'_> {
    /// What a thread is doing: `is running`.
    pub(crate) fn doing(&self, task: &Task) -> String {
        match (&task.doing, &task.woke) {
            (TaskState::Runs, Some(blocked)) => format!("{}, and wakes now and then", self.in_state(task, blocked)),
            (doing, _) => self.in_state(task, doing),
        }
    }

    fn in_state(&self, task: &Task, doing: &TaskState) -> String {
        match doing {
            TaskState::Runs => "is running".to_owned(),
            TaskState::Waits { causes, besides } => self.waiting(task, causes, *besides) + &idle(task.idle),
            TaskState::Stopped => {
                format!("is stopped by a signal; {} resumes it", self.resume(task.id.pid))
            }
            TaskState::Traced => match self.groups.get(&task.id.pid).and_then(|group| group.tracer) {
                Some(tracer) => format!("is stopped by its tracer, {}", self.process(tracer, None)),
                None => "is stopped by its tracer".to_owned(),
            },
            TaskState::Frozen => "is frozen by its cgroup".to_owned(),
            TaskState::Exits => "is blocked while exiting".to_owned(),
            TaskState::Sleeps { sleep } => self.sleeping(task, sleep),
            TaskState::Unknown => "is in a state that could not be read".to_owned(),
        }
    }

    /// What a thread does at a pipe: `is blocked reading pipe:[18913] (fd 0), which is empty`.
    pub(in crate::findings) fn at_pipe(&self, wait: &PipeWait) -> String {
        let pipe = self.awaited_pipe(wait);
        match (wait.operation, wait.pipe.map(PipeId::kind), wait.access) {
            (Operation::Read, Some(PipeKind::Pty), _) if !wait.pipe.is_some_and(|id| is_master(id, wait.access)) => {
                format!("is waiting for input from {pipe}")
            }
            (Operation::Read, ..) => format!("is blocked reading {pipe}, which is empty"),
            (Operation::Write, ..) => format!("is blocked writing to {pipe}, which is full{}", self.filling(wait.pipe)),
            (Operation::Poll, _, AccessMode::Read) if wait.pipe.is_some_and(|pipe| self.is_full(pipe)) => {
                format!("polls {pipe}, but does not read it")
            }
            (Operation::Poll, Some(PipeKind::Pty), AccessMode::Read) => format!("polls {pipe} for input"),
            (Operation::Poll, _, AccessMode::Read) => format!("polls {pipe} for data or EOF"),
            (Operation::Poll, _, AccessMode::Write) => format!("polls {pipe} for room to write"),
            (Operation::Poll, _, AccessMode::ReadWrite) => format!("polls {pipe}"),
            (Operation::Hangup, ..) => format!("polls {pipe} for a hang-up only"),
            (Operation::Open, ..) => {
                let path = wait.path.as_deref().map_or_else(|| "a FIFO".to_owned(), quote_name);
                format!("is blocked in open(2) of {path}{}", to_do_what(wait.access))
            }
        }
    }

    /// `pipe:[18913] (fd 0)`, `unix:[18914] (fd 0, a socket)` or `its terminal /dev/pts/3 (fd 0)`.
    fn awaited_pipe(&self, wait: &PipeWait) -> String {
        let Some(id) = wait.pipe else {
            return format!("a pipe that could not be identified{}", in_parentheses(wait.fd));
        };
        let (name, fd) = (self.pipe(id), in_parentheses(wait.fd));
        match id.kind() {
            PipeKind::Anonymous | PipeKind::Fifo => format!("{name}{fd}"),
            PipeKind::Unix => match wait.fd {
                Some(fd) => format!("{name} (fd {fd}, a socket)"),
                None => format!("{name} (a socket)"),
            },
            PipeKind::Pty if !is_master(id, wait.access) => format!("its terminal {name}{fd}"),
            PipeKind::Pty => match wait.fd {
                Some(fd) => format!("the terminal {name} (fd {fd}, its master)"),
                None => format!("the terminal {name} (its master)"),
            },
        }
    }

    /// How full a pipe is, if the kernel was asked.
    fn filling(&self, pipe: Option<PipeId>) -> String {
        let probed = pipe.map(|pipe| self.graph.probed(pipe)).unwrap_or_default();
        match (probed.queued, probed.capacity) {
            (Some(queued), Some(capacity)) => format!(" ({queued} of {capacity} bytes)"),
            _ => String::new(),
        }
    }

    /// Whether a thread is blocked writing to it: then a poll of its read end does not wait for data.
    fn is_full(&self, pipe: PipeId) -> bool {
        let ends = self.graph.pipe(pipe).into_iter().flat_map(|pipe| pipe.side(Side::Write));
        let groups = ends.take(MOST_LOOKED_AT).filter_map(|end| self.groups.get(&end.pid));
        let mut tasks = groups.flat_map(|group| &group.tasks).take(MOST_LOOKED_AT);
        tasks.any(|task| {
            let mut waits = task.doing.pipe_waits();
            waits.any(|wait| wait.pipe == Some(pipe) && wait.operation == Operation::Write)
        })
    }

    /// What a thread waits for, with what else the same call is for.
    fn waiting(&self, task: &Task, causes: &[WaitTarget], besides: Option<AlternativeWake>) -> String {
        // One call polls them all, and there may be very many.
        let polls = |cause: &WaitTarget| {
            matches!(
                cause,
                WaitTarget::Pipe(PipeWait { operation: Operation::Poll | Operation::Hangup, .. })
                    | WaitTarget::Event(_)
            )
        };
        let what = match causes {
            [WaitTarget::Pipe(wait), ..] if besides == Some(AlternativeWake::Lock) => {
                let pipe = self.awaited_pipe(wait);
                return format!(
                    "is waiting for the lock of {pipe}, which is held by a system call that does not return"
                );
            }
            [first, _, ..] if polls(first) => format!("polls {}", list(causes, |cause| self.polled(cause))),
            [WaitTarget::Pipe(wait), ..] => self.at_pipe(wait),
            [WaitTarget::Children(Children::One(child)), ..] => {
                format!("is waiting for its child {} to exit", self.process(*child, None))
            }
            [WaitTarget::Children(Children::All), ..] => "is waiting for a child to exit".to_owned(),
            [WaitTarget::Threads, ..] => self.for_threads(task.id.pid).to_owned(),
            [target @ WaitTarget::Lock(_), ..] => self.for_lock(task.id.pid, target),
            [target @ WaitTarget::Event(_), ..] => self.for_event(task.id.pid, target),
            [WaitTarget::FileLock(wait), ..] => self.for_file_lock(wait, None),
            [] => "is waiting".to_owned(),
        };
        let others = match besides {
            Some(AlternativeWake::Files) if task.others.is_empty() => ", and other files".to_owned(),
            _ if task.others.is_empty() => String::new(),
            _ => format!(", and {}", self.files(&task.others)),
        };
        let timeout = if besides == Some(AlternativeWake::Timeout) { ", with a timeout" } else { "" };
        what + &others + timeout
    }

    /// One of several that a call polls.
    fn polled(&self, cause: &WaitTarget) -> String {
        match cause {
            WaitTarget::Pipe(wait) => self.awaited_pipe(wait),
            WaitTarget::Children(Children::One(child)) => format!("its child {}", self.process(*child, None)),
            WaitTarget::Children(Children::All) => "a child".to_owned(),
            WaitTarget::Threads => "a thread of its own".to_owned(),
            WaitTarget::Lock(_) => "a lock (futex)".to_owned(),
            WaitTarget::Event(_) => "an eventfd".to_owned(),
            WaitTarget::FileLock(_) => "a lock on a file".to_owned(),
        }
    }

    /// Whether a process has one thread.
    pub(in crate::findings) fn is_alone(&self, pid: Pid) -> bool {
        self.groups.get(&pid).is_some_and(|group| group.tasks.len() == 1)
    }

    /// What a thread does that waits for a private futex.
    pub(in crate::findings) fn for_threads(&self, pid: Pid) -> &'static str {
        if self.is_alone(pid) {
            return "is waiting for a lock (futex) that no other thread is left to release: it was forked from a process with threads, or \
                    those threads have exited";
        }
        "is waiting for other threads of its own process"
    }

    /// What a thread does that waits for a futex in memory that processes share.
    fn for_lock(&self, pid: Pid, target: &WaitTarget) -> String {
        let WaitTarget::Lock(lock) = target else { return String::new() };
        let lock = match self.graph.waited.locks.get(lock) {
            Some(pids) if pids.iter().any(|other| *other != pid) => {
                format!("that it shares with {}", self.processes(pids.iter().copied().filter(|other| *other != pid)))
            }
            Some(_) => "in shared memory that no other process maps".to_owned(),
            None => "in shared memory".to_owned(),
        };
        format!("is waiting for a lock (futex) {lock}")
    }

    fn for_event(&self, pid: Pid, target: &WaitTarget) -> String {
        let WaitTarget::Event(id) = target else { return String::new() };
        let holders = match self.graph.waited.events.get(id) {
            Some(pids) if pids.iter().any(|other| *other != pid) => {
                let others = pids.iter().copied().filter(|other| *other != pid);
                format!(", which it shares with {}", self.processes(others))
            }
            Some(_) => " that no other process holds".to_owned(),
            None => String::new(),
        };
        format!("is waiting for an eventfd{holders}")
    }

    /// What a thread does that waits for a lock on a file; with one of its holders, or all.
    pub(in crate::findings) fn for_file_lock(&self, wait: &FileLockWait, holder: Option<Waker>) -> String {
        let file = wait.path.as_deref().map_or_else(|| "a file".to_owned(), quote_target);
        let held = match holder {
            Some(holder) => Some(holder).into_iter().collect(),
            None => self.lock_holders(wait).unwrap_or_default(),
        };
        let pids: BTreeSet<Pid> = held.iter().map(|holder| holder.pid).collect();
        let holders = match held.first() {
            None => String::new(),
            Some(one) if held.len() == 1 => {
                format!(", which {} holds{}", self.process(one.pid, one.tid), in_parentheses(one.fd))
            }
            Some(one) if pids.len() == 1 => format!(", which {} holds", self.process(one.pid, one.tid)),
            Some(_) => format!(", which {} hold", self.processes(pids)),
        };
        format!("is waiting for a lock on {file}{}{holders}", in_parentheses(wait.fd))
    }

    fn lock_holders(&self, wait: &FileLockWait) -> Option<BTreeSet<Waker>> {
        self.graph.waited.file_locks.get(&wait.lock?).map(|holders| holders.seen.clone())
    }

    fn sleeping(&self, task: &Task, sleep: &Sleep) -> String {
        let target = match (&sleep.target, sleep.fd) {
            (Some(target), Some(fd)) => format!(" ({}, fd {fd})", quote_target(target)),
            _ => String::new(),
        };
        match sleep.on {
            SleepOn::Timer => "is sleeping (nanosleep or a timer)".to_owned(),
            SleepOn::Signal => "is waiting for a signal".to_owned(),
            SleepOn::Files if task.others.is_empty() => "polls other files".to_owned(),
            SleepOn::Files => match self.listening(&task.others) {
                Some(sockets) => format!("listens on {sockets}"),
                None => format!("polls {}", self.files(&task.others)),
            },
            SleepOn::SomeFiles => "polls files that could not be identified".to_owned(),
            SleepOn::Futex if self.is_alone(task.id.pid) => "is waiting for a lock or a timeout (futex)".to_owned(),
            SleepOn::Futex => "is waiting for a thread or a timeout (futex)".to_owned(),
            SleepOn::IoUring => "is waiting for an io_uring completion".to_owned(),
            SleepOn::Terminal => match (sleep.fd, &sleep.target) {
                (Some(fd), target @ Some(_)) => {
                    format!("is waiting for its terminal {}", self.file(fd, target.as_ref()))
                }
                _ => "is waiting for its terminal".to_owned(),
            },
            SleepOn::Socket => match (sleep.fd, &sleep.target) {
                (Some(fd), target @ Some(_)) => {
                    let socket = [OtherFile { fd, target: target.clone() }];
                    match self.listening(&socket) {
                        Some(socket) => format!("listens on {socket}"),
                        None => format!("is waiting for {}", self.files(&socket)),
                    }
                }
                _ => "is waiting for a socket".to_owned(),
            },
            SleepOn::FileInPipe { pipe } => format!(
                "is blocked in a file system ({}) during a call on {}{}, and holds the lock of the pipe",
                quote_name(sleep.place.as_bytes()),
                self.pipe(pipe),
                in_parentheses(sleep.fd),
            ),
            SleepOn::Other if sleep.place.is_empty() || sleep.place == "0" => format!("is blocked{target}"),
            SleepOn::Other => format!("is blocked in {}{target}", quote_name(sleep.place.as_bytes())),
        }
    }
}

/// Whether an end that is open so, or that a thread uses so, is the master of a pseudoterminal.
pub(super) fn is_master(pipe: PipeId, access: AccessMode) -> bool {
    matches!(
        (pipe.flow(), access),
        (Some(PtyFlow::Input), AccessMode::Write) | (Some(PtyFlow::Output), AccessMode::Read)
    )
}
