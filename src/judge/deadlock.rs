//! Deadlocks: threads that wait for each other, where no process outside could end that, and what casts doubt on it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Groups;
use super::side::{Unread, is_known_held};
use super::stuck::{Knot, Node, knots, stuck};
use super::waits::{SIGCHLD, WakerSets, WakersOf, sigchld_children};
use crate::model::{
    Children, Doubt, Doubts, Operation, Pid, Pipe, PipeGraph, PipeId, PipeWait, Side, Task, TaskId, TaskState,
    ThreadGroup, WaitTarget, Waker,
};

/// Signals that a program catches in order to act on them, as opposed to those that only end it or report its faults: SIGHUP,
/// SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD, SIGWINCH, SIGIO, and the real-time signals that libraries leave free.
const ACTED_ON: u64 =
    bit(1) | bit(3) | bit(10) | bit(12) | bit(14) | bit(15) | bit(17) | bit(28) | bit(29) | !(bit(35) - 1);

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Threads that wait for each other and for no other process: only a signal, or a new process, can end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitCycle {
    /// A shortest cycle through them, in order: each waits for the process of the next, the last for that of the first. A single step
    /// where a thread waits for its own process.
    pub cycle: Vec<WaitEdge>,
    /// All threads that wait for each other, those of the cycle first.
    pub blocked: Vec<TaskId>,
    /// Other threads that are blocked because of these.
    pub blocked_behind: Vec<TaskId>,
}

impl WaitCycle {
    pub(crate) fn is_in_one_process(&self) -> bool {
        self.blocked.windows(2).all(|pair| pair[0].pid == pair[1].pid)
    }
}

/// A step of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitEdge {
    /// The thread that waits.
    #[serde(flatten)]
    pub task: TaskId,
    /// For what.
    #[serde(flatten)]
    pub target: WaitTarget,
    /// By which end the next could end that.
    pub waker: Waker,
}

pub(crate) struct Deadlock {
    pub(crate) waits: WaitCycle,
    pub(crate) pipes: Vec<PipeId>,
    pub(crate) doubts: Doubts,
}

/// The deadlocks, and all threads that are blocked in one or behind one.
pub(crate) fn find(
    graph: &PipeGraph,
    groups: &Groups,
    wakers: &WakerSets<'_>,
    unread: &Unread<'_>,
) -> (Vec<Deadlock>, BTreeSet<TaskId>) {
    // A process without threads, exited or not listable, counts as awake: it has no number.
    let listed = || groups.values().filter(|group| !group.tasks.is_empty());
    let number_of: BTreeMap<Pid, usize> = listed().map(|group| group.pid).zip(0..).collect();
    let tasks: Vec<&Task> = listed().flat_map(|group| &group.tasks).collect();
    let traced = groups.values().filter_map(|group| group.tracer).collect();
    let case = Case { graph, groups, wakers, unread, traced };
    let mut sets = Sets { case: &case, number_of: &number_of, known: BTreeMap::new(), members: Vec::new() };
    let node = |task: &&Task| Node { process: number_of[&task.id.pid], wakers: sets.of(task) };
    let nodes: Vec<Node> = tasks.iter().map(node).collect();
    let sets = sets.members;
    let is_stuck = stuck(&nodes, &sets, number_of.len());
    let all = tasks.iter().zip(&is_stuck).filter(|(_, is_stuck)| **is_stuck).map(|(task, _)| task.id).collect();
    let deadlock = |knot: &Knot| {
        let of = |threads: &[usize]| -> Vec<&Task> { threads.iter().map(|thread| tasks[*thread]).collect() };
        case.deadlock(&of(&knot.inside), &of(&knot.behind))
    };
    (knots(&nodes, &sets, &is_stuck, number_of.len()).iter().filter_map(deadlock).collect(), all)
}

/// The processes that could end waits, each set once.
struct Sets<'a> {
    case: &'a Case<'a>,
    number_of: &'a BTreeMap<Pid, usize>,
    known: BTreeMap<WakersOf, Option<usize>>,
    /// By number.
    members: Vec<Vec<usize>>,
}

