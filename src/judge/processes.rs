//! The one table of processes: parents, children, sessions, names, and what the main threads do. A view that borrows from the pipes and
//! the threads of an observation, and judges no pipe.
//!
//! A parent, a group or a session is taken from the threads first, which were looked at last.

use std::cell::{OnceCell, RefCell};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Groups;
use crate::model::{
    Children, CommandName, Pid, PipeGraph, Process, Sleep, SleepOn, Task, TaskId, TaskState, ThreadGroup, Tid,
    ViewLimit, WaitTarget,
};

/// For a report without threads.
pub(crate) static NO_THREADS: Groups = Groups::new();

/// No line of ancestors is longer, but those of a saved report may form a cycle.
const MOST_ANCESTORS: usize = 1000;

pub(crate) struct Processes<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    /// Made when they are asked for.
    children: OnceCell<BTreeMap<Pid, Vec<Pid>>>,
    tree: OnceCell<HashMap<Pid, Place>>,
    adopted: RefCell<HashMap<Pid, HashMap<Pid, usize>>>,
    of_unknown_parent: OnceCell<Vec<Pid>>,
}

/// Where a process is in the tree of all: it is above those that are entered after it and not after it is left.
#[derive(Debug, Clone, Copy)]
struct Place {
    entered: usize,
    left: usize,
    /// The first of its line.
    first: Pid,
}

impl<'a> Processes<'a> {
    pub(crate) fn new(graph: &'a PipeGraph, groups: &'a Groups) -> Self {
        Self {
            graph,
            groups,
            children: OnceCell::new(),
            tree: OnceCell::new(),
            adopted: RefCell::default(),
            of_unknown_parent: OnceCell::new(),
        }
    }

