//! The one table of processes: parents, children, names, jobs, and what the main threads do. A view that is built once for an
//! observation, and borrows from its pipes and threads; it judges no pipe.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Pid, PipeGraph, Process, Sleep, SleepOn, Task, TaskState, ThreadGroup, WaitTarget, ancestors};

type Groups = BTreeMap<Pid, ThreadGroup>;

/// For a report without threads.
pub(crate) static NO_THREADS: Groups = Groups::new();

pub(crate) struct Processes<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    children: BTreeMap<Pid, Vec<Pid>>,
}

impl<'a> Processes<'a> {
    pub(crate) fn new(graph: &'a PipeGraph, groups: &'a Groups) -> Self {
        let mut processes = Self { graph, groups, children: BTreeMap::new() };
        let pids: BTreeSet<Pid> =
            graph.parents.keys().chain(graph.processes.keys()).chain(groups.keys()).copied().collect();
        for pid in pids {
            if let Some(parent) = processes.parent(pid) {
                processes.children.entry(parent).or_default().push(pid);
            }
        }
        processes
    }

    /// The facts of a process, if it holds an end.
    pub(crate) fn facts(&self, pid: Pid) -> Option<&'a Process> {
        self.graph.processes.get(&pid)
    }

    fn threads(&self, pid: Pid) -> Option<&'a ThreadGroup> {
        self.groups.get(&pid)
    }

    fn parent(&self, pid: Pid) -> Option<Pid> {
        let listed = || *self.graph.parents.get(&pid)?;
        let parent = self.facts(pid).and_then(|process| process.ppid).map(Pid).or_else(listed);
        parent.or_else(|| self.threads(pid)?.parent)
    }

    /// The parent, the parent of that, and so on, as far as they are known.
    pub(crate) fn ancestors(&self, pid: Pid) -> impl Iterator<Item = Pid> {
        ancestors(pid, |pid| self.parent(pid))
    }

    /// Ascending.
    pub(crate) fn children(&self, pid: Pid) -> &[Pid] {
        self.children.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// These processes and all that descend from them.
    pub(crate) fn with_descendants(&self, pids: &[Pid]) -> BTreeSet<Pid> {
        let mut family = BTreeSet::new();
        let mut next = pids.to_vec();
        while let Some(pid) = next.pop() {
            // In a saved report, parents may form a cycle.
            if family.insert(pid) {
                next.extend(self.children(pid));
            }
        }
        family
    }

    pub(crate) fn process_group(&self, pid: Pid) -> Option<u32> {
        let listed = self.facts(pid).and_then(|process| process.pgid);
        listed.or_else(|| self.threads(pid)?.pgid)
    }

    /// The command name, from whichever part of the report has it.
    #[allow(dead_code, reason = "for callers that are not converted yet")]
    pub(crate) fn name(&self, pid: Pid) -> Option<&'a [u8]> {
        let of_threads = || self.threads(pid).map(|group| group.command.as_slice());
        let of_gap = || self.graph.coverage.gaps.iter().find(|gap| gap.pid == pid).map(|gap| gap.command.as_slice());
        self.facts(pid).map(|process| process.command.as_slice()).or_else(of_threads).or_else(of_gap)
    }

    /// The main thread; the first that is left where that has ended.
    pub(crate) fn main_thread(&self, pid: Pid) -> Option<&'a Task> {
        let tasks = &self.threads(pid)?.tasks;
        tasks.iter().find(|task| task.id.is_leader()).or_else(|| tasks.first())
    }

    /// Whether the main thread does nothing but wait for children: in wait(2), or for a signal as zsh and timeout(1) do. None where
    /// that is not known, as of a stopped process.
    pub(crate) fn awaits_children(&self, pid: Pid) -> Option<bool> {
        match &self.main_thread(pid)?.doing {
            TaskState::Waits { causes, .. } => Some(causes.iter().any(|it| matches!(it, WaitTarget::Children(_)))),
            TaskState::Sleeps { sleep: Sleep { on: SleepOn::Signal, .. } } => Some(!self.children(pid).is_empty()),
            TaskState::Sleeps { .. } | TaskState::Runs => Some(false),
            TaskState::Stopped | TaskState::Traced | TaskState::Frozen | TaskState::Exits | TaskState::Unknown => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
