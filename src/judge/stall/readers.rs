//! What the processes that should read full channels do instead. A process may read very many, so what does not depend on which of them is
//! found out once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::{Full, Held, Instead, MOST_CAUSES, Reader, Stalls, held_by};
use crate::judge::prospect::{Prospects, answered, computes, is_long};
use crate::judge::waits::{WakersOf, sigchld_children};
use crate::model::{
    AlternativeWake, Fd, Operation, OtherFile, Pid, PipeId, PipeWait, PtyFlow, Side, SleepOn, Task, TaskState,
    ThreadGroup, WaitTarget, Waker, Wakers, link,
};

/// Bytes that a reader can take from a full pipe without waking a writer: a page (`pipe_write` in fs/pipe.c waits for a whole one).
const UNNOTICED: u64 = 4096;

/// Judges readers, with what is known of other full channels.
pub(super) struct Readers<'a> {
    of: &'a Stalls<'a>,
    prospects: &'a Prospects,
    /// The channels that are known to be read on.
    read_on: &'a BTreeSet<PipeId>,
    known: RefCell<BTreeMap<Pid, Rc<Doing<'a>>>>,
}

/// What a process does, whichever channel it should read.
struct Doing<'a> {
    held: Option<Held>,
    computes: bool,
    /// The number of threads that do each.
    threads: BTreeMap<Instead, usize>,
    /// The threads that wait for a pipe, and what they do: if that is the pipe to be read, they may do something else besides.
    at_pipe: HashMap<PipeId, Vec<(&'a Task, Instead)>>,
    /// The processes for whose exit, and for nothing else, threads wait.
    awaited: Vec<Wakers>,
    /// Whether any thread is in a poll.
    polls: bool,
    /// Whether it will learn of the exit of a child that goes on, or started one between the looks.
    runs_child: bool,
}

impl<'a> Readers<'a> {
    pub(super) fn new(of: &'a Stalls<'a>, prospects: &'a Prospects, read_on: &'a BTreeSet<PipeId>) -> Self {
        Self { of, prospects, read_on, known: RefCell::default() }
    }

    /// What a process does instead of reading a full channel.
    pub(super) fn judge(&self, full: &Full<'_>, group: &'a ThreadGroup) -> Reader {
        let (pid, pipe) = (group.pid, full.pipe.id);
        let doing = self.doing(group);
        let at_pipe = doing.at_pipe.get(&pipe).map_or(&[][..], Vec::as_slice);
        let polls_elsewhere = || doing.polls && !at_pipe.iter().any(|(task, _)| is_poll(task.last_seen()));
        let took = group.activity.and_then(|activity| activity.read).is_some_and(|read| (1..UNNOTICED).contains(&read));
        let is_writer = || full.writers.iter().any(|task| task.id.pid == pid);
        // A parent that reads nothing, and writes elsewhere, is not at work on what its child wrote.
        let is_parent = || full.writers.iter().all(|task| self.of.processes.is_ancestor(pid, task.id.pid));
        let is_elsewhere = || group.activity.is_some_and(|it| it.read == Some(0) && it.written > Some(UNNOTICED));
        // Most programs read many lines at once: one that sleeps between them, and has output, is at work on those.
        let is_stdin = || full.pipe.side(Side::Read).any(|end| end.pid == pid && end.fd == Fd(0));
        let has_output = || group.activity.is_some_and(|did| did.written > Some(0)) && group.tasks.iter().any(ticks);
        let instead = if doing.computes && !(is_elsewhere() && is_parent()) {
            Instead::Works
        } else if took && !is_writer() && !polls_elsewhere() || is_stdin() && !is_parent() && has_output() {
            Instead::Reads
        } else {
            let mut threads = doing.threads.clone();
            for (task, besides) in at_pipe {
                threads.entry(*besides).and_modify(|count| *count -= 1);
                *threads.entry(self.thread(task, group, Some(pipe))).or_default() += 1;
            }
            // That they go on, as a loop with a timer does, is no reason for them to exit while they cannot write.
            let is_writer = |waker: &Waker| full.writers.iter().any(|task| task.id.pid == waker.pid);
            for _ in doing.awaited.iter().filter(|awaited| !awaited.is_empty() && awaited.iter().all(is_writer)) {
                threads.entry(Instead::Waits).and_modify(|count| *count -= 1);
                *threads.entry(Instead::WaitsInVain).or_default() += 1;
            }
            let instead = threads.into_iter().find(|(_, count)| *count > 0);
            let instead = instead.map_or(Instead::Unknown, |(instead, _)| instead);
            // A loop that has started the child and the writer is to read while the child runs.
            let is_of_reader = |task: &&Task| task.id.pid == pid || self.of.processes.is_ancestor(pid, task.id.pid);
            let runs_job = || doing.runs_child && !full.writers.iter().any(is_of_reader);
            if !instead.may_read() && runs_job() { Instead::Waits } else { instead }
        };
        Reader { pid, held: doing.held, instead }
    }

