//! What the threads wait for, and which processes could end each wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Groups;
use super::processes::Processes;
use super::side::{self, SideState};
use crate::model::{
    AccessMode, AlternativeWake, Attribution, Children, Endpoint, EventId, Fd, FileLock, LockHolders, Operation, Pid,
    PipeGraph, PipeId, PipeWait, SharedLock, Side, Task, TaskId, TaskState, ThreadGroup, Tid, Wait, WaitTarget, Waker,
    Wakers,
};

/// Maximum number of pipes of which a thread may wait for one: more are too many to list for each thread.
const MOST_CANDIDATES: usize = 16;

/// The signal that says that a child has exited, by its bit in `SigCgt`.
pub(crate) const SIGCHLD: u64 = 1 << 16;

/// What could end each wait, found once for all waits that have it in common.
pub(crate) struct WakerSets<'a> {
    graph: &'a PipeGraph,
    processes: &'a Processes<'a>,
    known: RefCell<BTreeMap<WakersOf, Wakers>>,
}

/// Whose wakers: waits for which these are equal have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WakersOf {
    /// A pipe, by how the thread uses it; none of a pipe that is not known or is being opened.
    Pipe(Option<(PipeId, AccessMode)>),
    /// A parent, and one child where it waits for that.
    Children(Pid, Option<Pid>),
    /// A process whose threads wait for each other.
    Threads(Pid),
    /// Processes that map the same file.
    Lock(SharedLock),
    /// Processes that have the same eventfd.
    Event(EventId),
    /// Processes that hold a lock on a file; none where that is not known.
    FileLock(Option<FileLock>),
}

impl WakersOf {
    /// Of a wait of a process.
    pub(crate) fn wait(pid: Pid, target: &WaitTarget) -> Self {
        match target {
            WaitTarget::Pipe(wait) => {
                let pipe = wait.pipe.filter(|_| wait.operation != Operation::Open);
                Self::Pipe(pipe.map(|pipe| (pipe, wait.access)))
            }
            WaitTarget::Children(Children::All) => Self::Children(pid, None),
            WaitTarget::Children(Children::One(child)) => Self::Children(pid, Some(*child)),
            WaitTarget::Threads => Self::Threads(pid),
            WaitTarget::Lock(lock) => Self::Lock(*lock),
            WaitTarget::Event(id) => Self::Event(*id),
            WaitTarget::FileLock(wait) => Self::FileLock(wait.lock),
        }
    }
}

impl<'a> WakerSets<'a> {
    pub(crate) const fn new(graph: &'a PipeGraph, processes: &'a Processes<'a>) -> Self {
        Self { graph, processes, known: RefCell::new(BTreeMap::new()) }
    }

    /// Whether all of a set are known: a child whose threads could not be looked at may exit at any time.
    pub(crate) fn are_known(&self, of: WakersOf) -> bool {
        match of {
            WakersOf::Children(parent, child) => {
                let children = child.map_or(Children::All, Children::One);
                self.processes.knows_awaited_children(children, parent)
            }
            WakersOf::Pipe(_) | WakersOf::Threads(_) => true,
            WakersOf::Lock(lock) => self.graph.waited.locks.contains_key(&lock),
            WakersOf::Event(id) => self.graph.waited.events.contains_key(&id),
            WakersOf::FileLock(lock) => self.lock_holders(lock).is_some_and(|holders| holders.are_all),
        }
    }

    /// The ends on the other side of a pipe in their order, or the processes.
    pub(crate) fn of(&self, key: WakersOf) -> Wakers {
        let find = || match key {
            WakersOf::Pipe(None) => Wakers::default(),
            WakersOf::Pipe(Some((pipe, access))) => {
                let ends = self.graph.pipe(pipe).map_or(&[][..], |pipe| &pipe.ends);
                let awaited = |end: &&Endpoint| {
                    Side::BOTH.iter().any(|side| end.access.is_on(*side) && access.is_on(side.other()))
                };
                ends.iter().filter(awaited).map(Waker::from).collect()
            }
            WakersOf::Children(pid, child) => {
                let children = child.map_or(Children::All, Children::One);
                self.processes.awaited_children(children, pid).map(Waker::process).collect()
            }
            WakersOf::Threads(pid) => std::iter::once(Waker::process(pid)).collect(),
            WakersOf::Lock(lock) => self.processes_of(self.graph.waited.locks.get(&lock)),
            WakersOf::Event(id) => self.processes_of(self.graph.waited.events.get(&id)),
            WakersOf::FileLock(lock) => self.lock_holders(lock).into_iter().flat_map(|it| &it.seen).copied().collect(),
        };
        self.known.borrow_mut().entry(key).or_insert_with(find).clone()
    }

