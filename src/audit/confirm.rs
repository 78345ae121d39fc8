//! Which findings still stand at a later look. Pure.

use std::collections::BTreeSet;

use crate::model::{Besides, Code, Doing, Fault, Finding, PipeGraph, Task, TaskId, Uid};
use crate::why::Groups;

/// What was found at one time.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The pipes.
    pub graph: &'a PipeGraph,
    /// What the threads were doing.
    pub groups: &'a Groups,
    /// What was wrong.
    pub findings: &'a [Finding],
}

/// Those findings of the later look that were there at the earlier one: about the same threads, none of them started anew, and each
/// that is blocked in the same wait as before. What is about a user is so whichever process of his it names.
#[must_use]
pub fn standing(before: &Look<'_>, now: &Look<'_>) -> Vec<Finding> {
    let known: BTreeSet<_> = before.findings.iter().map(Finding::key).collect();
    let users: BTreeSet<_> = before.findings.iter().filter_map(of_user).collect();
    let stands = |finding: &&Finding| match of_user(finding) {
        Some(of_user) => users.contains(&of_user),
        None => {
            known.contains(&finding.key())
                && finding.tasks.iter().all(|task| is_same(*task, before, now))
                && blocked(finding).iter().all(|task| still_waits(*task, before, now))
        }
    };
    now.findings.iter().filter(stands).cloned().collect()
}

fn of_user(finding: &Finding) -> Option<(Code, Uid)> {
    finding.user().map(|user| (finding.code(), user))
}

/// The threads whose waits a finding is about. Others in it go on with what they do.
fn blocked(finding: &Finding) -> Vec<TaskId> {
    match &finding.fault {
        Fault::Deadlock { .. } | Fault::HiddenEnd { .. } => finding.tasks.clone(),
        Fault::LeakedWriteEnd { readers, .. } => readers.clone(),
        Fault::StalledReader { writers, .. } => writers.clone(),
        Fault::BlockedOpen { openers, .. } => openers.iter().map(|(task, _)| *task).collect(),
        _ => Vec::new(),
    }
}

/// Whether it is not just another one of the same number.
fn is_same(id: TaskId, before: &Look<'_>, now: &Look<'_>) -> bool {
    match (task(before, id).and_then(|task| task.trace.started), task(now, id).and_then(|task| task.trace.started)) {
        (Some(before), Some(now)) => before == now,
        _ => {
            let started = |look: &Look<'_>| look.graph.processes.get(&id.pid).and_then(|process| process.started_at);
            started(before) == started(now)
        }
    }
}

/// Whether a thread waits as it did. If only others can end its wait, it has not run meanwhile, or it was another wait of the same kind.
fn still_waits(id: TaskId, before: &Look<'_>, now: &Look<'_>) -> bool {
    let (Some(before), Some(now)) = (task(before, id), task(now, id)) else { return false };
    before.doing == now.doing && (may_end_by_itself(now) || before.trace == now.trace)
}

const fn may_end_by_itself(task: &Task) -> bool {
    matches!(task.doing, Doing::Waits { besides: Some(Besides::Timeout | Besides::Files), .. })
}

fn task<'a>(look: &Look<'a>, id: TaskId) -> Option<&'a Task> {
    look.groups.get(&id.pid)?.task(id)
}
