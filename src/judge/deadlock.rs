//! Deadlocks: threads that wait for each other, where no process outside could end that, and what casts doubt on it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Groups;
use super::opening::OpeningCircle;
use super::prospect::is_long;
use super::side::{Unread, is_known_held};
use super::stuck::{Knot, Node, knots, stuck};
use super::waits::{NumberedSets, SIGCHLD, WakerSets, WakersOf, sigchld_children};
use crate::model::{
    AccessMode, Children, Doubt, Doubts, Operation, Pid, Pipe, PipeGraph, PipeId, PipeWait, Side, Task, TaskId,
    TaskState, ThreadGroup, WaitTarget, Waker,
};

/// Signals that a program catches in order to act on them, as opposed to those that only end it or report its faults: SIGHUP,
/// SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCHLD, SIGWINCH, SIGIO, and the real-time signals that libraries leave free.
const ACTED_ON: u64 =
    bit(1) | bit(3) | bit(10) | bit(12) | bit(14) | bit(15) | bit(17) | bit(28) | bit(29) | !(bit(35) - 1);

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Whether a process catches a signal in order to act on it, other than SIGCHLD, which its children account for.
pub(crate) const fn acts_on_signals(group: &ThreadGroup) -> bool {
    group.catches & ACTED_ON & !SIGCHLD != 0
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
    /// Whether one of their processes has a thread that might act, or may be woken by something else, but does not: true, or missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inferred: bool,
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

/// The deadlocks, and all threads that are blocked in one or behind one. An opener of a FIFO in a circle counts as waiting for the process that
/// is to open the other side, and the circle gets what is blocked behind it.
pub(crate) fn find(
    graph: &PipeGraph,
    groups: &Groups,
    wakers: &WakerSets<'_>,
    unread: &Unread<'_>,
    circles: &mut [OpeningCircle],
) -> (Vec<Deadlock>, BTreeSet<TaskId>) {
    // A process without threads, exited or not listable, counts as awake: it has no number.
    let listed = || groups.values().filter(|group| !group.tasks.is_empty());
    let number_of: BTreeMap<Pid, usize> = listed().map(|group| group.pid).zip(0..).collect();
    let tasks: Vec<&Task> = listed().flat_map(|group| &group.tasks).collect();
    let traced = groups.values().filter_map(|group| group.tracer).collect();
    let case = Case { graph, groups, wakers, unread, traced };
    let numbered = NumberedSets::new(wakers, &number_of);
    let openers = circles.iter().filter_map(|circle| circle.waits.cycle.first());
    let openers = openers.map(|edge| (edge.task, edge.waker.pid)).collect();
    let mut sets = Sets { case: &case, numbered, waiting_for_others: BTreeMap::new(), openers };
    let node = |task: &&Task| Node { process: number_of[&task.id.pid], wakers: sets.of(task) };
    let nodes: Vec<Node> = tasks.iter().map(node).collect();
    let sets = sets.numbered.members;
    let is_stuck = stuck(&nodes, &sets, number_of.len());
    let is_it = |(task, is_stuck): (&&Task, &bool)| is_stuck.then_some(task.id);
    let mut all: BTreeSet<TaskId> = tasks.iter().zip(&is_stuck).filter_map(is_it).collect();
    let deadlock = |knot: &Knot| {
        let of = |threads: &[usize]| -> Vec<&Task> { threads.iter().map(|thread| tasks[*thread]).collect() };
        let (inside, behind) = (of(&knot.inside), of(&knot.behind));
        let is_in =
            |circle: &&mut OpeningCircle| inside.iter().any(|task| circle.waits.blocked.first() == Some(&task.id));
        let mut is_opening = false;
        for circle in circles.iter_mut().filter(is_in) {
            let others =
                inside.iter().chain(&behind).map(|task| task.id).filter(|id| !circle.waits.blocked.contains(id));
            circle.waits.blocked_behind = others.collect();
            is_opening = true;
        }
        if case.is_pool_at_rest(&inside) {
            // It is no reason for silence about its pipes.
            for task in inside {
                all.remove(&task.id);
            }
            return None;
        }
        if is_opening { None } else { case.deadlock(&inside, &behind) }
    };
    let deadlocks = knots(&nodes, &sets, &is_stuck, number_of.len()).iter().filter_map(deadlock).collect();
    (deadlocks, all)
}

/// The processes that could end waits, each set once.
struct Sets<'a> {
    case: &'a Case<'a>,
    numbered: NumberedSets<'a>,
    waiting_for_others: BTreeMap<Pid, bool>,
    /// The threads in circles that open a FIFO, each with the process that is to open the other side.
    openers: BTreeMap<TaskId, Pid>,
}