    fn lock_holders(&self, lock: Option<FileLock>) -> Option<&'a LockHolders> {
        self.graph.waited.file_locks.get(&lock?)
    }

    fn processes_of(&self, pids: Option<&BTreeSet<Pid>>) -> Wakers {
        pids.into_iter().flatten().copied().map(Waker::process).collect()
    }

    /// What could end a wait of a process.
    pub(crate) fn of_wait(&self, pid: Pid, target: &WaitTarget) -> Wakers {
        self.of(WakersOf::wait(pid, target))
    }
}

/// The wakers of waits as sets of numbers of processes, each set once: for [`stuck`](super::stuck).
pub(crate) struct NumberedSets<'a> {
    wakers: &'a WakerSets<'a>,
    number_of: &'a BTreeMap<Pid, usize>,
    known: BTreeMap<WakersOf, Option<usize>>,
    /// The sets, by number; each ascending.
    pub(crate) members: Vec<Vec<usize>>,
}

impl<'a> NumberedSets<'a> {
    pub(crate) const fn new(wakers: &'a WakerSets<'a>, number_of: &'a BTreeMap<Pid, usize>) -> Self {
        Self { wakers, number_of, known: BTreeMap::new(), members: Vec::new() }
    }

    /// The number of a set; none if one of its processes has no number, or not all of them are known.
    pub(crate) fn set(&mut self, key: WakersOf) -> Option<usize> {
        if let Some(set) = self.known.get(&key) {
            return *set;
        }
        let wakers = self.wakers.of(key);
        let members: Option<BTreeSet<usize>> =
            wakers.iter().map(|waker| self.number_of.get(&waker.pid).copied()).collect();
        let set = members.filter(|_| self.wakers.are_known(key)).map(|members| {
            self.members.push(members.into_iter().collect());
            self.members.len() - 1
        });
        self.known.insert(key, set);
        set
    }

    /// Whether a process is in a set.
    pub(crate) fn has(&self, set: usize, pid: Pid) -> bool {
        self.number_of.get(&pid).is_some_and(|number| self.members[set].binary_search(number).is_ok())
    }
}

/// Every wait for a pipe or a child, ordered by process, thread and descriptor.
pub(crate) fn waits(graph: &PipeGraph, groups: &Groups, wakers: &WakerSets<'_>) -> Vec<Wait> {
    let tables = Tables::of(graph, groups);
    let mut waits = Vec::new();
    for task in groups.values().flat_map(|group| &group.tasks) {
        for target in task.doing.causes() {
            match target {
                WaitTarget::Pipe(wait) if is_guess(target) => waits.extend(guesses(wakers, task, wait, &tables)),
                WaitTarget::Threads => {}
                _ => waits.push(seen(task, target, wakers.of_wait(task.id.pid, target))),
            }
        }
    }
    // Several that come from one place in the kernel are in the order of their pipes.
    waits.sort_by_key(|wait| (wait.task, wait.fd()));
    waits
}

fn seen(task: &Task, target: &WaitTarget, wakers: Wakers) -> Wait {
    let besides = if let TaskState::Waits { besides, .. } = task.doing { besides } else { None };
    Wait { task: task.id, target: target.clone(), wakers, besides, certainty: Attribution::Seen, idle: task.idle }
}

/// The threads that wait for each pipe that could be identified, by process and thread.
pub(crate) type ByPipe<'a> = BTreeMap<PipeId, Vec<(&'a Task, &'a PipeWait)>>;

pub(crate) fn by_pipe(groups: &Groups) -> ByPipe<'_> {
    let mut waiting = ByPipe::new();
    for task in groups.values().flat_map(|group| &group.tasks) {
        for wait in task.doing.pipe_waits() {
            if let Some(pipe) = wait.pipe {
                waiting.entry(pipe).or_default().push((task, wait));
            }
        }
    }
    waiting
}

/// The children whose exit wakes a process by SIGCHLD, whatever it waits for: make(1) waits for a token and for a child at once.
pub(crate) fn sigchld_children(group: &ThreadGroup) -> Option<WakersOf> {
    (group.catches & SIGCHLD != 0).then_some(WakersOf::Children(group.pid, None))
}

