//! Phrases for all findings: processes, pipes, users, and what a thread is doing.

mod amounts;
mod doubts;

use std::collections::BTreeSet;

pub(crate) use self::amounts::{MOST_LINES, age, thousands};
pub(super) use self::amounts::{first_lines, idle, lines, list, verb};
use super::{Evidence, Role};
use crate::escape::{quote_name, quote_target};
use crate::judge::Groups;
use crate::judge::processes::Processes;
use crate::model::Users;
use crate::model::words::Either;
use crate::model::{
    AccessMode, AlternativeWake, Children, CommandName, Endpoint, Fd, Operation, Pid, PipeGraph, PipeId, PipeWait,
    Sleep, SleepOn, Task, TaskId, TaskState, Tid, Time, Uid, WaitTarget,
};

/// Maximum number of threads among which one that is awake is looked for: the same process may be in each finding.
const MOST_LOOKED_AT: usize = 256;

/// What names are taken from.
#[derive(Clone, Copy)]
pub(crate) struct Phrases<'a> {
    pub(crate) graph: &'a PipeGraph,
    pub(crate) groups: &'a Groups,
    pub(crate) users: &'a Users,
}

impl<'a> Phrases<'a> {
    /// `cat (PID 252)`, with the thread if it is not the first.
    pub(crate) fn process(&self, pid: Pid, tid: Option<Tid>) -> String {
        self.named(self.command(pid).unwrap_or(CommandName::EMPTY), pid, tid)
    }

    fn named(&self, command: &[u8], pid: Pid, tid: Option<Tid>) -> String {
        let name = if command.is_empty() { "process".to_owned() } else { quote_name(command) };
        match tid.filter(|tid| tid.0 != pid.0) {
            Some(tid) => format!("{name} (PID {pid}, thread {tid})"),
            None => format!("{name} (PID {pid})"),
        }
    }

    pub(crate) fn task_name(&self, task: TaskId) -> String {
        self.process(task.pid, Some(task.tid))
    }