impl Sets<'_> {
    /// Those that could end the wait of a thread; none if it does not wait, or if others may be able to.
    fn of(&mut self, task: &Task) -> Option<Vec<usize>> {
        let TaskState::Waits { causes, besides: None } = &task.doing else { return None };
        let group = self.case.groups.get(&task.id.pid)?;
        if let Some(other) = self.openers.get(&task.id) {
            return Some(vec![self.numbered.set(WakersOf::Threads(*other))?]);
        }
        // What is queued in an io_uring goes on without any thread.
        if self.case.graph.hidden.rings.binary_search(&group.pid).is_ok() {
            return None;
        }
        // What watches a read end for a hang-up only has chosen not to read: that is a stalled reader, which may choose otherwise.
        let only_watches = |wait: &PipeWait| wait.operation == Operation::Hangup && wait.access == AccessMode::Read;
        if task.doing.pipe_waits().any(only_watches) {
            return None;
        }
        let (mut sets, mut is_handled) = (Vec::new(), false);
        for cause in causes {
            let set = self.numbered.set(WakersOf::wait(group.pid, cause))?;
            // With no process there it would not wait: so there is one that is not seen.
            if self.numbered.members[set].is_empty() || self.others_may_wake(task, cause) {
                return None;
            }
            is_handled |= may_be_handled(group, cause) && self.numbered.has(set, group.pid);
            sets.push(set);
        }
        let is_left_open = || self.case.is_left_open(group.pid, causes);
        if is_handled && !(is_long(task.idle) && (is_left_open() || self.waits_for_others(group))) {
            return None;
        }
        if let Some(children) = sigchld_children(group).filter(|_| task.doing.pipe_waits().next().is_some()) {
            sets.push(self.numbered.set(children)?);
        }
        sets.sort_unstable();
        sets.dedup();
        Some(sets)
    }

    /// Whether a process has been waiting for another one for long. What waits for nothing but its own signal handlers is as intended; one
    /// that waits for an answer as well is not likely to be released by a signal, which is a doubt.
    fn waits_for_others(&mut self, group: &ThreadGroup) -> bool {
        if let Some(known) = self.waiting_for_others.get(&group.pid) {
            return *known;
        }
        let tasks = group.tasks.iter().filter(|task| is_long(task.idle));
        let mut waits = tasks.flat_map(|task| task.doing.pipe_waits());
        let is_for_others = waits.any(|wait| {
            let target = WaitTarget::Pipe(wait.clone());
            self.case.wakers.of_wait(group.pid, &target).iter().any(|waker| waker.pid != group.pid)
        });
        self.waiting_for_others.insert(group.pid, is_for_others);
        is_for_others
    }

    /// Whether something else than the processes that are seen may end a wait.
    fn others_may_wake(&self, task: &Task, cause: &WaitTarget) -> bool {
        match cause {
            WaitTarget::Pipe(wait) => {
                let mut sides = wait.awaited();
                let is_held = |pipe| sides.any(|side| is_known_held(self.case.graph, pipe, side));
                wait.pipe.is_some_and(is_held) || self.case.may_be_opened(task, wait)
            }
            WaitTarget::Children(_) => self.case.traced.contains(&task.id.pid),
            // Only its holders can post it; which they are is known of one that is listed (`WakerSets::are_known`).
            WaitTarget::Threads | WaitTarget::Lock(_) | WaitTarget::Event(_) | WaitTarget::FileLock(_) => false,
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
    /// Whether it waits for a writer of a FIFO that has a path: a server that waits for its clients is no deadlock. One whose writers wait
    /// for nothing but its exit has no clients: that another process may open it is only a doubt.
    fn may_be_opened(&self, task: &Task, wait: &PipeWait) -> bool {
        let pipe = wait.pipe.and_then(|id| self.graph.pipe(id)).filter(|pipe| pipe.has_name());
        pipe.is_some_and(|pipe| {
            wait.awaited().any(|side| side == Side::Write) && !self.is_awaited_by_writers(task, wait, pipe)
        })
    }

    /// Whether all other processes with a write end have done nothing for long but wait in wait(2) for the reader, their only child, and catch no
    /// signal that they would act on. Who opens a FIFO `O_RDWR` does that to keep it open for others.
    fn is_awaited_by_writers(&self, reader: &Task, wait: &PipeWait, pipe: &Pipe) -> bool {
        let awaits_it = |pid: Pid| {
            let group = self.groups.get(&pid).filter(|group| !acts_on_signals(group));
            let Some([task]) = group.map(|group| &group.tasks[..]) else { return false };
            let TaskState::Waits { causes, besides: None } = &task.doing else { return false };
            let [cause @ WaitTarget::Children(_)] = &causes[..] else { return false };
            let children = self.wakers.of_wait(pid, cause);
            is_long(task.idle) && !children.is_empty() && children.iter().all(|child| child.pid == reader.id.pid)
        };
        let mut others = pipe.on(Side::Write).filter(|pid| *pid != reader.id.pid).peekable();
        wait.operation == Operation::Read
            && is_long(reader.idle)
            && pipe.side(Side::Write).all(|end| end.access == AccessMode::Write)
            && others.peek().is_some()
            && others.all(awaits_it)
    }

    /// Whether a process waits for one pipe, perhaps beside eventfds, and has its write end open as no self-pipe has it: a write to a self-pipe
    /// comes from a signal handler, which must not block. Where the flags are not known, it is not.
    fn is_left_open(&self, pid: Pid, causes: &[WaitTarget]) -> bool {
        let mut others = causes.iter().filter(|cause| !matches!(cause, WaitTarget::Event(_)));
        let (Some(WaitTarget::Pipe(wait)), None) = (others.next(), others.next()) else { return false };
        let pipe = wait.pipe.filter(|id| id.kind().is_pipe()).and_then(|id| self.graph.pipe(id));
        let ends = pipe.into_iter().flat_map(|pipe| pipe.side(Side::Write)).filter(|end| end.pid == pid);
        let mut blocking = ends.map(|end| end.flags.is_some_and(|flags| !flags.is_nonblocking())).peekable();
        wait.access == AccessMode::Read && blocking.peek().is_some() && blocking.all(|is_it| is_it)
    }

    /// Whether a knot is a pool of workers at rest: one reads the queue of tasks, the others wait for the lock that it has meanwhile, and their
    /// parent, which is one of them, for an answer, a signal or any child. None is blocked on a full channel, nor in wait(2) for a certain one
    /// of them: what does that gives no task.
    fn is_pool_at_rest(&self, inside: &[&Task]) -> bool {
        let pids: BTreeSet<Pid> = inside.iter().map(|task| task.id.pid).collect();
        let is_lock = |cause: &WaitTarget| matches!(cause, WaitTarget::Lock(_) | WaitTarget::FileLock(_));
        let at_lock = |task: &&Task| task.doing.causes().iter().any(is_lock);
        let parent = |pid: Pid| self.groups.get(&pid)?.parent;
        // Without one, the process that had the lock has ended. The parent is to write to the queue.
        let reads_queue = |task: &&Task| {
            let queue = task.doing.pipe_waits().next();
            let pipe = queue.and_then(|wait| self.graph.pipe(wait.pipe?));
            let writes = |pid: Pid| pipe.is_none_or(|pipe| pipe.on(Side::Write).any(|holder| holder == pid));
            queue.is_some() && parent(task.id.pid).is_none_or(|parent| pids.contains(&parent) && writes(parent))
        };
        let awaits_exit = |task: &&Task| {
            let causes = task.doing.causes().iter();
            let mut child = causes.filter(|cause| matches!(cause, WaitTarget::Children(Children::One(_))));
            child.any(|cause| self.wakers.of_wait(task.id.pid, cause).iter().any(|child| pids.contains(&child.pid)))
        };
        let mut waits = inside.iter().flat_map(|task| task.doing.pipe_waits());
        inside.iter().any(at_lock)
            && !inside.iter().any(awaits_exit)
            && inside.iter().any(reads_queue)
            && !waits.any(|wait| wait.operation == Operation::Write)
    }

    /// A knot with its pipes; none where no pipe is in it, nor behind it.
    fn deadlock(&self, inside: &[&Task], behind: &[&Task]) -> Option<Deadlock> {
        let pipes_of = |tasks: &[&Task]| -> BTreeSet<PipeId> {
            tasks.iter().flat_map(|task| task.doing.pipe_waits()).filter_map(|wait| wait.pipe).collect()
        };
        let pipes = [inside, behind].map(pipes_of).into_iter().find(|pipes| !pipes.is_empty())?;
        let waits: Vec<&PipeWait> = inside.iter().flat_map(|task| task.doing.pipe_waits()).collect();
        let pids: BTreeSet<Pid> = inside.iter().map(|task| task.id.pid).collect();
        // Many may wait for the same.
        let alike: BTreeMap<_, &PipeWait> = waits.iter().map(|wait| ((wait.pipe, wait.access), *wait)).collect();
        let mut sides = BTreeSet::new();
        let mut named = BTreeSet::new();
        for wait in alike.values() {
            if let Some(pipe) = wait.pipe {
                sides.extend(wait.awaited().map(|side| (pipe, side)));
                named.extend(self.graph.pipe(pipe).filter(|pipe| pipe.has_name()).map(|pipe| Doubt::Name(pipe.id)));
            }
        }
        let mut doubts = self.unread.of_sides(sides);
        doubts.extend(named);
        let handler = |group: &&ThreadGroup| acts_on_signals(group) && !waits.is_empty();
        let handlers = pids.iter().filter_map(|pid| self.groups.get(pid)).filter(handler);
        doubts.extend(handlers.map(|group| Doubt::Handler(group.pid)));
        let mut cycle = self.cycle(inside, &pids, true);
        if cycle.is_empty() {
            cycle = self.cycle(inside, &pids, false);
        }
        // A socket and a terminal may have a timeout that nothing shows: SO_RCVTIMEO of socket(7), VTIME of termios(3).
        let may_time_out = |wait: &&PipeWait| {
            matches!(wait.operation, Operation::Read | Operation::Write)
                && wait.pipe.is_some_and(|pipe| !pipe.kind().is_pipe())
        };
        // What shares an open file may have no descriptor of it: it is in flight, or mapped.
        let at_file = |task: &&Task| task.doing.causes().iter().any(|cause| matches!(cause, WaitTarget::FileLock(_)));
        let inferred = waits.iter().any(may_time_out) || inside.iter().any(at_file);
        let mut blocked: Vec<TaskId> = cycle.iter().map(|edge| edge.task).collect();
        let in_cycle: BTreeSet<TaskId> = blocked.iter().copied().collect();
        blocked.extend(inside.iter().map(|task| task.id).filter(|id| !in_cycle.contains(id)));
        Some(Deadlock {
            waits: WaitCycle { cycle, blocked, blocked_behind: behind.iter().map(|task| task.id).collect(), inferred },
            pipes: pipes.into_iter().collect(),
            doubts,
        })
    }

    /// A shortest cycle through a knot, from its first process on; empty if there is none. If asked, of all that share a lock, only those
    /// that are blocked in a pipe count, if there are any: they are the likeliest to have it.
    fn cycle(&self, inside: &[&Task], pids: &BTreeSet<Pid>, by_likely: bool) -> Vec<WaitEdge> {
        let Some(start) = pids.first().copied() else { return Vec::new() };
        let at_pipe: BTreeSet<Pid> =
            inside.iter().filter(|task| task.doing.pipe_waits().next().is_some()).map(|task| task.id.pid).collect();
        // Breadth first, by processes; each is reached by the edge that led to it. What is shared by many leads nowhere new again.
        let (mut reached, mut followed) = (BTreeMap::new(), BTreeSet::new());
        let mut next = VecDeque::from([start]);
        while let Some(pid) = next.pop_front().filter(|_| !reached.contains_key(&start)) {
            let first = inside.partition_point(|task| task.id.pid < pid);
            let own = inside[first..].iter().take_while(|task| task.id.pid == pid);
            let mut ways: Vec<Way> = own.flat_map(|task| self.ways(task)).collect();
            // A pipe says more than a signal, that more than a poll for a hang-up, and that more than a futex.
            ways.sort_by_key(|way| match (way.by, way.cause) {
                (WakersOf::Pipe(_), Some(WaitTarget::Pipe(wait))) if wait.operation == Operation::Hangup => 2,
                (WakersOf::Pipe(_), _) => 0,
                (WakersOf::Children(..), _) => 1,
                (WakersOf::Threads(_) | WakersOf::Lock(_) | WakersOf::Event(_) | WakersOf::FileLock(_), _) => 3,
            });
            for way in ways {
                // Within a process among several, its threads say nothing of the others.
                let leads_out = |waker: &&Waker| pids.len() == 1 || waker.pid != pid;
                if followed.contains(&way.by) {
                    continue;
                }
                let wakers = self.wakers.of(way.by);
                let is_lock = matches!(way.by, WakersOf::Lock(_));
                let is_any = by_likely && is_lock && wakers.iter().any(|it| it.pid != pid && at_pipe.contains(&it.pid));
                let is_way = |waker: &&Waker| leads_out(waker) && (!is_any || at_pipe.contains(&waker.pid));
                for waker in wakers.iter().filter(is_way) {
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
                cycle.reverse();
                return cycle;
            }
        }
        Vec::new()
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
/// Whether a signal handler of its process may end a wait, if the process has the other end: the self-pipe trick, or an eventfd.
fn may_be_handled(group: &ThreadGroup, cause: &WaitTarget) -> bool {
    match cause {
        WaitTarget::Pipe(wait) => {
            matches!(wait.operation, Operation::Poll | Operation::Hangup) && acts_on_signals(group)
        }
        WaitTarget::Event(_) => group.catches & ACTED_ON != 0,
        WaitTarget::Children(_) | WaitTarget::Threads | WaitTarget::Lock(_) | WaitTarget::FileLock(_) => false,
    }
}