    fn doing(&self, group: &'a ThreadGroup) -> Rc<Doing<'a>> {
        if let Some(known) = self.known.borrow().get(&group.pid) {
            return Rc::clone(known);
        }
        let (mut threads, mut at_pipe, mut awaited) = (BTreeMap::new(), HashMap::<_, Vec<_>>::new(), Vec::new());
        for task in &group.tasks {
            let instead = self.thread(task, group, None);
            *threads.entry(instead).or_default() += 1;
            if let TaskState::Waits { causes, besides: None } = task.last_seen()
                && let [cause @ WaitTarget::Children(_)] = &causes[..]
                && instead == Instead::Waits
            {
                awaited.push(self.of.wakers.of_wait(group.pid, cause));
            }
            let pipes: BTreeSet<PipeId> = task.last_seen().pipe_waits().filter_map(|wait| wait.pipe).collect();
            for pipe in pipes {
                at_pipe.entry(pipe).or_default().push((task, instead));
            }
        }
        let doing = Rc::new(Doing {
            held: group.tasks.iter().filter_map(held_by).min(),
            computes: computes(group),
            threads,
            at_pipe,
            awaited,
            polls: group.tasks.iter().any(|task| is_poll(task.last_seen())),
            runs_child: self.runs_child(group),
        });
        self.known.borrow_mut().insert(group.pid, Rc::clone(&doing));
        doing
    }

    /// Whether a process has a child that goes on, and will learn of its exit by SIGCHLD, as `wait` of a shell, parallel(1) and event loops
    /// do, or started it between the looks.
    fn runs_child(&self, group: &ThreadGroup) -> bool {
        let runs = |task: &Task| matches!(task.doing, TaskState::Runs);
        let was_not_there = |child: &ThreadGroup| child.activity.is_none() && child.tasks.iter().all(runs);
        let is_new = |child| group.activity.is_some() && self.of.groups.get(&child).is_some_and(was_not_there);
        let is_awaited = |child: Pid| sigchld_children(group).is_some() || is_new(child);
        let processes = self.of.processes;
        let children = processes.children(group.pid).iter().chain(processes.of_unknown_parent());
        children.copied().any(|child| child != group.pid && is_awaited(child) && self.goes_on(child))
    }

    /// Whether a process is likely to go on.
    fn goes_on(&self, pid: Pid) -> bool {
        self.prospects.goes_on(self.of.groups, pid)
    }

    /// What a thread does, if it is to read that pipe.
    fn thread(&self, task: &Task, group: &ThreadGroup, pipe: Option<PipeId>) -> Instead {
        let connection = self.connection(task);
        match task.last_seen() {
            // It ran, and computed nothing worth the name.
            TaskState::Runs if group.activity.is_some() => Instead::Sleeps,
            TaskState::Runs => Instead::Works,
            TaskState::Unknown => Instead::Unknown,
            TaskState::Stopped | TaskState::Traced | TaskState::Frozen | TaskState::Exits => Instead::Sleeps,
            TaskState::Sleeps { sleep } => match sleep.on {
                SleepOn::Timer | SleepOn::Signal | SleepOn::Futex | SleepOn::FileInPipe { .. } => Instead::Sleeps,
                SleepOn::Files if connection.is_none() && task.others.iter().any(is_terminal) => Instead::Terminal,
                SleepOn::Files => connection.unwrap_or(Instead::Sleeps),
                SleepOn::Socket => connection.unwrap_or(Instead::Waits),
                SleepOn::Terminal => Instead::Terminal,
                SleepOn::SomeFiles | SleepOn::IoUring => Instead::Unknown,
                // As on a disk, where it does not sleep for ever.
                SleepOn::Other => Instead::Works,
            },
            // It gives up in time.
            TaskState::Waits { causes, besides: Some(AlternativeWake::Timeout) }
                if matches!(causes[..], [WaitTarget::FileLock(_)]) =>
            {
                Instead::Waits
            }
            TaskState::Waits { causes, besides } => match connection {
                Some(waits) if *besides == Some(AlternativeWake::Files) => waits,
                _ => self.waits(task, causes, *besides, pipe),
            },
        }
    }

    /// What a thread does that waits for a connection, if it does and that is alive: its peers may be processes that will not go on.
    fn connection(&self, task: &Task) -> Option<Instead> {
        let peers = |socket| self.of.graph.waited.peers.get(&socket);
        let goes_on = |socket| peers(socket).is_none_or(|pids| pids.iter().any(|pid| self.goes_on(*pid)));
        let mut answered = answered(self.of.graph, &task.others).peekable();
        answered.peek()?;
        Some(if answered.any(goes_on) { Instead::Waits } else { Instead::WaitsInVain })
    }

    /// What a thread that waits for other channels, or for processes, does instead of reading this one.
    fn waits(
        &self,
        task: &Task,
        causes: &[WaitTarget],
        besides: Option<AlternativeWake>,
        pipe: Option<PipeId>,
    ) -> Instead {
        let own = task.id.pid;
        let (mut jobs, mut goes_on, mut in_vain) = (BTreeSet::new(), false, false);
        let is_it =
            |cause: &&WaitTarget| matches!(cause, WaitTarget::Pipe(wait) if pipe.is_some() && wait.pipe == pipe);
        for cause in causes.iter().filter(|cause| !is_it(cause)).take(MOST_CAUSES) {
            let wait = if let WaitTarget::Pipe(wait) = cause { Some(wait) } else { None };
            // Further down the line.
            if let Some(PipeWait { operation, pipe: Some(next), full, .. }) = wait
                && (*operation == Operation::Write || *full && besides.is_none() && causes.len() == 1)
            {
                if self.read_on.contains(next) {
                    return Instead::Waits;
                }
                if is_long(task.idle) {
                    return Instead::WaitsInVain;
                }
            }
            let key = WakersOf::wait(own, cause);
            let wakers = self.of.wakers.of(key);
            let others: Vec<Pid> = wakers.iter().map(|waker| waker.pid).filter(|pid| *pid != own).collect();
            let alive = others.iter().any(|pid| self.goes_on(*pid));
            if wait.and_then(|wait| wait.pipe).is_some_and(|id| id.flow() == Some(PtyFlow::Input))
                && (alive || others.is_empty())
            {
                return Instead::Terminal;
            }
            // A wait that no process seen can end is for one that was not seen; among those of a poll it says nothing.
            let is_known = !wakers.is_empty() || matches!(cause, WaitTarget::Children(_));
            if !(is_poll_of(causes) || is_known && self.of.wakers.are_known(key)) {
                return Instead::Unknown;
            }
            if let Some(first) = others.first() {
                jobs.insert(self.of.processes.parent(*first).filter(|parent| *parent != own).unwrap_or(*first));
                in_vain |= !alive;
                goes_on |= alive;
            }
        }
        // A loop that serves several, or that wakes now and then, has chosen not to read: what it serves is no excuse.
        let is_loop = is_poll_of(causes) && (besides.is_some() || task.woke.is_some() || jobs.len() > 1);
        match (goes_on && !is_loop, in_vain) {
            (true, _) => Instead::Waits,
            (false, true) => Instead::WaitsInVain,
            (false, false) => Instead::Sleeps,
        }
    }
}

/// Whether it is the first thread of its process, and runs or sleeps for a time.
fn ticks(task: &Task) -> bool {
    let is_timed = match task.last_seen() {
        TaskState::Runs => true,
        TaskState::Sleeps { sleep } => sleep.on == SleepOn::Timer,
        TaskState::Waits { besides, .. } => *besides == Some(AlternativeWake::Timeout),
        _ => false,
    };
    task.id.tid.0 == task.id.pid.0 && is_timed
}

/// Whether a thread was seen in a poll.
fn is_poll(doing: &TaskState) -> bool {
    match doing {
        TaskState::Sleeps { sleep } => matches!(sleep.on, SleepOn::Files),
        TaskState::Waits { causes, .. } => is_poll_of(causes),
        _ => false,
    }
}

fn is_poll_of(causes: &[WaitTarget]) -> bool {
    causes.iter().any(|cause| match cause {
        WaitTarget::Pipe(wait) => matches!(wait.operation, Operation::Poll | Operation::Hangup),
        WaitTarget::Event(_) => true,
        WaitTarget::Children(_) | WaitTarget::Threads | WaitTarget::Lock(_) | WaitTarget::FileLock(_) => false,
    })
}

fn is_terminal(file: &OtherFile) -> bool {
    file.target.as_deref().is_some_and(link::is_terminal)
}