    fn command(&self, pid: Pid) -> Option<&'a CommandName> {
        Processes::new(self.graph, self.groups).name(pid)
    }

    pub(crate) fn task(&self, id: TaskId) -> Option<&'a Task> {
        self.groups.get(&id.pid)?.task(id)
    }

    pub(super) fn tasks(&self, tasks: &[TaskId]) -> String {
        list(tasks, |task| self.task_name(*task))
    }

    pub(super) fn processes(&self, pids: impl IntoIterator<Item = Pid>) -> String {
        let pids: BTreeSet<Pid> = pids.into_iter().collect();
        list(pids, |pid| self.process(pid, None))
    }

    pub(crate) fn pipe(&self, id: PipeId) -> String {
        pipe_name(self.graph, id)
    }

    /// `root`, `nobody (user 65534)` or `user 65534`.
    pub(super) fn user(&self, user: Uid) -> String {
        match self.users.name(user) {
            _ if user == Uid(0) => "root".to_owned(),
            Some(name) => format!("{} (user {user})", quote_name(name.as_bytes())),
            None => format!("user {user}"),
        }
    }

    pub(super) fn users(&self, users: &[Uid]) -> String {
        list(users, |user| self.user(*user))
    }

    pub(super) fn user_of(&self, pid: Pid) -> Option<String> {
        Some(self.user(self.graph.processes.get(&pid)?.uid?))
    }

    /// What a thread does at a pipe: `is blocked reading pipe:[18913] (fd 0), which is empty`.
    pub(super) fn at_pipe(&self, wait: &PipeWait) -> String {
        let (pipe, fd) = self.awaited_pipe(wait);
        match wait.operation {
            Operation::Read => format!("is blocked reading {pipe}{fd}, which is empty"),
            Operation::Write => format!("is blocked writing to {pipe}{fd}, which is full{}", self.filling(wait.pipe)),
            Operation::Poll => format!("polls {pipe}{fd}{}", for_what(wait.access)),
            Operation::Open => {
                let path = wait.path.as_deref().map_or_else(|| "a FIFO".to_owned(), quote_name);
                format!("is blocked in open(2) of {path}{}", to_do_what(wait.access))
            }
        }
    }

    fn awaited_pipe(&self, wait: &PipeWait) -> (String, String) {
        let pipe = wait.pipe.map_or_else(|| "a pipe that could not be identified".to_owned(), |pipe| self.pipe(pipe));
        (pipe, in_parentheses(wait.fd))
    }

    /// How full a pipe is, if the kernel was asked.
    fn filling(&self, pipe: Option<PipeId>) -> String {
        let probed = pipe.map(|pipe| self.graph.probed(pipe)).unwrap_or_default();
        match (probed.queued, probed.capacity) {
            (Some(queued), Some(capacity)) => format!(" ({queued} of {capacity} bytes)"),
            _ => String::new(),
        }
    }

    /// What a thread is doing: `is running`.
    pub(crate) fn doing(&self, task: &Task) -> String {
        match &task.doing {
            TaskState::Runs => "is running".to_owned(),
            TaskState::Waits { causes, besides } => self.waiting(causes, *besides) + &idle(task.idle),
            TaskState::Stopped => {
                format!("is stopped by a signal; {} resumes it", self.resume(task.id.pid))
            }
            TaskState::Traced => match self.groups.get(&task.id.pid).and_then(|group| group.tracer) {
                Some(tracer) => format!("is stopped by its tracer, {}", self.process(tracer, None)),
                None => "is stopped by its tracer".to_owned(),
            },
            TaskState::Frozen => "is frozen by its cgroup".to_owned(),
            TaskState::Exits => "is blocked while exiting".to_owned(),
            TaskState::Sleeps { sleep } => self.sleeping(sleep),
            TaskState::Unknown => "is in a state that could not be read".to_owned(),
        }
    }

    /// What a process is doing: its first thread, or one that is awake.
    pub(crate) fn process_doing(&self, pid: Pid) -> String {
        let is_awake = |task: &&Task| !matches!(task.doing, TaskState::Waits { besides: None, .. });
        match self.groups.get(&pid).map_or(&[][..], |group| &group.tasks) {
            [] => "is in a state that could not be read".to_owned(),
            [task] => self.doing(task),
            tasks @ [first, ..] => {
                let task = tasks.iter().take(MOST_LOOKED_AT).find(is_awake).unwrap_or(first);
                format!("has {} threads, of which {} {}", thousands(tasks.len()), task.id.tid, self.doing(task))
            }
        }
    }

    fn waiting(&self, causes: &[WaitTarget], besides: Option<AlternativeWake>) -> String {
        // One call polls them all, and there may be very many.
        let is_one = || !matches!(causes, [WaitTarget::Pipe(PipeWait { operation: Operation::Poll, .. }), _, ..]);
        let what = match causes {
            [WaitTarget::Pipe(wait), ..] if besides == Some(AlternativeWake::Lock) => {
                let (pipe, fd) = self.awaited_pipe(wait);
                return format!(
                    "is waiting for the lock of {pipe}{fd}, which is held by a system call that does not return"
                );
            }
            [WaitTarget::Pipe(wait), ..] if is_one() => self.at_pipe(wait),
            [WaitTarget::Pipe(_), ..] => format!("polls {}", self.polled(causes)),
            [WaitTarget::Children(Children::One(child)), ..] => {
                format!("is waiting for its child {} to exit", self.process(*child, None))
            }
            [WaitTarget::Children(Children::All), ..] => "is waiting for a child to exit".to_owned(),
            [WaitTarget::Threads, ..] => "is waiting for another of its own threads".to_owned(),
            [] => "is waiting".to_owned(),
        };
        match besides {
            None | Some(AlternativeWake::Lock) => what,
            Some(AlternativeWake::Timeout) => what + ", with a timeout",
            Some(AlternativeWake::Files) => what + ", and files other than pipes",
        }
    }

    /// The pipes of one poll.
    fn polled(&self, causes: &[WaitTarget]) -> String {
        let name = |cause: &WaitTarget| match cause {
            WaitTarget::Pipe(wait) => {
                let (pipe, fd) = self.awaited_pipe(wait);
                pipe + &fd
            }
            WaitTarget::Children(_) | WaitTarget::Threads => "a child or a thread".to_owned(),
        };
        list(causes, name)
    }

    fn sleeping(&self, sleep: &Sleep) -> String {
        let target = match (&sleep.target, sleep.fd) {
            (Some(target), Some(fd)) => format!(" ({}, fd {fd})", quote_target(target)),
            _ => String::new(),
        };
        match sleep.on {
            SleepOn::Timer => "is sleeping (nanosleep or a timer)".to_owned(),
            SleepOn::Signal => "is waiting for a signal".to_owned(),
            SleepOn::Files => "polls files other than pipes".to_owned(),
            SleepOn::SomeFiles => "polls files that could not be identified".to_owned(),
            SleepOn::Futex => "is waiting for another thread".to_owned(),
            SleepOn::IoUring => "is waiting for an io_uring completion".to_owned(),
            SleepOn::Terminal => format!("is waiting for its terminal{target}"),
            SleepOn::Socket => format!("is waiting for a socket{target}"),
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

    /// `cat (PID 252) holds a write end (fd 1)`.
    pub(crate) fn holds(&self, end: &Endpoint) -> String {
        format!("{} holds {}", self.process(end.pid, end.tid), end_name(end.access, &format!("fd {}", end.fd)))
    }

    /// A line for each holder of a pipe and each process that is opening it, with `said` about it.
    pub(super) fn holders(&self, pipe: PipeId, said: impl Fn(Pid) -> Option<String>) -> Vec<Evidence> {
        let Some(pipe) = self.graph.pipe(pipe) else { return Vec::new() };
        let name = |name: String, pid: Pid| match said(pid) {
            Some(said) => format!("{name}, {said},"),
            None => name,
        };
        let held = pipe.ends.chunk_by(|one, other| one.pid == other.pid).map(Either::A);
        let all = held.chain(pipe.openers.iter().map(Either::B));
        lines(Role::Holder, all, |holder| match holder {
            Either::A(ends) => {
                let pid = ends.first().map_or(Pid(0), |end| end.pid);
                format!("{} holds {}", name(self.process(pid, None), pid), ends_held(ends))
            }
            Either::B(opener) => {
                format!("{} is blocked in open(2) of it", name(self.task_name(opener.task), opener.task.pid))
            }
        })
    }

    /// What each of some threads is doing.
    pub(super) fn waits(&self, tasks: &[TaskId]) -> Vec<Evidence> {
        let tasks = tasks.iter().filter_map(|id| self.task(*id));
        lines(Role::Waits, tasks, |task| format!("{} {}", self.task_name(task.id), self.doing(task)))
    }

    /// `; started 3 min ago`, by the instant of the scan.
    pub(super) fn started(&self, at: Option<Time>) -> String {
        let age = at.and_then(|at| self.graph.taken_at.since(at));
        age.map_or_else(String::new, |age| format!("; started {} ago", self::age(age)))
    }
}

/// `pipe:[18913]`, or the path of a FIFO.
pub(crate) fn pipe_name(graph: &PipeGraph, id: PipeId) -> String {
    let path = graph.pipe(id).and_then(|pipe| pipe.path.as_deref());
    path.map_or_else(|| id.to_string(), quote_name)
}

/// `a read end (fd 0)`.
fn end_name(access: AccessMode, fds: &str) -> String {
    match access {
        AccessMode::Read => format!("a read end ({fds})"),
        AccessMode::Write => format!("a write end ({fds})"),
        AccessMode::ReadWrite => format!("an O_RDWR end ({fds})"),
    }
}

/// `a read end (fd 0) and a write end (fd 1 and fd 2)`, of ends of one process.
pub(super) fn ends_held(ends: &[Endpoint]) -> String {
    let of_access = |access: &AccessMode| {
        let mut fds = ends.iter().filter(|end| end.access == *access).peekable();
        fds.peek()?;
        Some(end_name(*access, &list(fds, |end| format!("fd {}", end.fd))))
    };
    list(AccessMode::ALL.iter().filter_map(of_access), |held| held)
}

pub(super) fn in_parentheses(fd: Option<Fd>) -> String {
    fd.map_or_else(String::new, |fd| format!(" (fd {fd})"))
}

const fn for_what(access: AccessMode) -> &'static str {
    match access {
        AccessMode::Read => " for data or EOF",
        AccessMode::Write => " for room to write",
        AccessMode::ReadWrite => "",
    }
}

pub(super) const fn to_do_what(access: AccessMode) -> &'static str {
    match access {
        AccessMode::Read => " for reading",
        AccessMode::Write => " for writing",
        AccessMode::ReadWrite => "",
    }
}
