//! Full channels: which threads are blocked writing to each, what the processes that should read it are doing instead, and whether they
//! wait for the writer in turn. Whether a reader is likely to read on is a judgement, not a proof; see [`Prospects`].

mod circle;
mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use petgraph::algo::condensation;
use petgraph::graph::{DiGraph, NodeIndex};

use super::Groups;
use super::deadlock::WaitEdge;
use super::processes::Processes;
use super::prospect::{IdleTimes, Prospects, is_long};
use super::waits::{ByPipe, WakerSets};
use crate::model::words::words;
use crate::model::{
    AlternativeWake, Operation, Pid, Pipe, PipeGraph, PipeId, PipeWait, Side, Task, TaskId, TaskState, ThreadGroup,
};
use readers::Readers;

/// Maximum number of files of one poll that are looked at: a loop that serves so many serves several jobs.
const MOST_CAUSES: usize = 64;

/// Maximum number of full channels in a line of which each is read on if the next is.
const MOST_ROUNDS: usize = 16;

words! {
    /// What keeps a reader from running.
    pub enum Held {
        /// A signal.
        Stopped = "stopped",
        /// Its tracer.
        Traced = "traced",
        /// Its cgroup.
        Frozen = "frozen",
    }
}

words! {
    /// What a process that should read is doing instead.
    pub enum Instead {
        /// It waits for a terminal, that is for a person.
        Terminal = "terminal",
        /// It reads slowly.
        Reads = "reads",
        /// It computes, or waits for a disk.
        Works = "works",
        /// It waits for another process, or for a connection, that is alive.
        Waits = "waits",
        /// It is not known.
        Unknown = "unknown",
        /// It waits for a process that will not go on either.
        WaitsInVain = "waits-in-vain",
        /// Nothing: it sleeps on a timer, a lock or a signal, or polls without reading.
        Sleeps = "sleeps",
    }
}

impl Instead {
    /// Whether it is likely to read on by itself.
    pub(crate) const fn may_read(self) -> bool {
        !matches!(self, Self::WaitsInVain | Self::Sleeps)
    }
}

/// A full channel with a blocked writer.
#[derive(Debug, Clone)]
pub(crate) struct Stall {
    pub(crate) pipe: PipeId,
    /// The threads that wait for room, ordered.
    pub(crate) writers: Vec<TaskId>,
    /// The time for which none of them has run, or none that could read; none if the kernel does not say.
    pub(crate) idle: Option<Duration>,
    /// The processes that use the read side, ascending; not empty.
    pub(crate) readers: Vec<Reader>,
    /// Whether a reader may read again by itself.
    pub(crate) may_resume: bool,
    /// If a reader waits for the writer in turn: the steps from the writer back to it.
    pub(crate) circle: Vec<WaitEdge>,
}

/// A process that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) pid: Pid,
    pub(crate) held: Option<Held>,
    pub(crate) instead: Instead,
}

pub(crate) struct Stalls<'a> {
    pub(crate) graph: &'a PipeGraph,
    pub(crate) groups: &'a Groups,
    pub(crate) processes: &'a Processes<'a>,
    pub(crate) wakers: &'a WakerSets<'a>,
    pub(crate) waiting: &'a ByPipe<'a>,
    /// The threads in a proven deadlock, which is reported as that.
    pub(crate) stuck: &'a BTreeSet<TaskId>,
    pub(crate) users: &'a dyn Fn(&Pipe, Side) -> BTreeSet<Pid>,
}

/// A full channel before its readers are judged.
struct Full<'a> {
    pipe: &'a Pipe,
    writers: Vec<&'a Task>,
    users: BTreeSet<Pid>,
    /// The time for which nothing has been read, since none of the writers has run, or no thread that could read; none if that is not known.
    idle: Option<Duration>,
    /// Whether that is long.
    is_long: bool,
    /// Whether each of the writers polls for room.
    is_polled: bool,
}