impl Sets<'_> {
    /// Those that could end the wait of a thread; none if it does not wait, or if others may be able to.
    fn of(&mut self, task: &Task) -> Option<Vec<usize>> {
        let TaskState::Waits { causes, besides: None } = &task.doing else { return None };
        let group = self.case.groups.get(&task.id.pid)?;
        // What is queued in an io_uring goes on without any thread.
        if self.case.graph.hidden.rings.binary_search(&group.pid).is_ok() {
            return None;
        }
        let mut sets = Vec::new();
        for cause in causes {
            let set = self.set(WakersOf::wait(group.pid, cause))?;
            // With no process there it would not wait: so there is one that is not seen.
            if self.members[set].is_empty() || self.others_may_wake(group, cause, set) {
                return None;
            }
            sets.push(set);
        }
        if let Some(children) = sigchld_children(group).filter(|_| task.doing.pipe_waits().next().is_some()) {
            sets.push(self.set(children)?);
        }
        sets.sort_unstable();
        sets.dedup();
        Some(sets)
    }

    /// The number of a set; none if one of its processes counts as awake, or not all of them are known.
    fn set(&mut self, key: WakersOf) -> Option<usize> {
        if let Some(set) = self.known.get(&key) {
            return *set;
        }
        let wakers = self.case.wakers.of(key);
        let members: Option<BTreeSet<usize>> =
            wakers.iter().map(|waker| self.number_of.get(&waker.pid).copied()).collect();
        let members = members.filter(|_| self.case.wakers.are_known(key));
        let set = members.map(|members| {
            self.members.push(members.into_iter().collect());
            self.members.len() - 1
        });
        self.known.insert(key, set);
        set
    }

    /// Whether something else than the processes of a set may end a wait.
    fn others_may_wake(&self, group: &ThreadGroup, cause: &WaitTarget, set: usize) -> bool {
        match cause {
            WaitTarget::Pipe(wait) => {
                let mut sides = wait.awaited();
                let is_held = |pipe| sides.any(|side| is_known_held(self.case.graph, pipe, side));
                let is_own =
                    || self.number_of.get(&group.pid).is_some_and(|own| self.members[set].binary_search(own).is_ok());
                wait.pipe.is_some_and(is_held)
                    || self.case.may_be_opened(wait)
                    || (may_be_handled(group, wait) && is_own())
            }
            WaitTarget::Children(_) => self.case.traced.contains(&group.pid),
            WaitTarget::Threads => false,
        }
    }
}

/// What it is judged by.
struct Case<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    wakers: &'a WakerSets<'a>,
    unread: &'a Unread<'a>,
    /// The tracers: what they trace counts as their children.
    traced: BTreeSet<Pid>,
}

