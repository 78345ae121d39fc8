//! Deadlocks: threads that wait for each other, where no process outside could end that, and what casts doubt on it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Groups;
use super::processes::Processes;
use super::side::{known_holders, unread_holders};
use super::stuck::{Knot, Node, knots, stuck};
use super::waits::{SIGCHLD, sigchld_children, wakers};
use crate::model::{
    Children, Doubt, Operation, Pid, Pipe, PipeGraph, PipeId, PipeWait, Side, Task, TaskId, TaskState, ThreadGroup,
    WaitTarget, Waker,
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
    pub(crate) doubts: Vec<Doubt>,
}

/// The deadlocks, and all threads that are blocked in one or behind one.
pub(crate) fn find(graph: &PipeGraph, groups: &Groups, processes: &Processes<'_>) -> (Vec<Deadlock>, BTreeSet<TaskId>) {
    let traced = groups.values().filter_map(|group| group.tracer).collect();
    let case = Case { graph, groups, processes, traced };
    // A process without threads, exited or not listable, counts as awake: it has no number.
    let listed = || groups.values().filter(|group| !group.tasks.is_empty());
    let number_of: BTreeMap<Pid, usize> = listed().map(|group| group.pid).zip(0..).collect();
    let tasks: Vec<&Task> = listed().flat_map(|group| &group.tasks).collect();
    let mut set_of: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut node = |task: &&Task| {
        let wakers = case.wakers(task);
        let known = wakers.and_then(|pids| pids.iter().map(|pid| number_of.get(pid).copied()).collect());
        let next = set_of.len();
        Node { process: number_of[&task.id.pid], wakers: known.map(|set| *set_of.entry(set).or_insert(next)) }
    };
    let nodes: Vec<Node> = tasks.iter().map(&mut node).collect();
    let mut sets = vec![Vec::new(); set_of.len()];
    for (members, set) in set_of {
        sets[set] = members;
    }
    let is_stuck = stuck(&nodes, &sets, number_of.len());
    let all = tasks.iter().zip(&is_stuck).filter(|(_, is_stuck)| **is_stuck).map(|(task, _)| task.id).collect();
    let deadlock = |knot: &Knot| {
        let of = |threads: &[usize]| -> Vec<&Task> { threads.iter().map(|thread| tasks[*thread]).collect() };
        case.deadlock(&of(&knot.inside), &of(&knot.behind))
    };
    (knots(&nodes, &sets, &is_stuck, number_of.len()).iter().filter_map(deadlock).collect(), all)
}

/// What it is judged by.
struct Case<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    processes: &'a Processes<'a>,
    /// The tracers: what they trace counts as their children.
    traced: BTreeSet<Pid>,
}