impl<'a> Stalls<'a> {
    /// Every full channel whose readers are not about to read, ordered by ID. Of a line of full ones, the last only.
    pub(crate) fn find(&self) -> Vec<Stall> {
        let (times, woken) = (IdleTimes::of(self.groups), self.woken());
        let pipes: BTreeSet<PipeId> = self.waiting.keys().chain(woken.keys()).copied().collect();
        let full: BTreeMap<PipeId, Full<'a>> =
            pipes.into_iter().filter_map(|id| Some((id, self.full(id, &woken, times)?))).collect();
        if full.is_empty() {
            return Vec::new();
        }
        // Whether one is read on may depend on whether another is. One of which that is not known may be.
        let (mut read_on, mut stalls) = (BTreeSet::new(), Vec::new());
        for _ in 0..MOST_ROUNDS {
            let prospects = Prospects::of(self.graph, self.groups, self.wakers, &read_on);
            let readers = Readers::new(self, &prospects, &read_on);
            stalls = full.values().filter_map(|full| self.stall(full, &readers)).collect::<Vec<Stall>>();
            let known = read_on.len();
            let in_vain: BTreeSet<PipeId> =
                stalls.iter().filter(|stall| !stall.may_resume).map(|stall| stall.pipe).collect();
            read_on.extend(full.keys().filter(|id| !in_vain.contains(id)));
            if read_on.len() == known {
                break;
            }
        }
        let last = self.last(&full);
        stalls.retain(|stall| last.contains(&stall.pipe));
        stalls
    }

