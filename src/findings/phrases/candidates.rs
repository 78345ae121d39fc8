//! Which processes may hold an end that was not seen, where fd tables could not be read: those that belong to the same job by what any user
//! may read of them in /proc/PID/stat.

use super::{Phrases, list};
use crate::model::{Pid, ThreadGroup, UnreadablePart};

/// Maximum number of processes that are looked at: each finding may ask.
const MOST_LOOKED_AT: usize = 1000;

impl Phrases<'_> {
    /// Of the processes whose fd tables could not be read: those of the session or process group of this one, and orphans that have been
    /// started since. Orphans first, since those are what is left of a job; `the orphan sleep (PID 252) and sh (PID 250)`.
    pub(crate) fn likely_holders(&self, of: Pid) -> Option<String> {
        let candidates = self.of_same_job(of);
        (!candidates.is_empty()).then(|| {
            list(candidates, |group| {
                let name = self.process(group.pid, None);
                if is_orphan(group) { format!("the orphan {name}") } else { name }
            })
        })
    }

    fn of_same_job(&self, of: Pid) -> Vec<&ThreadGroup> {
        let Some(own) = self.groups.get(&of) else { return Vec::new() };
        let gaps = self.graph.coverage.gaps.iter();
        let unread = gaps.filter(|gap| matches!(gap.what, UnreadablePart::FdTable | UnreadablePart::FdLinks));
        let groups = unread.take(MOST_LOOKED_AT).filter_map(|gap| self.groups.get(&gap.pid));
        // One without threads has exited, and holds nothing.
        let others = groups.filter(|group| group.pid != of && !group.tasks.is_empty());
        let mut candidates: Vec<&ThreadGroup> = others.filter(|group| may_be_of_job(group, own)).collect();
        candidates.sort_by_key(|group| (!is_orphan(group), group.pid));
        candidates.dedup_by_key(|group| group.pid);
        candidates
    }
}

/// Whether its parent has ended, so that init has it.
fn is_orphan(group: &ThreadGroup) -> bool {
    group.parent == Some(Pid(1))
}

fn may_be_of_job(group: &ThreadGroup, own: &ThreadGroup) -> bool {
    // 0 is that of a process from outside of the PID namespace.
    let same = |one: Option<u32>, other: Option<u32>| one.is_some_and(|id| id != 0 && other == Some(id));
    let started = |group: &ThreadGroup| group.tasks.first().and_then(|task| task.trace.started);
    let is_later = || started(group).zip(started(own)).is_some_and(|(its, own)| its >= own);
    same(group.sid, own.sid) || same(group.pgid, own.pgid) || (is_orphan(group) && is_later())
}