impl Case<'_> {
    /// The processes that could end the wait of a thread; none if it does not wait, or if others may be able to.
    fn wakers(&self, task: &Task) -> Option<BTreeSet<Pid>> {
        let TaskState::Waits { causes, besides: None } = &task.doing else { return None };
        let group = self.groups.get(&task.id.pid)?;
        // What is queued in an io_uring goes on without any thread.
        if self.graph.hidden.rings.binary_search(&group.pid).is_ok() {
            return None;
        }
        let mut all = BTreeSet::new();
        for cause in causes {
            let pids: BTreeSet<Pid> =
                wakers(self.graph, self.processes, task.id.pid, cause).map(|waker| waker.pid).collect();
            // With no process there it would not wait: so there is one that is not seen.
            if pids.is_empty() || self.others_may_wake(group, cause, &pids) {
                return None;
            }
            all.extend(pids);
            if let WaitTarget::Pipe(_) = cause {
                if group.catches & SIGCHLD != 0 && !self.processes.knows_awaited_children(Children::All, group.pid) {
                    return None;
                }
                all.extend(sigchld_children(group, self.processes));
            }
        }
        Some(all)
    }

    /// Whether something else than these processes may end a wait.
    fn others_may_wake(&self, group: &ThreadGroup, cause: &WaitTarget, pids: &BTreeSet<Pid>) -> bool {
        match cause {
            WaitTarget::Pipe(wait) => {
                let mut sides = wait.awaited();
                let is_held = |pipe| sides.any(|side| !known_holders(self.graph, pipe, side).is_empty());
                wait.pipe.is_some_and(is_held) || self.may_be_opened(wait) || may_be_handled(group, wait, pids)
            }
            WaitTarget::Children(children) => {
                self.traced.contains(&group.pid) || !self.processes.knows_awaited_children(*children, group.pid)
            }
            WaitTarget::Threads => false,
        }
    }

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
        let mut doubts: BTreeSet<Doubt> = alike.values().flat_map(|wait| self.doubts(wait)).collect();
        // SIGCHLD is accounted for already, by the children.
        let handler = |group: &&ThreadGroup| group.catches & ACTED_ON & !SIGCHLD != 0 && !waits.is_empty();
        let handlers = pids.iter().filter_map(|pid| self.groups.get(pid)).filter(handler);
        doubts.extend(handlers.map(|group| Doubt::Handler(group.pid)));
        let cycle = self.cycle(inside, &pids);
        let mut blocked: Vec<TaskId> = cycle.iter().map(|edge| edge.task).collect();
        blocked.extend(inside.iter().map(|task| task.id).filter(|id| !cycle.iter().any(|edge| edge.task == *id)));
        Some(Deadlock {
            waits: WaitCycle { cycle, blocked, blocked_behind: behind.iter().map(|task| task.id).collect() },
            pipes: pipes.into_iter().collect(),
            doubts: doubts.into_iter().collect(),
        })
    }

    /// What may hold another end on the side that a wait is for.
    fn doubts(&self, wait: &PipeWait) -> Vec<Doubt> {
        let Some(pipe) = wait.pipe else { return Vec::new() };
        let name = self.graph.pipe(pipe).filter(|pipe| pipe.has_name()).map(|pipe| Doubt::Name(pipe.id));
        let unread = wait.awaited().flat_map(|side| unread_holders(self.graph, pipe, side));
        name.into_iter().chain(unread.map(Doubt::Holder)).collect()
    }

    /// A shortest cycle through a knot, from its first process on.
    fn cycle(&self, inside: &[&Task], pids: &BTreeSet<Pid>) -> Vec<WaitEdge> {
        let Some(start) = pids.first().copied() else { return Vec::new() };
        let edges_of = |pid: Pid| {
            let own = inside.iter().filter(|task| task.id.pid == pid).flat_map(|task| self.edges(task));
            // Within a process among several, its threads say nothing of the others.
            let mut edges: Vec<WaitEdge> = own.filter(|edge| pids.len() == 1 || edge.waker.pid != pid).collect();
            // A pipe says more than a signal, and that more than a futex.
            edges.sort_by_key(|edge| match edge.target {
                WaitTarget::Pipe(_) => 0,
                WaitTarget::Children(_) => 1,
                WaitTarget::Threads => 2,
            });
            edges
        };
        // Breadth first, by processes; each is reached by the edge that led to it.
        let mut reached: BTreeMap<Pid, WaitEdge> = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        while let Some(pid) = next.pop_front().filter(|_| !reached.contains_key(&start)) {
            for edge in edges_of(pid) {
                if let Entry::Vacant(place) = reached.entry(edge.waker.pid) {
                    next.push_back(edge.waker.pid);
                    place.insert(edge);
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

    /// Where the waits of a thread lead.
    fn edges(&self, task: &Task) -> Vec<WaitEdge> {
        let edge = |target: &WaitTarget, waker| WaitEdge { task: task.id, target: target.clone(), waker };
        let mut edges = Vec::new();
        for cause in task.doing.causes() {
            edges.extend(wakers(self.graph, self.processes, task.id.pid, cause).map(|waker| edge(cause, waker)));
        }
        let by_signal = self.groups.get(&task.id.pid).filter(|_| task.doing.pipe_waits().next().is_some());
        let children = by_signal.into_iter().flat_map(|group| sigchld_children(group, self.processes));
        edges.extend(children.map(|pid| edge(&WaitTarget::Children(Children::One(pid)), Waker::process(pid))));
        edges
    }
}

/// Whether it polls a pipe of its own, and a signal handler may write into that: the self-pipe trick.
fn may_be_handled(group: &ThreadGroup, wait: &PipeWait, holders: &BTreeSet<Pid>) -> bool {
    wait.operation == Operation::Poll && holders.contains(&group.pid) && group.catches & ACTED_ON != 0
}
