//! Whether a process is likely to go on: it, or what it waits for, works, sleeps for a time, or waits for something that is alive. Not a proof,
//! as a [`deadlock`](super::deadlock) is: it separates a slow consumer from one that has stopped consuming.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Groups;
use super::stuck::{Node, stuck};
use super::waits::{NumberedSets, WakerSets, WakersOf};
use crate::model::{
    AlternativeWake, Operation, OtherFile, Pid, PipeGraph, PipeId, PipeWait, Sleep, SleepOn, Socket, SocketFamily,
    SocketState, Task, TaskState, ThreadGroup, WaitTarget, link,
};

/// A writer that has not run for this long has seen no read in that time. Less may be a slow reader.
const LONG: Duration = Duration::from_secs(10);

/// Whether a time is known, and long.
pub(crate) fn is_long(idle: Option<Duration>) -> bool {
    idle.is_some_and(|idle| idle >= LONG)
}

/// Whether it is known of any thread for how long it has not run: a kernel without `CONFIG_SCHED_DEBUG`
/// does not say, and a saved tree need not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdleTimes {
    are_known: bool,
}

impl IdleTimes {
    pub(crate) fn of(groups: &Groups) -> Self {
        Self { are_known: groups.values().flat_map(|group| &group.tasks).any(|task| task.idle.is_some()) }
    }

    /// Whether a thread counts as one that has not run for long. If the time is known of others only, it does not.
    pub(crate) fn may_be_long(self, idle: Option<Duration>) -> bool {
        is_long(idle) || !self.are_known
    }
}

/// One in so many of the time between two looks is work: a timer that ticks takes less.
const IDLE_SHARE: u64 = 20;

/// The processes that are likely to go on.
pub(crate) struct Prospects {
    going_on: BTreeSet<Pid>,
}

impl Prospects {
    /// With the full channels that are known to be read on: a thread that has been blocked for long on any other does not go on.
    pub(crate) fn of(graph: &PipeGraph, groups: &Groups, wakers: &WakerSets<'_>, read_on: &BTreeSet<PipeId>) -> Self {
        let number_of: BTreeMap<Pid, usize> = groups.keys().copied().zip(0..).collect();
        let mut sets = Sets { graph, numbered: NumberedSets::new(wakers, &number_of), read_on };
        let mut nodes = Vec::new();
        for group in groups.values() {
            let is_blocked = group.tasks.iter().any(|task| is_blocked_for_long(task, read_on));
            let process = number_of[&group.pid];
            // Of one that was given up, nothing is known.
            if works(group) || group.tasks.is_empty() {
                nodes.push(Node { process, wakers: None });
            }
            nodes.extend(group.tasks.iter().map(|task| Node { process, wakers: sets.of(task, is_blocked) }));
        }
        let is_stuck = stuck(&nodes, &sets.numbered.members, number_of.len());
        let going: BTreeSet<usize> =
            nodes.iter().zip(&is_stuck).filter(|(_, is_stuck)| !**is_stuck).map(|(node, _)| node.process).collect();
        let going_on = number_of.iter().filter(|(_, number)| going.contains(number)).map(|(pid, _)| *pid).collect();
        Self { going_on }
    }

    /// Whether a process is likely to go on. One that was not looked at may.
    pub(crate) fn goes_on(&self, groups: &Groups, pid: Pid) -> bool {
        self.going_on.contains(&pid) || !groups.contains_key(&pid)
    }
}

/// What the waits of threads lead to.
struct Sets<'a> {
    graph: &'a PipeGraph,
    numbered: NumberedSets<'a>,
    /// The channels that are known to be read on.
    read_on: &'a BTreeSet<PipeId>,
}

impl Sets<'_> {
    /// The processes that could end the wait of a thread; none if the thread is likely to go on by itself, and empty if nothing is known that
    /// lets it go on. In a process with a thread that has been blocked for long, those that tick or wait for a signal do not count.
    fn of(&mut self, task: &Task, is_blocked: bool) -> Option<Vec<usize>> {
        if is_blocked_for_long(task, self.read_on) {
            return Some(Vec::new());
        }
        match task.last_seen() {
            TaskState::Runs | TaskState::Unknown => is_blocked.then(Vec::new),
            TaskState::Stopped | TaskState::Traced | TaskState::Frozen | TaskState::Exits => Some(Vec::new()),
            TaskState::Sleeps { sleep: Sleep { on: SleepOn::FileInPipe { .. }, .. } } => Some(Vec::new()),
            TaskState::Sleeps { .. } | TaskState::Waits { besides: Some(AlternativeWake::Timeout), .. }
                if !is_blocked =>
            {
                None
            }
            TaskState::Sleeps { .. } => Some(Vec::new()),
            TaskState::Waits { besides: Some(AlternativeWake::Files), .. }
                if !is_blocked || is_answered(self.graph, &task.others) =>
            {
                None
            }
            TaskState::Waits { causes, .. } => {
                // That threads wait for each other says nothing of the process; another may go on.
                let others = causes.iter().filter(|cause| !matches!(cause, WaitTarget::Threads));
                others.map(|cause| self.set(task.id.pid, cause)).collect()
            }
        }
    }

    fn set(&mut self, pid: Pid, cause: &WaitTarget) -> Option<usize> {
        let set = self.numbered.set(WakersOf::wait(pid, cause));
        // With no process there it would not wait, so there is one that is not seen.
        set.filter(|set| !self.numbered.members[*set].is_empty())
    }
}

/// Whether a thread has been blocked for long on a full channel other than these.
fn is_blocked_for_long(task: &Task, read_on: &BTreeSet<PipeId>) -> bool {
    // A poll for several things waits for none of them in particular.
    let is_alone = matches!(&task.doing, TaskState::Waits { causes, besides: None } if causes.len() == 1);
    let is_stalled = |wait: &PipeWait| {
        (wait.operation == Operation::Write || wait.full && is_alone)
            && wait.pipe.is_none_or(|pipe| !read_on.contains(&pipe))
    };
    is_long(task.idle) && task.doing.pipe_waits().any(is_stalled)
}

/// Whether a process did more between two looks than to wake now and then; false if that is not known.
pub(crate) fn works(group: &ThreadGroup) -> bool {
    group.activity.is_some_and(|it| it.uses_cpu(IDLE_SHARE) || it.read > Some(0) || it.written > Some(0))
}

/// Whether a process computes; true if it is running and that is not known.
pub(crate) fn computes(group: &ThreadGroup) -> bool {
    let runs = || group.tasks.iter().any(|task| matches!(task.last_seen(), TaskState::Runs));
    group.activity.map_or_else(runs, |it| it.uses_cpu(IDLE_SHARE))
}

/// Whether any of these files is a connection of which the other end is alive, as far as the kernel knows.
pub(crate) fn is_answered(graph: &PipeGraph, files: &[OtherFile]) -> bool {
    answered(graph, files).next().is_some()
}

/// Those that are, by inode.
pub(crate) fn answered(graph: &PipeGraph, files: &[OtherFile]) -> impl Iterator<Item = u64> {
    let is_alive = |socket: &Socket| {
        matches!(socket.state, Some(SocketState::Established | SocketState::Connecting))
            && (socket.family == SocketFamily::Unix || socket.peer.is_some())
    };
    let inodes = files.iter().filter_map(|file| link::socket(file.target.as_ref()?));
    inodes.filter(move |inode| graph.waited.sockets.get(inode).is_some_and(is_alive))
}
