//! Phrases for all findings: processes, pipes, users, and what a thread is doing.

mod amounts;
mod candidates;
mod doing;
mod doubts;
mod files;
mod threads;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::amounts::{MOST_LINES, age, list, thousands};
pub(super) use self::amounts::{first_lines, idle, lines, verb};
use self::doing::is_master;
use super::{Evidence, Role};
use crate::escape::quote_name;
use crate::judge::Groups;
use crate::judge::processes::Processes;
use crate::model::Users;
use crate::model::words::Either;
use crate::model::{
    AccessMode, CommandName, Endpoint, Fd, Pid, PipeGraph, PipeId, PipeKind, Task, TaskId, Tid, Time, Uid,
};

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

    pub(crate) fn command(&self, pid: Pid) -> Option<&'a CommandName> {
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

    /// What some ends of a channel in one fd table are: `cat (PID 252) holds a write end (fd 1)`.
    pub(crate) fn holds_of(&self, pipe: PipeId, ends: &[Endpoint]) -> String {
        let process = ends.first().map_or_else(String::new, |end| self.process(end.pid, end.tid));
        let fds = || list(ends, |end| format!("fd {}", end.fd));
        match pipe.kind() {
            PipeKind::Anonymous | PipeKind::Fifo => format!("{process} holds {}", ends_held(ends)),
            PipeKind::Unix => format!("{process} holds the other socket ({})", fds()),
            PipeKind::Pty if ends.iter().any(|end| is_master(pipe, end.access)) => {
                format!("{process} holds its master ({})", fds())
            }
            PipeKind::Pty => format!("{process} has it open as a terminal ({})", fds()),
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
        let mut held: Vec<&[Endpoint]> = pipe.ends.chunk_by(|one, other| one.pid == other.pid).collect();
        let alike = self.take_alike(&mut held);
        let said_of_all = |holders: &[&[Endpoint]]| {
            let mut said = holders.iter().filter_map(|ends| ends.first()).map(|end| said(end.pid));
            let first = said.next().flatten()?;
            said.all(|other| other.as_ref() == Some(&first)).then(|| format!(", {first},"))
        };
        let many = alike.iter().map(|holders| {
            let pids = list(holders.iter().filter_map(|ends| ends.first()), |end| end.pid.to_string());
            let ends = holders.first().map_or_else(String::new, |ends| ends_held(ends));
            let first = holders.first().and_then(|ends| ends.first()).and_then(|end| self.command(end.pid));
            let name = quote_name(first.unwrap_or(CommandName::EMPTY));
            let said: String = said_of_all(holders).unwrap_or_default();
            format!("{name} ×{} (PID {pids}){said} each hold {ends}", thousands(holders.len()))
        });
        let many: Vec<Evidence> = many.map(|text| Evidence { role: Role::Holder, text }).collect();
        let all = held.into_iter().map(Either::A).chain(pipe.openers.iter().map(Either::B));
        let each = lines(Role::Holder, all, |holder| match holder {
            Either::A(ends) => {
                let pid = ends.first().map_or(Pid(0), |end| end.pid);
                format!("{} holds {}", name(self.process(pid, None), pid), ends_held(ends))
            }
            Either::B(opener) => {
                format!("{} is blocked in open(2) of it", name(self.task_name(opener.task), opener.task.pid))
            }
        });
        many.into_iter().chain(each).collect()
    }

    /// Takes out the holders of which there are many with the same command and the same ends.
    fn take_alike<'e>(&self, held: &mut Vec<&'e [Endpoint]>) -> Vec<Vec<&'e [Endpoint]>> {
        if held.len() <= MOST_LINES {
            return Vec::new();
        }
        let key = |ends: &[Endpoint]| {
            let command = ends.first().and_then(|end| self.command(end.pid)).filter(|name| !name.is_empty())?;
            Some((command, ends.iter().map(|end| (end.fd, end.access)).collect::<Vec<_>>()))
        };
        let mut groups: BTreeMap<_, Vec<&'e [Endpoint]>> = BTreeMap::new();
        for ends in held.iter().copied() {
            if let Some(key) = key(ends) {
                groups.entry(key).or_default().push(ends);
            }
        }
        groups.retain(|_, holders| holders.len() > MOST_LINES);
        held.retain(|ends| key(ends).is_none_or(|key| !groups.contains_key(&key)));
        groups.into_values().collect()
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

pub(super) const fn to_do_what(access: AccessMode) -> &'static str {
    match access {
        AccessMode::Read => " for reading",
        AccessMode::Write => " for writing",
        AccessMode::ReadWrite => "",
    }
}
