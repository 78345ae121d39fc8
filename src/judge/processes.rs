//! The one table of processes: parents, children, sessions, names, and what the main threads do. A view that borrows from the pipes and
//! the threads of an observation, and judges no pipe.
//!
//! A parent, a group or a session is taken from the threads first, which were looked at last.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Groups;
use crate::model::{
    Children, CommandName, Pid, PipeGraph, Process, Sleep, SleepOn, Task, TaskId, TaskState, ThreadGroup, Tid,
    WaitTarget,
};

/// For a report without threads.
pub(crate) static NO_THREADS: Groups = Groups::new();

/// No line of ancestors is longer, but those of a saved report may form a cycle.
const MOST_ANCESTORS: usize = 1000;

pub(crate) struct Processes<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    /// Made when it is asked for.
    children: OnceCell<BTreeMap<Pid, Vec<Pid>>>,
    unknown_parent: OnceCell<bool>,
}

impl<'a> Processes<'a> {
    pub(crate) const fn new(graph: &'a PipeGraph, groups: &'a Groups) -> Self {
        Self { graph, groups, children: OnceCell::new(), unknown_parent: OnceCell::new() }
    }

    /// The facts of a process, if it holds an end.
    pub(crate) fn facts(&self, pid: Pid) -> Option<&'a Process> {
        self.graph.processes.get(&pid)
    }

    pub(crate) fn threads(&self, pid: Pid) -> Option<&'a ThreadGroup> {
        self.groups.get(&pid)
    }

    /// Whether there is such a process.
    pub(crate) fn is_listed(&self, pid: Pid) -> bool {
        self.facts(pid).is_some() || self.groups.contains_key(&pid) || self.graph.parents.contains_key(&pid)
    }

    /// None where it is not known, and where none is in the PID namespace.
    pub(crate) fn parent(&self, pid: Pid) -> Option<Pid> {
        self.parent_or_zero(pid).filter(|parent| *parent != Pid(0))
    }

    /// As in /proc: 0 where it was started from outside of the PID namespace.
    pub(crate) fn parent_or_zero(&self, pid: Pid) -> Option<Pid> {
        let of_facts = || self.facts(pid)?.ppid.map(Pid);
        let listed = || *self.graph.parents.get(&pid)?;
        self.threads(pid).and_then(|group| group.parent).or_else(of_facts).or_else(listed)
    }

    /// The parent, the parent of that, and so on, as far as they are known.
    pub(crate) fn ancestors(&self, pid: Pid) -> impl Iterator<Item = Pid> {
        std::iter::successors(self.parent(pid), |pid| self.parent(*pid)).take(MOST_ANCESTORS)
    }

    pub(crate) fn is_ancestor(&self, ancestor: Pid, pid: Pid) -> bool {
        self.ancestors(pid).any(|it| it == ancestor)
    }

    /// Whether all of them are known, up to the first process of all.
    pub(crate) fn knows_ancestors(&self, pid: Pid) -> bool {
        let first = self.ancestors(pid).last().unwrap_or(pid);
        first == Pid(1) || self.parent_or_zero(first).is_some()
    }

    /// Ascending.
    pub(crate) fn children(&self, pid: Pid) -> &[Pid] {
        let children = self.children.get_or_init(|| {
            let listed = self.graph.parents.keys().chain(self.graph.processes.keys());
            let pids: BTreeSet<Pid> = listed.chain(self.groups.keys()).copied().collect();
            let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
            for pid in pids {
                if let Some(parent) = self.parent(pid) {
                    children.entry(parent).or_default().push(pid);
                }
            }
            children
        });
        children.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// The children that a wait(2) of a process is for, as far as their threads were looked at.
    pub(crate) fn awaited_children(&self, children: Children, parent: Pid) -> impl Iterator<Item = Pid> {
        let is_meant = move |pid: &Pid| children == Children::All || children == Children::One(*pid);
        self.children(parent).iter().copied().filter(move |pid| is_meant(pid) && self.groups.contains_key(pid))
    }

    /// Whether the threads of all children that a wait(2) is for were looked at: of others it is not known that they will not exit.
    pub(crate) fn knows_awaited_children(&self, children: Children, parent: Pid) -> bool {
        match children {
            Children::One(pid) => self.groups.contains_key(&pid),
            Children::All => {
                self.children(parent).iter().all(|pid| self.groups.contains_key(pid)) && !self.has_unknown_parent()
            }
        }
    }

    /// Whether there is a process of which the parent is not known.
    fn has_unknown_parent(&self) -> bool {
        *self.unknown_parent.get_or_init(|| {
            let listed = self.graph.parents.keys().chain(self.graph.processes.keys()).chain(self.groups.keys());
            listed.copied().any(|pid| self.parent_or_zero(pid).is_none())
        })
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
        self.threads(pid).and_then(|group| group.pgid).or_else(|| self.facts(pid)?.pgid)
    }

    pub(crate) fn session(&self, pid: Pid) -> Option<u32> {
        self.threads(pid).and_then(|group| group.sid).or_else(|| self.facts(pid)?.sid)
    }

    /// The command name, from whichever part of the report has it.
    pub(crate) fn name(&self, pid: Pid) -> Option<&'a CommandName> {
        let of_threads = || self.threads(pid).map(|group| &group.command);
        let of_gap = || self.graph.coverage.gaps.iter().find(|gap| gap.pid == pid).map(|gap| &gap.command);
        self.facts(pid).map(|process| &process.command).or_else(of_threads).or_else(of_gap)
    }

    /// The main thread; the first that is left where that has ended.
    fn main_thread(&self, pid: Pid) -> Option<&'a Task> {
        let tasks = &self.threads(pid)?.tasks;
        tasks.iter().find(|task| task.id.is_leader()).or_else(|| tasks.first())
    }

    /// The same by its ID, also where no thread could be read.
    pub(crate) fn leader(&self, pid: Pid) -> TaskId {
        self.main_thread(pid).map_or(TaskId { pid, tid: Tid(pid.0) }, |task| task.id)
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
