//! From the pipes and what the threads are doing to what is wrong: who waits for whom, and which waits nobody can end. Pure.
//!
//! `waits` says who could end each wait, `stuck` which waits nobody will end, and a file for each kind of finding judges the rest.
//! Nothing is read here. Processes go on while one looks at them, so whoever calls looks twice, and lets only what
//! [`retain_unmoved`] be judged.

mod deadlock;
mod kin;
mod leaked;
mod missing;
mod opening;
mod stalled;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    AlternativeWake, Diagnosis, Doubt, Finding, Pid, PipeGraph, PipeId, Side, Sleep, SleepOn, TaskId, TaskState,
    ThreadGroup, WaitTarget,
};

pub(crate) use self::kin::{is_told_of, mentions, was_told};

/// The thread groups of a machine, by process ID.
pub type Groups = BTreeMap<Pid, ThreadGroup>;

/// Says what the threads wait for, and what is wrong.
#[must_use]
pub fn diagnose(graph: &PipeGraph, groups: &Groups) -> Diagnosis {
    let waits = waits::waits(graph, groups);
    let (mut findings, stuck) = deadlock::find(graph, groups);
    let case = Case { graph, groups, stuck: &stuck, waiting: waits::by_pipe(groups) };
    findings.extend(leaked::find(&case));
    findings.extend(stalled::find(&case));
    findings.extend(opening::find(&case));
    findings.extend(missing::find(&case, &waits));
    findings.sort_by_key(|finding| (finding.severity(), finding.code()));
    Diagnosis { waits, findings }
}

/// What the rules judge by.
struct Case<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    /// The threads whose waits nobody will end: what is wrong with those is told already.
    stuck: &'a BTreeSet<TaskId>,
    /// Who waits for each pipe, by process and thread.
    waiting: waits::ByPipe<'a>,
}

impl Case<'_> {
    /// The first thread of a process that is alive.
    fn leader(&self, pid: Pid) -> Option<TaskId> {
        self.groups.get(&pid)?.tasks.first().map(|task| task.id)
    }

    /// Who may be on a side of a pipe beside those who are seen there.
    fn doubts(&self, pipe: PipeId, side: Side) -> Vec<Doubt> {
        self.graph.unseen(pipe, side).into_iter().map(Doubt::Holder).collect()
    }
}

/// The processes that it takes another look at, before anything is claimed of them: those with a thread that waits, and those who could
/// end that, or are to be told of.
#[must_use]
pub fn pids_to_recheck(groups: &Groups, diagnosis: &Diagnosis) -> BTreeSet<Pid> {
    let waits = |group: &&ThreadGroup| group.tasks.iter().any(|task| matches!(task.doing, TaskState::Waits { .. }));
    let waiting = groups.values().filter(waits).map(|group| group.pid);
    let wakers = diagnosis.waits.iter().flat_map(|wait| &wait.wakers).map(|waker| waker.pid);
    let told = diagnosis.findings.iter().flat_map(|finding| &finding.tasks).map(|task| task.pid);
    waiting.chain(wakers).chain(told).collect()
}

/// The processes with another look at some of them: threads that have moved since the earlier one count as running. Those that were
/// looked at again and are gone are left out; of the others none waits.
#[must_use]
pub fn retain_unmoved(mut groups: Groups, again: &BTreeSet<Pid>, later: Groups) -> Groups {
    groups.retain(|pid, _| !again.contains(pid) || later.contains_key(pid));
    for (pid, mut group) in later {
        let before = groups.get(&pid);
        for task in &mut group.tasks {
            let task_before = before.and_then(|group| group.task(task.id));
            if task_before.is_none_or(|before| before.trace != task.trace || before.doing != task.doing) {
                task.doing = TaskState::Runs;
            }
        }
        groups.insert(pid, group);
    }
    groups
}

/// The pipes whose lock somebody holds, or seems to hold, in a call that does not return: to ask the kernel what is in them would hang.
pub fn locked(groups: &Groups) -> impl Iterator<Item = PipeId> {
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

/// Keeps the findings that another look agrees with.
#[must_use]
pub fn confirmed_by(mut diagnosis: Diagnosis, other: &Diagnosis) -> Diagnosis {
    let known: BTreeSet<_> = other.findings.iter().map(Finding::key).collect();
    diagnosis.findings.retain(|finding| known.contains(&finding.key()));
    diagnosis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Fault, Fd, Holder, Relation, Tid};

    /// A shell that has the write end starts one child after the other, and each of them has it, too.
    #[test]
    fn looks_agree_on_what_hangs_though_those_who_hold_the_end_change() {
        let task = |pid: u32| TaskId { pid: Pid(pid), tid: Tid(pid) };
        let pipe = PipeId::Anonymous { inode: 7 };
        let leaked = |reader: u32, holders: &[u32]| Finding {
            tasks: std::iter::once(reader).chain(holders.iter().copied()).map(task).collect(),
            pipes: vec![pipe],
            doubts: Vec::new(),
            fault: Fault::LeakedWriteEnd {
                pipe,
                readers: vec![task(reader)],
                holders: holders
                    .iter()
                    .map(|pid| Holder {
                        end: Endpoint {
                            pid: Pid(*pid),
                            tid: None,
                            fd: Fd(1),
                            access: crate::model::AccessMode::Write,
                            flags: None,
                        },
                        stranger: Relation::OtherSession,
                        inherited_from: None,
                    })
                    .collect(),
                patient: false,
            },
        };
        let look = |finding: &Finding| Diagnosis { waits: Vec::new(), findings: vec![finding.clone()] };
        let (first, second) = (leaked(1, &[10, 11]), leaked(1, &[10, 12]));
        assert_eq!(confirmed_by(look(&second), &look(&first)).findings, std::slice::from_ref(&second));
        assert_eq!(confirmed_by(look(&second), &look(&leaked(2, &[10, 12]))).findings, []);
    }
}
