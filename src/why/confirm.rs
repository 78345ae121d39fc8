//! What a first look has to be followed up with, and which findings two looks agree on.

use std::collections::BTreeSet;

use super::{Groups, diagnose};
use crate::model::{Diagnosis, Fault, Finding, Pid, PipeGraph, TaskState, ThreadGroup};
use crate::observe::{FollowUp, Observation};

/// The judge of the first of two looks.
pub(crate) fn follow_up(graph: &PipeGraph, groups: &Groups) -> FollowUp {
    let diagnosis = diagnose(graph, groups);
    let findings = &diagnosis.findings;
    FollowUp {
        is_suspicious: !findings.is_empty(),
        may_pass: findings.iter().any(may_pass),
        hidden_ends: findings.iter().any(asks_for_hidden_ends),
        pids: pids_to_recheck(groups, &diagnosis),
    }
}

/// What an observation proves: where it looked twice, the findings that both looks agree on.
pub(crate) fn confirmed(seen: &Observation) -> Diagnosis {
    let diagnosis = diagnose(&seen.graph, &seen.threads);
    match &seen.first {
        Some(first) => agreed(diagnosis, &diagnose(first, &seen.threads)),
        None => diagnosis,
    }
}

fn agreed(mut diagnosis: Diagnosis, other: &Diagnosis) -> Diagnosis {
    let known: BTreeSet<_> = other.findings.iter().map(Finding::key).collect();
    diagnosis.findings.retain(|finding| known.contains(&finding.key()));
    diagnosis
}

/// Whether a finding depends on holders that no fd table shows.
fn asks_for_hidden_ends(finding: &Finding) -> bool {
    matches!(
        finding.fault,
        Fault::Deadlock { .. }
            | Fault::LeakedWriteEnd { .. }
            | Fault::StalledReader { .. }
            | Fault::HiddenEnd { .. }
            | Fault::Missing { .. }
    )
}

/// Whether a finding may be true for a moment on a healthy machine.
fn may_pass(finding: &Finding) -> bool {
    !matches!(finding.fault, Fault::Missing { .. })
}

/// The processes with a thread that waits, those that could end such a wait, and those in a finding.
fn pids_to_recheck(groups: &Groups, diagnosis: &Diagnosis) -> BTreeSet<Pid> {
    let waits = |group: &&ThreadGroup| group.tasks.iter().any(|task| matches!(task.doing, TaskState::Waits { .. }));
    let waiting = groups.values().filter(waits).map(|group| group.pid);
    let wakers = diagnosis.waits.iter().flat_map(|wait| &wait.wakers).map(|waker| waker.pid);
    let involved = diagnosis.findings.iter().flat_map(|finding| &finding.tasks).map(|task| task.pid);
    waiting.chain(wakers).chain(involved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Fd, Holder, PipeId, Relation, TaskId, Tid};

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
        assert_eq!(agreed(look(&second), &look(&first)).findings, std::slice::from_ref(&second));
        assert_eq!(agreed(look(&second), &look(&leaked(2, &[10, 12]))).findings, []);
    }
}
