//! Looks at threads, one after the other: what a later look need not read again, since the kernel's list of threads shows that its process has
//! not run since an earlier one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::kernel::{Kernel, TaskList};
use super::proc::Usages;
use crate::model::{Operation, Pid, TaskState, ThreadGroup, Threads, Tid};

/// What the last look saw besides the threads.
pub(super) struct LastLook {
    /// Taken before anything else was read in that look. None where the kernel lists no threads.
    pub(super) list: Option<Arc<TaskList>>,
    /// When its idle times are those of.
    at: Instant,
    usages: Usages,
}

/// The threads as the kernel lists them; none where it does not.
pub(super) fn list(kernel: Option<&Kernel>) -> Option<Arc<TaskList>> {
    Some(Arc::new(TaskList::new(kernel?.tasks().ok()?)))
}

impl LastLook {
    pub(super) const fn new(list: Option<Arc<TaskList>>, at: Instant) -> Self {
        Self { list, at, usages: Usages::new() }
    }

    /// Adds what the look saw.
    pub(super) fn add(&mut self, usages: &Usages) {
        self.usages.extend(usages);
    }

    /// The processes among `again` that have not run since the last look. Brings their threads up to this look, which begins with `list` and
    /// at `now`, and adds their usages to `usages`.
    ///
    /// What a look saw of them is what it would see now: it was read after the list of that look, and from that list to this one no thread
    /// ran that could have changed it. A process that waits in open(2) is left out, since the FIFO is found by its path; and an init
    /// process, to which others add children.
    pub(super) fn carry(
        &self,
        list: Option<&TaskList>,
        now: Instant,
        again: &BTreeSet<Pid>,
        (threads, usages): (&mut Threads, &mut Usages),
    ) -> BTreeSet<Pid> {
        let (Some(list), Some(before)) = (list, &self.list) else { return BTreeSet::new() };
        let mut resting: BTreeSet<Pid> =
            list.at_rest_since(before).into_iter().filter(|pid| again.contains(pid)).collect();
        let passed = now.saturating_duration_since(self.at);
        resting.retain(|pid| {
            let Some(group) = threads.get_mut(pid).filter(|group| is_settled(group, list)) else { return false };
            for task in &mut group.tasks {
                task.idle = task.idle.map(|idle| idle + passed);
            }
            usages.extend(self.usages.get(pid).map(|usage| (*pid, usage.still_at(now))));
            true
        });
        resting
    }
}

/// Whether all threads of a process wait for what stays the same while they do not run, and are those that are listed.
fn is_settled(group: &ThreadGroup, list: &TaskList) -> bool {
    let listed: Vec<Tid> = list.of(group.pid).iter().map(|thread| thread.tid).collect();
    let is_lasting = |doing: &TaskState| match doing {
        TaskState::Waits { .. } => doing.pipe_waits().all(|wait| wait.operation != Operation::Open),
        TaskState::Sleeps { .. } => true,
        _ => false,
    };
    group.adopts.is_none()
        && group.tasks.iter().map(|task| task.id.tid).eq(listed)
        && group.tasks.iter().all(|task| is_lasting(&task.doing))
}