/// The sides with an end that no fd table shows, each with the threads that would not be blocked without it: with no process on the other
/// side read(2) would have returned EOF, and write(2) failed with EPIPE (`anon_pipe_read` and `anon_pipe_write` in fs/pipe.c). No thread
/// where only the kernel said so. Not of sockets and terminals, whose other side any process may hold.
pub(crate) fn hidden_ends(graph: &PipeGraph, waits: &[Wait]) -> BTreeMap<(PipeId, Side), Vec<TaskId>> {
    let mut hidden: BTreeMap<(PipeId, Side), Vec<TaskId>> = BTreeMap::new();
    for wait in waits.iter().filter(|wait| wait.certainty == Attribution::Seen && wait.wakers.is_empty()) {
        let WaitTarget::Pipe(PipeWait {
            operation: Operation::Read | Operation::Write, pipe: Some(pipe), access, ..
        }) = wait.target
        else {
            continue;
        };
        // A thread that waits for the lock has not seen the other side yet.
        if pipe.kind().is_pipe() && wait.besides != Some(AlternativeWake::Lock) {
            let side = if access.is_on(Side::Read) { Side::Write } else { Side::Read };
            hidden.entry((pipe, side)).or_default().push(wait.task);
        }
    }
    for pipe in &graph.pipes {
        for side in Side::BOTH {
            if side::state(graph, pipe, side) == SideState::Hidden {
                hidden.entry((pipe.id, side)).or_default();
            }
        }
    }
    hidden
}

/// Whether only the place in the kernel is known.
fn is_guess(target: &WaitTarget) -> bool {
    matches!(target, WaitTarget::Pipe(wait) if wait.pipe.is_none() && wait.operation != Operation::Open)
}

/// The ends in the fd tables of processes with a thread of which only the place in the kernel is known: by process, thread if it has a table
/// of its own, and how the thread may use them; ordered by pipe.
struct Tables<'a>(BTreeMap<(Pid, Option<Tid>, AccessMode), Vec<EndOf<'a>>>);

/// An end and its pipe.
type EndOf<'a> = (PipeId, &'a Endpoint);

impl<'a> Tables<'a> {
    fn of(graph: &'a PipeGraph, groups: &Groups) -> Self {
        let has_guess = |group: &&ThreadGroup| group.tasks.iter().any(|task| task.doing.causes().iter().any(is_guess));
        let pids: BTreeSet<Pid> = groups.values().filter(has_guess).map(|group| group.pid).collect();
        let mut tables: BTreeMap<_, Vec<_>> = BTreeMap::new();
        // A thread that sleeps in a pipe waits for no socket and no terminal.
        for pipe in graph.pipes.iter().filter(|pipe| !pids.is_empty() && pipe.id.kind().is_pipe()) {
            for end in pipe.ends.iter().filter(|end| pids.contains(&end.pid)) {
                let fits = |access: &&AccessMode| end.access == **access || end.access == AccessMode::ReadWrite;
                for access in AccessMode::ALL.iter().filter(fits) {
                    tables.entry((end.pid, end.tid, *access)).or_default().push((pipe.id, end));
                }
            }
        }
        Self(tables)
    }

    /// The ends that a thread may use so. The table of another thread is not the one that it uses.
    fn fitting(&self, task: TaskId, access: AccessMode) -> impl Iterator<Item = &(PipeId, &'a Endpoint)> {
        [None, Some(task.tid)].into_iter().filter_map(move |tid| self.0.get(&(task.pid, tid, access))).flatten()
    }
}

/// Where only the place in the kernel is known: a wait for each of the pipes that it could be for; of very many, one for none of them, since
/// every thread of the process may be such.
fn guesses(sets: &WakerSets<'_>, task: &Task, wait: &PipeWait, tables: &Tables<'_>) -> Vec<Wait> {
    let mut fds: BTreeMap<PipeId, Option<Fd>> = BTreeMap::new();
    for (pipe, end) in tables.fitting(task.id, wait.access) {
        fds.entry(*pipe).and_modify(|fd| *fd = None).or_insert(Some(end.fd));
        if fds.len() > MOST_CANDIDATES {
            let target = WaitTarget::Pipe(wait.clone());
            return vec![Wait { certainty: Attribution::Candidate, ..seen(task, &target, Wakers::default()) }];
        }
    }
    let certainty = if fds.len() == 1 { Attribution::Inferred } else { Attribution::Candidate };
    let guess = |(pipe, fd)| {
        let target = WaitTarget::Pipe(PipeWait { pipe: Some(pipe), fd, ..wait.clone() });
        Wait { certainty, ..seen(task, &target, sets.of_wait(task.id.pid, &target)) }
    };
    fds.into_iter().map(guess).collect()
}
