//! Deadlocks: threads that wait for each other, with nobody outside who could end it, and how sure that is.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::Groups;
use super::waits::{holders, meant};
use crate::judge::stuck::{Knot, Node, knots, stuck};
use crate::model::{
    Children, Doubt, Fault, Finding, Operation, Pid, Pipe, PipeGraph, PipeId, PipeWait, Side, Subject, Task, TaskId,
    TaskState, ThreadGroup, WaitEdge, WaitTarget, Waker,
};

/// Signals that a program catches in order to act on them, as opposed to those that only end it or tell of its faults: SIGHUP,
/// SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD, SIGWINCH, SIGIO, and the real-time signals that libraries leave free.
const ACTED_ON: u64 =
    bit(1) | bit(3) | bit(10) | bit(12) | bit(14) | bit(15) | bit(17) | bit(28) | bit(29) | !(bit(35) - 1);

/// That a child has ended.
const SIGCHLD: u64 = bit(17);

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// The deadlocks, and all threads that are stuck in one or behind one.
pub(super) fn find(graph: &PipeGraph, groups: &Groups) -> (Vec<Finding>, BTreeSet<TaskId>) {
    let number_of: BTreeMap<Pid, usize> = groups.keys().copied().zip(0..).collect();
    let traced: BTreeSet<Pid> = groups.values().filter_map(|group| group.tracer).collect();
    let mut tasks: Vec<&Task> = Vec::new();
    let mut nodes: Vec<Node> = Vec::new();
    let mut set_of: HashMap<Vec<usize>, usize> = HashMap::new();
    for (process, group) in groups.values().enumerate() {
        if group.tasks.is_empty() {
            // It could not be listed, or has ended: it counts as awake.
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
    let findings = knots(&nodes, &sets, &is_stuck, groups.len())
        .iter()
        .filter_map(|Knot { inside, behind }| {
            let inside: Vec<&Task> = inside.iter().filter_map(|thread| tasks.get(*thread).copied()).collect();
            finding(graph, groups, &inside, behind.iter().filter_map(id_of).collect())
        })
        .collect();
    (findings, all)
}

/// The processes that could end the wait of a thread; none if it does not wait, or if it cannot be said that nobody else could.
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
                // With nobody on the other side it would not wait: so there is somebody who is not seen.
                let unlisted =
                    || wait.pipe.is_some_and(|pipe| wait.awaited().any(|side| !graph.unlisted(pipe, side).is_empty()));
                if pids.is_empty() || unlisted() || may_be_opened(graph, wait) || may_be_handled(group, wait, &pids) {
                    return None;
                }
                wakers.extend(pids);
                wakers.extend(heard_of(group, groups));
            }
            WaitTarget::Children(children) => {
                let pids: Vec<Pid> = meant(*children, group.pid, groups).collect();
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
    wakers.iter().all(|pid| groups.get(pid).is_some_and(|group| !group.tasks.is_empty())).then_some(())?;
    Some(wakers.into_iter().collect())
}

/// Whether it waits for a writer of a FIFO that has a name: a server that waits for its clients is no deadlock.
fn may_be_opened(graph: &PipeGraph, wait: &PipeWait) -> bool {
    wait.pipe.and_then(|id| graph.pipe(id)).is_some_and(Pipe::has_name)
        && wait.awaited().any(|side| side == Side::Write)
}

/// Whether it polls a pipe of its own, and a signal handler may write into that: the self-pipe trick.
fn may_be_handled(group: &ThreadGroup, wait: &PipeWait, holders: &BTreeSet<Pid>) -> bool {
    wait.operation == Operation::Poll && holders.contains(&group.pid) && group.catches & ACTED_ON != 0
}

/// The children whose end the process hears of, whatever it waits for: make(1) waits for a token or for a child at once.
fn heard_of(group: &ThreadGroup, groups: &Groups) -> impl Iterator<Item = Pid> {
    let hears = group.catches & SIGCHLD != 0;
    meant(Children::All, group.pid, groups).filter(move |_| hears)
}

/// A knot as a finding; none where no pipe is in it, nor behind it.
fn finding(graph: &PipeGraph, groups: &Groups, inside: &[&Task], behind: Vec<TaskId>) -> Option<Finding> {
    let task = |id: &TaskId| groups.get(&id.pid)?.task(*id);
    let waits: Vec<&PipeWait> = inside.iter().flat_map(|task| pipe_waits(task)).collect();
    let mut pipes: BTreeSet<PipeId> = waits.iter().filter_map(|wait| wait.pipe).collect();
    if pipes.is_empty() {
        pipes = behind.iter().filter_map(task).flat_map(pipe_waits).filter_map(|wait| wait.pipe).collect();
    }
    if pipes.is_empty() {
        return None;
    }
    let processes: BTreeSet<Pid> = inside.iter().map(|task| task.id.pid).collect();
    let itself = processes.len() == 1;
    // Many may wait for the same.
    let alike: BTreeMap<_, &PipeWait> = waits.iter().map(|wait| ((wait.pipe, wait.access), *wait)).collect();
    let mut doubts: BTreeSet<Doubt> = alike.values().flat_map(|wait| doubts(graph, wait)).collect();
    // Of children that end it is known already who waits for them.
    let handler = |group: &&ThreadGroup| group.catches & ACTED_ON & !SIGCHLD != 0 && !waits.is_empty();
    let handlers = processes.iter().filter_map(|pid| groups.get(pid)).filter(handler);
    doubts.extend(handlers.map(|group| Doubt::Handler(group.pid)));
    let circle = circle(graph, groups, inside);
    let mut tasks: Vec<TaskId> = circle.iter().map(|link| link.task).collect();
    tasks.extend(inside.iter().map(|task| task.id).filter(|id| !circle.iter().any(|link| link.task == *id)));
    Some(Finding {
        fault: Fault::Deadlock { itself, circle, behind },
        tasks,
        pipes: pipes.into_iter().collect(),
        doubts: doubts.into_iter().collect(),
    })
}

fn pipe_waits(task: &Task) -> impl Iterator<Item = &PipeWait> {
    let causes = if let TaskState::Waits { causes, .. } = &task.doing { causes.as_slice() } else { &[] };
    causes.iter().filter_map(|cause| if let WaitTarget::Pipe(wait) = cause { Some(wait) } else { None })
}

/// What may hold another end on the side that a wait is for.
fn doubts(graph: &PipeGraph, wait: &PipeWait) -> Vec<Doubt> {
    let Some(pipe) = wait.pipe else { return Vec::new() };
    let name = graph.pipe(pipe).is_some_and(Pipe::has_name);
    let mut doubts: Vec<Doubt> = name.then_some(Doubt::Name(pipe)).into_iter().collect();
    doubts.extend(wait.awaited().flat_map(|side| graph.may_hold(pipe, side)).map(Doubt::Holder));
    doubts
}

/// A shortest circle through a knot, from its first process on.
fn circle(graph: &PipeGraph, groups: &Groups, inside: &[&Task]) -> Vec<WaitEdge> {
    let Some(start) = inside.iter().map(|task| task.id.pid).min() else {
        return Vec::new();
    };
    let itself = inside.iter().all(|task| task.id.pid == start);
    let links_of = |pid: Pid| {
        let own = inside.iter().filter(|task| task.id.pid == pid).flat_map(|task| links(graph, groups, task));
        let heard = inside.iter().filter(|task| task.id.pid == pid).flat_map(|task| {
            let pids = groups.get(&pid).into_iter().flat_map(|group| heard_of(group, groups));
            pids.map(|pid| WaitEdge {
                task: task.id,
                subject: Some(Subject::Child),
                waker: Waker { pid, tid: None, fd: None },
            })
        });
        // Within a process among several, its threads say nothing of the others.
        let mut links: Vec<WaitEdge> = own.chain(heard).filter(|link| itself || link.waker.pid != pid).collect();
        // A pipe says more than a futex.
        links.sort_by_key(|link| link.subject.is_none());
        links
    };
    // Breadth first, by processes; each is reached by the link that led to it.
    let mut reached: BTreeMap<Pid, WaitEdge> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(pid) = next.pop_front() {
        if reached.contains_key(&start) {
            break;
        }
        for link in links_of(pid) {
            let to = link.waker.pid;
            if let std::collections::btree_map::Entry::Vacant(place) = reached.entry(to) {
                place.insert(link);
                next.push_back(to);
            }
        }
    }
    let mut circle = Vec::new();
    let mut at = start;
    while let Some(link) = reached.remove(&at) {
        at = link.task.pid;
        circle.push(link);
        if at == start {
            break;
        }
    }
    circle.reverse();
    circle
}

/// Where the waits of a thread lead.
fn links(graph: &PipeGraph, groups: &Groups, task: &Task) -> Vec<WaitEdge> {
    let TaskState::Waits { causes, .. } = &task.doing else {
        return Vec::new();
    };
    let mut links = Vec::new();
    for cause in causes {
        match cause {
            WaitTarget::Pipe(wait) => links.extend(holders(graph, wait).map(|end| WaitEdge {
                task: task.id,
                subject: Some(Subject::Pipe(wait.clone())),
                waker: Waker::from(end),
            })),
            WaitTarget::Children(children) => links.extend(meant(*children, task.id.pid, groups).map(|pid| WaitEdge {
                task: task.id,
                subject: Some(Subject::Child),
                waker: Waker { pid, tid: None, fd: None },
            })),
            WaitTarget::Threads => links.push(WaitEdge {
                task: task.id,
                subject: None,
                waker: Waker { pid: task.id.pid, tid: None, fd: None },
            }),
        }
    }
    links
}