    /// The threads that poll for room and ran between the looks, as an event loop with a timer does.
    fn woken(&self) -> ByPipe<'a> {
        let mut woken = ByPipe::new();
        for task in self.groups.values().flat_map(|group| &group.tasks) {
            let waits = task.woke.iter().flat_map(|state| state.pipe_waits()).filter(|wait| wait.full);
            for (wait, pipe) in waits.filter_map(|wait| Some((wait, wait.pipe?))) {
                woken.entry(pipe).or_default().push((task, wait));
            }
        }
        woken
    }

    fn full(&self, id: PipeId, woken: &ByPipe<'a>, times: IdleTimes) -> Option<Full<'a>> {
        let pipe = self.graph.pipe(id)?;
        let writes = |(task, wait): &(&'a Task, &'a PipeWait)| {
            wait.is_for_room() && !matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Lock), .. })
        };
        let of = |waiting: &'_ ByPipe<'a>| -> Vec<(&'a Task, &'a PipeWait)> {
            waiting.get(&id).into_iter().flatten().filter(|it| writes(it)).copied().collect()
        };
        let mut writing = of(self.waiting);
        if writing.is_empty() {
            writing = of(woken);
        }
        writing.dedup_by_key(|(task, _)| task.id);
        if writing.iter().all(|(writer, _)| self.stuck.contains(&writer.id)) {
            return None;
        }
        // A loop that polls for room wakes for other reasons, too: if no thread that could read has run, nothing has been read.
        let may_read = pipe.on(Side::Read).map(|pid| self.groups.get(&pid).map_or(&[][..], |group| &group.tasks));
        let readers_idle: Option<Vec<Duration>> = may_read.flatten().map(|task| task.idle).collect();
        let readers_idle = readers_idle.and_then(|times| times.into_iter().min());
        let has_waited =
            |(task, wait): &(&Task, &PipeWait)| times.may_be_long(task.idle) || wait.full && is_long(readers_idle);
        let is_long = writing.iter().all(has_waited);
        let is_polled = writing.iter().all(|(_, wait)| wait.full);
        let idle = writing.iter().map(|(task, wait)| task.idle.max(readers_idle.filter(|_| wait.full))).min().flatten();
        let writers = writing.into_iter().map(|(task, _)| task).collect();
        Some(Full { pipe, writers, users: (self.users)(pipe, Side::Read), idle, is_long, is_polled })
    }

    /// The pipes to which threads of a process are blocked writing.
    fn written_by(&self, pid: Pid) -> BTreeSet<PipeId> {
        let tasks = self.groups.get(&pid).into_iter().flat_map(|group| &group.tasks);
        let waits = tasks.flat_map(|task| task.doing.pipe_waits());
        waits.filter(|wait| wait.is_for_room()).filter_map(|wait| wait.pipe).collect()
    }

    /// The full channels of which no reader is itself blocked on another, with which it begins; of those that form a circle, the first.
    fn last(&self, full: &BTreeMap<PipeId, Full<'_>>) -> BTreeSet<PipeId> {
        let mut lines: DiGraph<PipeId, ()> = DiGraph::new();
        let nodes: BTreeMap<PipeId, NodeIndex> = full.keys().map(|id| (*id, lines.add_node(*id))).collect();
        // Many pipes may have the same reader.
        let mut written: BTreeMap<Pid, BTreeSet<PipeId>> = BTreeMap::new();
        for (id, Full { users, .. }) in full {
            for pid in users {
                let next = written.entry(*pid).or_insert_with(|| self.written_by(*pid));
                // What only the process itself would read is no line.
                let is_line = |next: &&PipeId| {
                    *next != id && full.get(next).is_some_and(|it| it.users.iter().any(|user| user != pid))
                };
                for next in next.iter().filter(is_line).filter_map(|next| nodes.get(next)) {
                    lines.update_edge(nodes[id], *next, ());
                }
            }
        }
        let lines = condensation(lines, true);
        let is_last = |line: &NodeIndex| lines.neighbors(*line).next().is_none();
        lines.node_indices().filter(is_last).filter_map(|line| lines[line].iter().min().copied()).collect()
    }

    fn stall<'b>(&'b self, full: &Full<'a>, readers: &Readers<'b>) -> Option<Stall> {
        let id = full.pipe.id;
        // A holder of a copy may read, too, where it is not known what it does.
        let is_known = |pid: Pid| self.groups.get(&pid).is_some_and(|group| !group.tasks.is_empty());
        if !full.pipe.side(Side::Read).all(|end| is_known(end.pid)) {
            return None;
        }
        let groups: Vec<&ThreadGroup> = full.users.iter().filter_map(|pid| self.groups.get(pid)).collect();
        if groups.is_empty() {
            return None;
        }
        let waiting = self.waiting.get(&id).map_or(&[][..], Vec::as_slice);
        // A thread that reads while the pipe is full is about to take from it.
        if waiting.iter().any(|(_, wait)| wait.operation == Operation::Read) {
            return None;
        }
        let is_long = full.is_long;
        let readers: Vec<Reader> = groups.iter().map(|group| readers.judge(full, group)).collect();
        let is_any = |instead| readers.iter().any(|reader: &Reader| reader.held.is_none() && reader.instead == instead);
        let is_held = readers.iter().any(|reader| reader.held.is_some());
        // What polls it may read at once, and what runs or is not known may be about to: that says nothing before long.
        let is_awake = is_any(Instead::Unknown) || is_any(Instead::Works) || is_any(Instead::Reads);
        let others = waiting.iter().filter(|(_, wait)| !wait.is_for_room());
        let polling: BTreeSet<Pid> = others.map(|(task, _)| task.id.pid).collect();
        let polls = |reader: &Reader| polling.contains(&reader.pid);
        if !is_long && (is_awake || full.is_polled || readers.iter().any(polls)) {
            return None;
        }
        let idle_readers = || readers.iter().all(|reader| reader.held.is_some() || !reader.instead.may_read());
        let is_all_held = readers.iter().all(|reader| reader.held.is_some());
        // One that is stopped while no other waits for the pipe will not read, whatever holders of copies do.
        let is_certain = is_all_held
            || (is_long && (idle_readers() || (is_held && !is_any(Instead::Reads) && !readers.iter().any(polls))));
        let circle = if is_certain && !is_all_held { self.circle(full) } else { Vec::new() };
        let mut writers: Vec<TaskId> = full.writers.iter().map(|task| task.id).collect();
        writers.sort_unstable();
        Some(Stall { pipe: id, writers, idle: full.idle, readers, may_resume: !is_certain, circle })
    }
}

/// What keeps a whole process from running: none if a thread of it is not held.
pub(crate) fn held(group: &ThreadGroup) -> Option<Held> {
    let held: Option<Vec<Held>> = group.tasks.iter().map(held_by).collect();
    held?.into_iter().min()
}

fn held_by(task: &Task) -> Option<Held> {
    match task.doing {
        TaskState::Stopped => Some(Held::Stopped),
        TaskState::Traced => Some(Held::Traced),
        TaskState::Frozen => Some(Held::Frozen),
        _ => None,
    }
}
