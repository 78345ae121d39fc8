//! What follows from an observation, before anything is called a finding. Pure.

pub(crate) mod dataflow;
pub(crate) mod deadlock;
pub(crate) mod lineage;
pub(crate) mod processes;
pub(crate) mod side;
pub(crate) mod stuck;
pub(crate) mod waits;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AlternativeWake, Pid, PipeId, Sleep, SleepOn, TaskState, ThreadGroup, WaitTarget};

/// The processes of a machine with their threads, by process ID.
pub type Groups = BTreeMap<Pid, ThreadGroup>;

/// The processes with a later look at some of them: a thread that has moved since the earlier look counts as running. A process that was
/// looked at again and is gone is left out.
///
/// The idle time of a thread that has not moved stays that of the earlier look, so that all ages of a report are from before its pipes
/// were read.
#[must_use]
pub fn retain_unmoved(mut groups: Groups, again: &BTreeSet<Pid>, later: Groups) -> Groups {
    groups.retain(|pid, _| !again.contains(pid) || later.contains_key(pid));
    for (pid, mut group) in later {
        let before = groups.get(&pid);
        for task in &mut group.tasks {
            match before.and_then(|group| group.task(task.id)) {
                Some(before) if before.trace == task.trace && before.doing == task.doing => task.idle = before.idle,
                _ => task.doing = TaskState::Runs,
            }
        }
        groups.insert(pid, group);
    }
    groups
}

/// The pipes whose lock is held, or seems to be held, by a call that does not return: an ioctl(2) on such a pipe would hang.
pub fn lock_held(groups: &Groups) -> impl Iterator<Item = PipeId> {
    groups.values().flat_map(|group| &group.tasks).flat_map(|task| {
        let (causes, holds) = match &task.doing {
            TaskState::Sleeps(Sleep { on: SleepOn::FileInPipe { pipe }, .. }) => (&[][..], Some(*pipe)),
            TaskState::Waits { causes, besides: Some(AlternativeWake::Lock) } => (causes.as_slice(), None),
            _ => (&[][..], None),
        };
        let waits = causes.iter().filter_map(|cause| if let WaitTarget::Pipe(wait) = cause { wait.pipe } else { None });
        waits.chain(holds)
    })
}