    /// The facts of a process, if it holds an end.
    pub(crate) fn facts(&self, pid: Pid) -> Option<&'a Process> {
        self.graph.processes.get(&pid)
    }

    /// Those of the parent of a process that is blocked in open(2), if the parent holds no end.
    pub(crate) fn beside(&self, pid: Pid) -> Option<&'a Process> {
        self.graph.beside.get(&pid)
    }

    /// Whether it is a child reaper: an init process, to which orphans are reparented.
    pub(crate) fn adopts(&self, pid: Pid) -> bool {
        self.threads(pid).is_some_and(|group| group.adopts.is_some())
    }

    pub(crate) fn threads(&self, pid: Pid) -> Option<&'a ThreadGroup> {
        self.groups.get(&pid)
    }

    /// Whether there is such a process.
    pub(crate) fn is_listed(&self, pid: Pid) -> bool {
        self.facts(pid).is_some() || self.groups.contains_key(&pid) || self.graph.parents.contains_key(&pid)
    }

    /// Whether a process that holds ends has exited by the last look at the threads. One that could not be read has not, as far as is known.
    pub(crate) fn has_ended(&self, pid: Pid) -> bool {
        let has_threads = self.groups.get(&pid).is_some_and(|group| !group.tasks.is_empty());
        !self.groups.is_empty() && !has_threads && self.graph.coverage.gaps_of(pid).next().is_none()
    }

    /// Whether a number is that of no process: neither is it listed, nor may it be one that the proc file system hides.
    pub(crate) fn is_gone(&self, pid: Pid) -> bool {
        let is_missing = !self.is_listed(pid) && self.graph.coverage.outside != Some(ViewLimit::Hidepid);
        is_missing || (self.is_listed(pid) && self.has_ended(pid))
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

    /// The ancestors of any of some.
    pub(crate) fn above(&self, pids: impl IntoIterator<Item = Pid>) -> BTreeSet<Pid> {
        let mut above = BTreeSet::new();
        for pid in pids {
            let mut at = self.parent(pid);
            while let Some(parent) = at.filter(|parent| above.insert(*parent)) {
                at = self.parent(parent);
            }
        }
        above
    }

    /// However long the line is.
    pub(crate) fn is_ancestor(&self, ancestor: Pid, pid: Pid) -> bool {
        let tree = self.tree();
        match (tree.get(&ancestor), tree.get(&pid)) {
            (Some(above), Some(below)) => above.entered < below.entered && below.left <= above.left,
            _ => self.ancestors(pid).any(|it| it == ancestor),
        }
    }

    /// Whether all of them are known, up to the first process of all.
    pub(crate) fn knows_ancestors(&self, pid: Pid) -> bool {
        let first = self.tree().get(&pid).map_or(pid, |place| place.first);
        first == Pid(1) || self.parent_or_zero(first).is_some()
    }

    /// Which of some processes descend from which.
    pub(crate) fn kin(&self, pids: &BTreeSet<Pid>) -> Kin {
        let tree = self.tree();
        let mut places: Vec<(Pid, Place)> = pids.iter().filter_map(|pid| Some((*pid, *tree.get(pid)?))).collect();
        places.sort_unstable_by_key(|(_, place)| place.entered);
        let (mut kin, mut line) = (Kin::default(), Vec::<(Pid, Place)>::new());
        for (pid, place) in places {
            while line.last().is_some_and(|(_, above)| above.left <= place.entered) {
                line.pop();
            }
            if let Some((above, _)) = line.last() {
                kin.nearest.insert(pid, *above);
            }
            kin.order.push(pid);
            line.push((pid, place));
        }
        kin
    }

    /// All processes and their parents. Parents of a saved report that form a cycle begin somewhere.
    fn tree(&self) -> &HashMap<Pid, Place> {
        self.tree.get_or_init(|| {
            let listed = self.graph.parents.keys().chain(self.graph.processes.keys()).chain(self.groups.keys());
            let pids: BTreeSet<Pid> = listed.chain(self.by_parent().keys()).copied().collect();
            let (without, with): (Vec<Pid>, Vec<Pid>) = pids.into_iter().partition(|pid| self.parent(*pid).is_none());
            let mut tree: HashMap<Pid, Place> = HashMap::new();
            let mut time = 0;
            for first in without.into_iter().chain(with) {
                // Not by recursion: a line may be long.
                let mut open = vec![(first, false)];
                while let Some((pid, is_left)) = open.pop() {
                    if is_left {
                        if let Some(place) = tree.get_mut(&pid) {
                            place.left = time;
                        }
                    } else if let Entry::Vacant(vacant) = tree.entry(pid) {
                        vacant.insert(Place { entered: time, left: time, first });
                        time += 1;
                        open.push((pid, true));
                        open.extend(self.children(pid).iter().map(|child| (*child, false)));
                    }
                }
            }
            tree
        })
    }

    /// The place of a child among those that a child reaper has got, in that order; none if it is not among them.
    pub(crate) fn place_among_adopted(&self, reaper: Pid, child: Pid) -> Option<usize> {
        let adopts = self.threads(reaper)?.adopts.as_ref()?;
        let mut adopted = self.adopted.borrow_mut();
        let places = adopted.entry(reaper).or_insert_with(|| adopts.iter().copied().zip(0..).collect());
        places.get(&child).copied()
    }

    /// Ascending.
    pub(crate) fn children(&self, pid: Pid) -> &[Pid] {
        self.by_parent().get(&pid).map_or(&[], Vec::as_slice)
    }

    fn by_parent(&self) -> &BTreeMap<Pid, Vec<Pid>> {
        self.children.get_or_init(|| {
            let listed = self.graph.parents.keys().chain(self.graph.processes.keys());
            let pids: BTreeSet<Pid> = listed.chain(self.groups.keys()).copied().collect();
            let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
            for pid in pids {
                if let Some(parent) = self.parent(pid) {
                    children.entry(parent).or_default().push(pid);
                }
            }
            children
        })
    }

    /// The children that a wait(2) of a process is for, as far as their threads were looked at. A parent of many may have a thread for each.
    pub(crate) fn awaited_children(&self, children: Children, parent: Pid) -> impl Iterator<Item = Pid> {
        let (all, one) = match children {
            Children::All => (self.children(parent), None),
            Children::One(child) => (&[][..], Some(child).filter(|child| self.parent(*child) == Some(parent))),
        };
        all.iter().copied().chain(one).filter(|pid| self.groups.contains_key(pid))
    }

    /// Whether the threads of all children that a wait(2) is for were looked at: of others it is not known that they will not exit.
    pub(crate) fn knows_awaited_children(&self, children: Children, parent: Pid) -> bool {
        match children {
            Children::One(pid) => self.groups.contains_key(&pid),
            Children::All => {
                self.children(parent).iter().all(|pid| self.groups.contains_key(pid))
                    && self.of_unknown_parent().is_empty()
            }
        }
    }

    /// The processes of which the parent is not known: each may be a child of any.
    pub(crate) fn of_unknown_parent(&self) -> &[Pid] {
        self.of_unknown_parent.get_or_init(|| {
            let listed = self.graph.parents.keys().chain(self.graph.processes.keys()).chain(self.groups.keys());
            let pids: BTreeSet<Pid> = listed.copied().filter(|pid| self.parent_or_zero(*pid).is_none()).collect();
            pids.into_iter().collect()
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
        let of_gap = || self.graph.coverage.gaps_of(pid).next().map(|gap| &gap.command);
        self.facts(pid).map(|process| &process.command).or_else(of_threads).or_else(of_gap)
    }

    /// The main thread; the first that is left where that has ended.
    fn main_thread(&self, pid: Pid) -> Option<&'a Task> {
        let group = self.threads(pid)?;
        group.task(TaskId { pid, tid: Tid(pid.0) }).or_else(|| group.tasks.first())
    }

    /// The same by its ID, also where no thread could be read.
    pub(crate) fn leader(&self, pid: Pid) -> TaskId {
        self.main_thread(pid).map_or(TaskId { pid, tid: Tid(pid.0) }, |task| task.id)
    }

    /// What the main thread was last seen to sleep on, where it is blocked in nothing that is waited for.
    pub(crate) fn sleeps_on(&self, pid: Pid) -> Option<SleepOn> {
        match self.main_thread(pid)?.last_seen() {
            TaskState::Sleeps { sleep } => Some(sleep.on),
            _ => None,
        }
    }

    /// Whether the main thread was last seen to do nothing but wait for children: in wait(2), or for a signal as zsh and timeout(1) do.
    /// None where that is not known, as of a stopped process.
    pub(crate) fn awaits_children(&self, pid: Pid) -> Option<bool> {
        match self.main_thread(pid)?.last_seen() {
            TaskState::Waits { causes, .. } => Some(causes.iter().any(|it| matches!(it, WaitTarget::Children(_)))),
            TaskState::Sleeps { sleep: Sleep { on: SleepOn::Signal, .. } } => Some(!self.children(pid).is_empty()),
            TaskState::Sleeps { .. } | TaskState::Runs => Some(false),
            TaskState::Stopped | TaskState::Traced | TaskState::Frozen | TaskState::Exits | TaskState::Unknown => None,
        }
    }
}

/// Which of some processes descend from which.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    /// Those that have another one above them, with the nearest.
    nearest: BTreeMap<Pid, Pid>,
    /// Each after all that are above it.
    order: Vec<Pid>,
}

impl Kin {
    /// Maximum number of those above one that are followed: each may be above all others.
    const MOST: usize = 64;

    /// Those above one, the nearest first; of very many, the nearest.
    pub(crate) fn above(&self, pid: Pid) -> impl Iterator<Item = Pid> {
        std::iter::successors(self.nearest.get(&pid), |pid| self.nearest.get(pid)).copied().take(Self::MOST)
    }

    /// Those above any of some.
    pub(crate) fn all_above(&self, pids: &BTreeSet<Pid>) -> BTreeSet<Pid> {
        let mut all = BTreeSet::new();
        for pid in pids {
            let mut at = self.nearest.get(pid);
            while let Some(above) = at.filter(|above| all.insert(**above)) {
                at = self.nearest.get(above);
            }
        }
        all
    }

    /// Those below any of some.
    pub(crate) fn all_below(&self, pids: &BTreeSet<Pid>) -> BTreeSet<Pid> {
        let mut all = BTreeSet::new();
        for pid in &self.order {
            if self.nearest.get(pid).is_some_and(|above| pids.contains(above) || all.contains(above)) {
                all.insert(*pid);
            }
        }
        all
    }
}

#[cfg(test)]
pub(super) mod tests;
