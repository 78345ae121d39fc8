//! Which findings still stand at a later look. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AlternativeWake, Code, Fault, Finding, Pid, PipeGraph, PipeId, Task, TaskId, TaskState, Tid, Uid};
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
    let risks = by_subject(before.findings);
    let by_those = super::of_pipes(&lasting(before, now), now.groups);
    let by_those = by_subject(&by_those);
    let known: BTreeSet<_> = before.findings.iter().map(Finding::key).collect();
    let mut hangs: BTreeMap<_, BTreeSet<TaskId>> = BTreeMap::new();
    for finding in before.findings {
        hangs.entry(of_pipe(finding)).or_default().extend(&finding.tasks);
    }
    let hangs_on = |finding: &Finding| {
        let Some(then) = hangs.get(&of_pipe(finding)) else { return false };
        let is_same = |task: &&TaskId| then.contains(task) && is_same(**task, before, now);
        let blocked = blocked(finding);
        let others = finding.tasks.iter().filter(|task| !blocked.contains(task));
        blocked.iter().filter(is_same).any(|task| still_waits(*task, before, now))
            && (others.clone().next().is_none() || others.clone().any(|task| is_same(&task)))
    };
    let stands = |finding: &Finding| match &finding.fault {
        Fault::Risk(_) => {
            let subject = subject(finding);
            let then = *risks.get(&subject)?;
            let by_them = if finding.pipes.is_empty() { finding } else { *by_those.get(&subject)? };
            // It stands as far as it was so all the while.
            let all = [finding, by_them, then].into_iter().min_by_key(|finding| Reverse(finding.severity()));
            all.filter(|_| subject.3.iter().all(|task| is_same(*task, before, now))).cloned()
        }
        Fault::LeakedWriteEnd { .. }
        | Fault::StalledReader { .. }
        | Fault::BlockedOpen { .. }
        | Fault::HiddenEnd { .. }
            if !finding.tasks.is_empty() =>
        {
            hangs_on(finding).then(|| finding.clone())
        }
        _ => {
            let is_same = known.contains(&finding.key())
                && finding.tasks.iter().all(|task| is_same(*task, before, now))
                && blocked(finding).iter().all(|task| still_waits(*task, before, now));
            is_same.then(|| finding.clone())
        }
    };
    now.findings.iter().filter_map(stands).collect()
}

/// What a judgement is about, whomever it names: pipes, a user, or else processes.
type Subject<'a> = (Code, &'a [PipeId], Option<Uid>, &'a [TaskId]);

fn subject(finding: &Finding) -> Subject<'_> {
    let is_of_processes = finding.pipes.is_empty() && finding.user().is_none();
    let tasks: &[TaskId] = if is_of_processes { &finding.tasks } else { &[] };
    (finding.code(), &finding.pipes, finding.user(), tasks)
}

fn by_subject(findings: &[Finding]) -> BTreeMap<Subject<'_>, &Finding> {
    findings.iter().map(|finding| (subject(finding), finding)).collect()
}

fn of_pipe(finding: &Finding) -> (Code, &[PipeId]) {
    (finding.code(), &finding.pipes)
}

/// The pipes of the later look with those ends only that the same process had on the same side before.
fn lasting(before: &Look<'_>, now: &Look<'_>) -> PipeGraph {
    let mut graph = now.graph.clone();
    let findings = now.findings.iter().filter(|finding| matches!(finding.fault, Fault::Risk(_)));
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
    matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Timeout | AlternativeWake::Files), .. })
}

fn task<'a>(look: &Look<'a>, id: TaskId) -> Option<&'a Task> {
    look.groups.get(&id.pid)?.task(id)
}
