//! Deadlocks: threads that wait for each other, where no process outside could end that, and what casts doubt on it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::Groups;
use super::side::{known_holders, unread_holders};
use super::stuck::{Knot, Node, knots, stuck};
use super::waits::{SIGCHLD, awaited_children, holders, sigchld_children};
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
pub(crate) struct Deadlock {
    pub(crate) single_process: bool,
    /// A cycle through them, in order: each waits for the process of the next, the last for that of the first.
    pub(crate) cycle: Vec<WaitEdge>,
    /// All threads that wait for each other, those of the cycle first.
    pub(crate) blocked: Vec<TaskId>,
    /// Other threads that are blocked because of these.
    pub(crate) blocked_behind: Vec<TaskId>,
    pub(crate) pipes: Vec<PipeId>,
    pub(crate) doubts: Vec<Doubt>,
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

/// The deadlocks, and all threads that are stuck in one or behind one.
pub(crate) fn find(graph: &PipeGraph, groups: &Groups) -> (Vec<Deadlock>, BTreeSet<TaskId>) {
    let number_of: BTreeMap<Pid, usize> = groups.keys().copied().zip(0..).collect();
    let traced: BTreeSet<Pid> = groups.values().filter_map(|group| group.tracer).collect();
    let mut tasks: Vec<&Task> = Vec::new();
    let mut nodes: Vec<Node> = Vec::new();
    let mut set_of: HashMap<Vec<usize>, usize> = HashMap::new();
    for (process, group) in groups.values().enumerate() {
        if group.tasks.is_empty() {
            // Its threads could not be listed, or it has exited: it counts as awake.
            continue;
        }
        for task in &group.tasks {
            let wakers = wakers(graph, groups, group, task, &traced);
            let known = wakers.and_then(|pids| pids.iter().map(|pid| number_of.get(pid).copied()).collect());
            let next = set_of.len();
            nodes.push(Node { process, wakers: known.map(|set: Vec<usize>| *set_of.entry(set).or_insert(next)) });
            tasks.push(task);
        }
    }
    let mut sets: Vec<(usize, Vec<usize>)> = set_of.into_iter().map(|(members, set)| (set, members)).collect();
    sets.sort_unstable();
    let sets: Vec<Vec<usize>> = sets.into_iter().map(|(_, members)| members).collect();
    let is_stuck = stuck(&nodes, &sets, groups.len());
    let id_of = |thread: &usize| tasks.get(*thread).map(|task| task.id);
    let all = (0..tasks.len()).filter(|thread| is_stuck[*thread]).filter_map(|thread| id_of(&thread)).collect();
    let deadlocks = knots(&nodes, &sets, &is_stuck, groups.len())
        .iter()
        .filter_map(|Knot { inside, behind }| {
            let inside: Vec<&Task> = inside.iter().filter_map(|thread| tasks.get(*thread).copied()).collect();
            deadlock(graph, groups, &inside, behind.iter().filter_map(id_of).collect())
        })
        .collect();
    (deadlocks, all)
}

/// The processes that could end the wait of a thread; none if it does not wait, or if others may be able to.
fn wakers(
    graph: &PipeGraph,
    groups: &Groups,
    group: &ThreadGroup,
    task: &Task,
    traced: &BTreeSet<Pid>,
) -> Option<Vec<Pid>> {
    let TaskState::Waits { causes, besides: None } = &task.doing else {
        return None;
    };
    // What is queued in an io_uring goes on without any thread.
    if graph.hidden.rings.binary_search(&group.pid).is_ok() {
        return None;
    }
    let mut wakers = BTreeSet::new();
    for cause in causes {
        match cause {
            WaitTarget::Pipe(wait) => {
                let pids: BTreeSet<Pid> = holders(graph, wait).map(|end| end.pid).collect();
                // With no process on the other side it would not wait: so there is one that is not seen.
                let unlisted = || {
                    wait.pipe
                        .is_some_and(|pipe| wait.awaited().any(|side| !known_holders(graph, pipe, side).is_empty()))
                };
                if pids.is_empty() || unlisted() || may_be_opened(graph, wait) || may_be_handled(group, wait, &pids) {
                    return None;
                }
                wakers.extend(pids);
                wakers.extend(sigchld_children(group, groups));
            }
            WaitTarget::Children(children) => {
                let pids: Vec<Pid> = awaited_children(*children, group.pid, groups).collect();
                // Those that it traces count as its children; one that has ended wakes it; and of none it would not wait.
                let has_ended = |pid: &Pid| groups.get(pid).is_none_or(|child| child.tasks.is_empty());
                if pids.is_empty() || pids.iter().any(has_ended) || traced.contains(&group.pid) {
                    return None;
                }
                wakers.extend(pids);
            }
            WaitTarget::Threads => {
                wakers.insert(group.pid);
            }
        }
    }
    let all_known = wakers.iter().all(|pid| groups.get(pid).is_some_and(|group| !group.tasks.is_empty()));
    all_known.then(|| wakers.into_iter().collect())
}

/// Whether it waits for a writer of a FIFO that has a path: a server that waits for its clients is no deadlock.
fn may_be_opened(graph: &PipeGraph, wait: &PipeWait) -> bool {
    wait.pipe.and_then(|id| graph.pipe(id)).is_some_and(Pipe::has_name)
        && wait.awaited().any(|side| side == Side::Write)
}

/// Whether it polls a pipe of its own, and a signal handler may write into that: the self-pipe trick.
fn may_be_handled(group: &ThreadGroup, wait: &PipeWait, holders: &BTreeSet<Pid>) -> bool {
    wait.operation == Operation::Poll && holders.contains(&group.pid) && group.catches & ACTED_ON != 0
}

/// A knot with its pipes; none where no pipe is in it, nor behind it.
fn deadlock(graph: &PipeGraph, groups: &Groups, inside: &[&Task], behind: Vec<TaskId>) -> Option<Deadlock> {
    let task = |id: &TaskId| groups.get(&id.pid)?.task(*id);
    let waits: Vec<&PipeWait> = inside.iter().flat_map(|task| task.doing.pipe_waits()).collect();
    let mut pipes: BTreeSet<PipeId> = waits.iter().filter_map(|wait| wait.pipe).collect();
    if pipes.is_empty() {
        pipes = behind
            .iter()
            .filter_map(task)
            .flat_map(|task| task.doing.pipe_waits())
            .filter_map(|wait| wait.pipe)
            .collect();
    }
    if pipes.is_empty() {
        return None;
    }
    let processes: BTreeSet<Pid> = inside.iter().map(|task| task.id.pid).collect();
    // Many may wait for the same.
    let alike: BTreeMap<_, &PipeWait> = waits.iter().map(|wait| ((wait.pipe, wait.access), *wait)).collect();
    let mut doubts: BTreeSet<Doubt> = alike.values().flat_map(|wait| doubts(graph, wait)).collect();
    // SIGCHLD is accounted for already, by the children.
    let handler = |group: &&ThreadGroup| group.catches & ACTED_ON & !SIGCHLD != 0 && !waits.is_empty();
    let handlers = processes.iter().filter_map(|pid| groups.get(pid)).filter(handler);
    doubts.extend(handlers.map(|group| Doubt::Handler(group.pid)));
    let cycle = cycle(graph, groups, inside);
    let mut blocked: Vec<TaskId> = cycle.iter().map(|edge| edge.task).collect();
    blocked.extend(inside.iter().map(|task| task.id).filter(|id| !cycle.iter().any(|edge| edge.task == *id)));
    Some(Deadlock {
        single_process: processes.len() == 1,
        cycle,
        blocked,
        blocked_behind: behind,
        pipes: pipes.into_iter().collect(),
        doubts: doubts.into_iter().collect(),
    })
}

/// What may hold another end on the side that a wait is for.
fn doubts(graph: &PipeGraph, wait: &PipeWait) -> Vec<Doubt> {
    let Some(pipe) = wait.pipe else { return Vec::new() };
    let name = graph.pipe(pipe).is_some_and(Pipe::has_name);
    let mut doubts: Vec<Doubt> = name.then_some(Doubt::Name(pipe)).into_iter().collect();
    doubts.extend(wait.awaited().flat_map(|side| unread_holders(graph, pipe, side)).map(Doubt::Holder));
    doubts
}

/// A shortest cycle through a knot, from its first process on.
fn cycle(graph: &PipeGraph, groups: &Groups, inside: &[&Task]) -> Vec<WaitEdge> {
    let Some(start) = inside.iter().map(|task| task.id.pid).min() else {
        return Vec::new();
    };
    let single_process = inside.iter().all(|task| task.id.pid == start);
    let edges_of = |pid: Pid| {
        let own = inside.iter().filter(|task| task.id.pid == pid).flat_map(|task| edges(graph, groups, task));
        let by_signal = inside.iter().filter(|task| task.id.pid == pid).flat_map(|task| {
            let pids = groups.get(&pid).into_iter().flat_map(|group| sigchld_children(group, groups));
            pids.map(|pid| WaitEdge {
                task: task.id,
                target: WaitTarget::Children(Children::One(pid)),
                waker: Waker { pid, tid: None, fd: None },
            })
        });
        // Within a process among several, its threads say nothing of the others.
        let mut edges: Vec<WaitEdge> =
            own.chain(by_signal).filter(|edge| single_process || edge.waker.pid != pid).collect();
        // A pipe says more than a futex.
        edges.sort_by_key(|edge| edge.target == WaitTarget::Threads);
        edges
    };
    // Breadth first, by processes; each is reached by the edge that led to it.
    let mut reached: BTreeMap<Pid, WaitEdge> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(pid) = next.pop_front() {
        if reached.contains_key(&start) {
            break;
        }
        for edge in edges_of(pid) {
            let to = edge.waker.pid;
            if let std::collections::btree_map::Entry::Vacant(place) = reached.entry(to) {
                place.insert(edge);
                next.push_back(to);
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
fn edges(graph: &PipeGraph, groups: &Groups, task: &Task) -> Vec<WaitEdge> {
    let edge = |cause: &WaitTarget, waker| WaitEdge { task: task.id, target: cause.clone(), waker };
    let process = |pid| Waker { pid, tid: None, fd: None };
    let edges_of = |cause: &WaitTarget| -> Vec<WaitEdge> {
        match cause {
            WaitTarget::Pipe(wait) => holders(graph, wait).map(|end| edge(cause, Waker::from(end))).collect(),
            WaitTarget::Children(children) => {
                awaited_children(*children, task.id.pid, groups).map(|pid| edge(cause, process(pid))).collect()
            }
            WaitTarget::Threads => vec![edge(cause, process(task.id.pid))],
        }
    };
    task.doing.causes().iter().flat_map(edges_of).collect()
}