impl Case<'_> {
    /// Whether it waits for a writer of a FIFO that has a path: a server that waits for its clients is no deadlock.
    fn may_be_opened(&self, wait: &PipeWait) -> bool {
        wait.pipe.and_then(|id| self.graph.pipe(id)).is_some_and(Pipe::has_name)
            && wait.awaited().any(|side| side == Side::Write)
    }

    /// A knot with its pipes; none where no pipe is in it, nor behind it.
    fn deadlock(&self, inside: &[&Task], behind: &[&Task]) -> Option<Deadlock> {
        let pipes_of = |tasks: &[&Task]| -> BTreeSet<PipeId> {
            tasks.iter().flat_map(|task| task.doing.pipe_waits()).filter_map(|wait| wait.pipe).collect()
        };
        let pipes = [inside, behind].map(pipes_of).into_iter().find(|pipes| !pipes.is_empty())?;
        let pids: BTreeSet<Pid> = inside.iter().map(|task| task.id.pid).collect();
        let waits: Vec<&PipeWait> = inside.iter().flat_map(|task| task.doing.pipe_waits()).collect();
        // Many may wait for the same.
        let alike: BTreeMap<_, &PipeWait> = waits.iter().map(|wait| ((wait.pipe, wait.access), *wait)).collect();
        let mut doubts = Doubts::default();
        let mut sides = BTreeSet::new();
        for wait in alike.values() {
            if let Some(pipe) = wait.pipe {
                sides.extend(wait.awaited().map(|side| (pipe.device(), side)));
                let name = self.graph.pipe(pipe).filter(|pipe| pipe.has_name());
                doubts.extend(name.map(|pipe| Doubt::Name(pipe.id)));
            }
        }
        doubts.extend_holders(&self.unread.of(&sides));
        // SIGCHLD is accounted for already, by the children.
        let handler = |group: &&ThreadGroup| group.catches & ACTED_ON & !SIGCHLD != 0 && !waits.is_empty();
        let handlers = pids.iter().filter_map(|pid| self.groups.get(pid)).filter(handler);
        doubts.extend(handlers.map(|group| Doubt::Handler(group.pid)));
        let cycle = self.cycle(inside, &pids);
        let mut blocked: Vec<TaskId> = cycle.iter().map(|edge| edge.task).collect();
        let in_cycle: BTreeSet<TaskId> = blocked.iter().copied().collect();
        blocked.extend(inside.iter().map(|task| task.id).filter(|id| !in_cycle.contains(id)));
        Some(Deadlock {
            waits: WaitCycle { cycle, blocked, blocked_behind: behind.iter().map(|task| task.id).collect() },
            pipes: pipes.into_iter().collect(),
            doubts,
        })
    }

    /// A shortest cycle through a knot, from its first process on.
    fn cycle(&self, inside: &[&Task], pids: &BTreeSet<Pid>) -> Vec<WaitEdge> {
        let Some(start) = pids.first().copied() else { return Vec::new() };
        // Breadth first, by processes; each is reached by the edge that led to it. What is shared by many leads nowhere new again.
        let (mut reached, mut followed) = (BTreeMap::new(), BTreeSet::new());
        let mut next = VecDeque::from([start]);
        while let Some(pid) = next.pop_front().filter(|_| !reached.contains_key(&start)) {
            let first = inside.partition_point(|task| task.id.pid < pid);
            let own = inside[first..].iter().take_while(|task| task.id.pid == pid);
            let mut ways: Vec<Way> = own.flat_map(|task| self.ways(task)).collect();
            // A pipe says more than a signal, and that more than a futex.
            ways.sort_by_key(|way| match way.by {
                WakersOf::Pipe(_) => 0,
                WakersOf::Children(..) => 1,
                WakersOf::Threads(_) => 2,
            });
            for way in ways {
                // Within a process among several, its threads say nothing of the others.
                let leads_out = |waker: &&Waker| pids.len() == 1 || waker.pid != pid;
                if followed.contains(&way.by) {
                    continue;
                }
                let wakers = self.wakers.of(way.by);
                for waker in wakers.iter().filter(leads_out) {
                    if let Entry::Vacant(place) = reached.entry(waker.pid) {
                        next.push_back(waker.pid);
                        place.insert(WaitEdge { task: way.task, target: way.target(waker.pid), waker: *waker });
                    }
                }
                // Its own process is left out only here.
                if !wakers.iter().any(|waker| waker.pid == pid) || reached.contains_key(&pid) {
                    followed.insert(way.by);
                }
            }
        }
        let mut cycle = Vec::new();
        let mut at = start;
        while let Some(edge) = reached.remove(&at) {
            at = edge.task.pid;
            cycle.push(edge);
            if at == start {
                break;
            }
        }
        cycle.reverse();
        cycle
    }

    /// By what the waits of a thread lead to others.
    fn ways<'a>(&self, task: &'a Task) -> Vec<Way<'a>> {
        let waits = task.doing.causes().iter();
        let mut ways: Vec<Way<'a>> = waits
            .map(|cause| Way { task: task.id, cause: Some(cause), by: WakersOf::wait(task.id.pid, cause) })
            .collect();
        let by_signal = self.groups.get(&task.id.pid).filter(|_| task.doing.pipe_waits().next().is_some());
        ways.extend(by_signal.and_then(sigchld_children).map(|by| Way { task: task.id, cause: None, by }));
        ways
    }
}

/// By what a wait leads to others.
struct Way<'a> {
    task: TaskId,
    /// None for SIGCHLD.
    cause: Option<&'a WaitTarget>,
    by: WakersOf,
}

impl Way<'_> {
    fn target(&self, waker: Pid) -> WaitTarget {
        self.cause.map_or(WaitTarget::Children(Children::One(waker)), Clone::clone)
    }
}

/// Whether it polls a pipe, and a signal handler of its process may write into that if it has the other end: the self-pipe trick.
fn may_be_handled(group: &ThreadGroup, wait: &PipeWait) -> bool {
    wait.operation == Operation::Poll && group.catches & ACTED_ON != 0
}
