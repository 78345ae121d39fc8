//! Which findings still stand at a later look. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Besides, Code, Doing, Fault, Finding, Pid, PipeGraph, PipeId, Task, TaskId, Tid, Uid};
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

/// Those findings of the later look that were there at the earlier one. What is about a user is so whichever process of his it names;
/// what is wrong with a pipe, if it is so by those alone who held its ends both times; and a hang, if one that hung still does, and one
/// of those by whom it is to be cured is the same: others may come and go meanwhile, as the children of a shell do.
#[must_use]
pub fn standing(before: &Look<'_>, now: &Look<'_>) -> Vec<Finding> {
    let known: BTreeSet<_> = before.findings.iter().map(Finding::key).collect();
    let users: BTreeSet<_> = before.findings.iter().filter_map(of_user).collect();
    let of_pipes: BTreeSet<_> = before.findings.iter().filter(|finding| is_of_pipe(finding)).map(of_pipe).collect();
    let still = super::of_pipes(&lasting(before, now), now.groups);
    let still: BTreeSet<_> = still.iter().map(of_pipe).collect();
    let mut hangs: BTreeMap<_, BTreeSet<TaskId>> = BTreeMap::new();
    for finding in before.findings {
        hangs.entry(of_pipe(finding)).or_default().extend(&finding.tasks);
    }
    let stands = |finding: &&Finding| match (of_user(finding), &finding.fault) {
        (Some(of_user), _) => users.contains(&of_user),
        _ if is_of_pipe(finding) => of_pipes.contains(&of_pipe(finding)) && still.contains(&of_pipe(finding)),
        (None, Fault::LeakedWriteEnd { .. } | Fault::StalledReader { .. } | Fault::BlockedOpen { .. }) => {
            let Some(then) = hangs.get(&of_pipe(finding)) else { return false };
            let is_same = |task: &&TaskId| then.contains(task) && is_same(**task, before, now);
            let blocked = blocked(finding);
            let others = finding.tasks.iter().filter(|task| !blocked.contains(task));
            blocked.iter().filter(is_same).any(|task| still_waits(*task, before, now))
                && (others.clone().next().is_none() || others.clone().any(|task| is_same(&task)))
        }
        _ => {
            known.contains(&finding.key())
                && finding.tasks.iter().all(|task| is_same(*task, before, now))
                && blocked(finding).iter().all(|task| still_waits(*task, before, now))
        }
    };
    now.findings.iter().filter(stands).cloned().collect()
}

fn of_pipe(finding: &Finding) -> (Code, &[PipeId]) {
    (finding.code(), &finding.pipes)
}

/// Whether it is a judgement of who holds the ends of a pipe.
const fn is_of_pipe(finding: &Finding) -> bool {
    matches!(&finding.fault, Fault::Risk(_)) && !finding.pipes.is_empty()
}

/// The pipes of the later look with those ends only that the same process had on the same side before.
fn lasting(before: &Look<'_>, now: &Look<'_>) -> PipeGraph {
    let mut graph = now.graph.clone();
    let findings = now.findings.iter().filter(|finding| is_of_pipe(finding));
    let judged: BTreeSet<PipeId> = findings.flat_map(|finding| finding.pipes.iter().copied()).collect();
    graph.pipes.retain_mut(|pipe| {
        let Some(then) = before.graph.pipe(pipe.id).filter(|_| judged.contains(&pipe.id)) else { return false };
        let had: BTreeSet<_> = then.ends.iter().map(|end| (end.pid, end.access)).collect();
        let opened: BTreeSet<_> = then.openers.iter().map(|opener| opener.task).collect();
        let leader = |pid: Pid| TaskId { pid, tid: Tid(pid.0) };
        pipe.ends.retain(|end| had.contains(&(end.pid, end.access)) && is_same(leader(end.pid), before, now));
        pipe.openers.retain(|opener| opened.contains(&opener.task) && is_same(opener.task, before, now));
        !pipe.ends.is_empty() || !pipe.openers.is_empty()
    });
    graph
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
