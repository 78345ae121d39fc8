//! Whether the reader of a full channel waits for its writer in turn.

use std::collections::{BTreeMap, VecDeque};

use super::{Full, MOST_CAUSES, Stalls};
use crate::judge::deadlock::WaitEdge;
use crate::judge::waits::WakersOf;
use crate::model::{AlternativeWake, Children, Pid, Side, Task, TaskState, WaitTarget, Waker};

/// Maximum number of processes that are followed from one channel.
const MOST_REACHED: usize = 256;

impl Stalls<'_> {
    /// The steps by which the only reader of a full channel waits for its writer: for its exit, for its answer, or because both are one.
    pub(super) fn circle(&self, full: &Full<'_>) -> Vec<WaitEdge> {
        if full.users.len() > 1 {
            return Vec::new();
        }
        // By the readers, each process is reached by the edge that led to it; the readers by none.
        let ends = || full.pipe.side(Side::Read).filter(|end| full.users.contains(&end.pid));
        let mut reached: BTreeMap<Pid, Option<WaitEdge>> = ends().map(|end| (end.pid, None)).collect();
        let mut next: VecDeque<Pid> = reached.keys().copied().collect();
        let mut found = None;
        // Of each process the first thread.
        let writers: BTreeMap<Pid, &Task> = full.writers.iter().rev().map(|task| (task.id.pid, *task)).collect();
        while let Some(pid) = next.pop_front() {
            if let Some(writer) = writers.get(&pid) {
                found = Some(*writer);
                break;
            }
            if reached.len() > MOST_REACHED {
                continue;
            }
            let tasks = self.groups.get(&pid).map_or(&[][..], |group| &group.tasks);
            // A loop that wakes now and then waits for no process in particular.
            let is_waiting = |task: &&Task| {
                task.woke.is_none()
                    && !matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Timeout), .. })
            };
            let waits = tasks.iter().filter(is_waiting);
            for (task, cause) in
                waits.flat_map(|task| task.doing.causes().iter().take(MOST_CAUSES).map(move |cause| (task, cause)))
            {
                if matches!(cause, WaitTarget::Pipe(wait) if wait.pipe == Some(full.pipe.id)) {
                    continue;
                }
                let wakers = self.wakers.of(WakersOf::wait(pid, cause));
                let direct = wakers.iter().filter(|waker| writers.contains_key(&waker.pid));
                for waker in direct.chain(wakers.iter().take(MOST_REACHED)) {
                    reached.entry(waker.pid).or_insert_with(|| {
                        next.push_back(waker.pid);
                        let target = match cause {
                            WaitTarget::Children(_) => WaitTarget::Children(Children::One(waker.pid)),
                            other => other.clone(),
                        };
                        Some(WaitEdge { task: task.id, target, waker: *waker })
                    });
                }
            }
        }
        let Some(writer) = found else { return Vec::new() };
        let mut circle = Vec::new();
        let mut at = writer.id.pid;
        while let Some(edge) = reached.remove(&at).flatten() {
            at = edge.task.pid;
            circle.push(edge);
        }
        let write = writer.last_seen().pipe_waits().find(|wait| wait.pipe == Some(full.pipe.id));
        let (Some(write), Some(end)) = (write, ends().find(|end| end.pid == at)) else { return Vec::new() };
        circle.push(WaitEdge { task: writer.id, target: WaitTarget::Pipe(write.clone()), waker: Waker::from(end) });
        circle.reverse();
        circle
    }
}
