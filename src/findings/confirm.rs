//! Which findings a later scan confirms: an immediate second scan, and for `--confirm` one after a pause.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Code, Details, Diagnosis, Finding, Identity, Judged, Judgement, Lasts, Phrases, diagnose};
use crate::judge::Groups;
use crate::judge::stall::Instead;
use crate::model::Users;
use crate::model::{
    AlternativeWake, Fd, Pid, PipeGraph, PipeId, Severity, Side, Task, TaskId, TaskState, ThreadGroup, Tid,
};
use crate::observe::{FollowUp, Observation};

/// Evaluates the first of two scans.
pub(crate) fn follow_up(graph: &PipeGraph, groups: &Groups) -> FollowUp {
    let judged = diagnose(graph, groups);
    let open: Vec<&Judgement> = judged.judgements.iter().filter(|judgement| !is_settled(judgement)).collect();
    FollowUp {
        is_suspicious: !open.is_empty(),
        may_pass: open.iter().any(|judgement| may_pass(judgement)),
        hidden_ends: open.iter().any(|judgement| judgement.code().about().depends_on_hidden),
        pids: pids_to_recheck(groups, &judged),
        slow_readers: open.iter().flat_map(|judgement| slow_readers(graph, judgement)).collect(),
    }
}

/// The processes that have a pipe as stdin and are about to be blamed for not reading it.
fn slow_readers(graph: &PipeGraph, judgement: &Judgement) -> BTreeSet<Pid> {
    let Details::StalledReader(stalled) = &judgement.details else { return BTreeSet::new() };
    let stdin =
        graph.pipe(stalled.pipe).into_iter().flat_map(|pipe| pipe.side(Side::Read)).filter(|end| end.fd == Fd(0));
    let stdin: BTreeSet<Pid> = stdin.map(|end| end.pid).collect();
    let idlers = stalled.readers.iter().filter(|reader| reader.instead == Some(Instead::Sleeps) && !stalled.may_resume);
    idlers.map(|reader| reader.pid).filter(|pid| stdin.contains(pid)).collect()
}

/// The diagnosis of an observation: if it has two scans, the findings of both.
pub(crate) fn diagnosis(seen: &Observation) -> Diagnosis {
    let judged = diagnose(&seen.graph, &seen.threads);
    let judged = match &seen.first {
        Some(first) => confirmed_by(judged, &diagnose(first, &seen.threads)),
        None => judged,
    };
    judged.word(&seen.graph, &seen.threads)
}

/// The processes to scan again: those with a thread that waits, those that could end such a wait, and those of findings that may be
/// transient.
fn pids_to_recheck(groups: &Groups, judged: &Judged) -> BTreeSet<Pid> {
    let waits = |group: &&ThreadGroup| group.tasks.iter().any(|task| matches!(task.doing, TaskState::Waits { .. }));
    let waiting = groups.values().filter(waits).map(|group| group.pid);
    let mut shared = HashSet::new();
    let wakers = judged.waits.iter().map(|wait| &wait.wakers).filter(|wakers| shared.insert(wakers.place()));
    let wakers = wakers.flat_map(|wakers| wakers.iter()).map(|waker| waker.pid);
    let passing = judged.judgements.iter().filter(|judgement| may_pass(judgement));
    let found = passing.flat_map(|judgement| &judgement.tasks).map(|task| task.pid);
    waiting.chain(wakers).chain(found).collect()
}

/// Whether no later look is needed: that an end exists for which no thread waits is what two passes of the kernel's list agree on.
fn is_settled(judgement: &Judgement) -> bool {
    judgement.code() == Code::HiddenEnd && judgement.severity() == Severity::Info
}

/// Whether a judgement may be transient on a healthy machine. Of a code of which notices are not, a warning may be.
fn may_pass(judgement: &Judgement) -> bool {
    judgement.code().about().may_pass || judgement.severity().is_at_least(Severity::Warning)
}

/// Keeps the findings that another scan confirms.
pub(super) fn confirmed_by(mut judged: Judged, other: &Judged) -> Judged {
    let key = |it: &Judgement| (it.code(), it.pipes.clone(), it.details.kind().identity());
    let known: BTreeSet<_> = other.judgements.iter().map(key).collect();
    judged.judgements.retain(|judgement| known.contains(&key(judgement)));
    judged
}

/// The findings of one audit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) graph: &'a PipeGraph,
    pub(crate) groups: &'a Groups,
    pub(crate) users: &'a Users,
    pub(crate) findings: &'a [Finding],
}

impl<'a> Look<'a> {
    fn task(&self, id: TaskId) -> Option<&'a Task> {
        self.groups.get(&id.pid)?.task(id)
    }
}

/// The findings of the later scan that confirm one of the earlier: see [`Lasts`].
pub(crate) fn confirmed(before: &Look<'_>, now: &Look<'_>) -> Vec<Finding> {
    let graph = persistent_ends(before, now);
    let phrases = Phrases { graph: &graph, groups: now.groups, users: now.users };
    let of_persistent = super::audit(&phrases, None);
    let (then, of_persistent) = (Subjects::of(before.findings), Subjects::of(&of_persistent));
    let mut tasks_then: BTreeMap<(Code, &[PipeId]), BTreeSet<TaskId>> = BTreeMap::new();
    for finding in before.findings {
        tasks_then.entry((finding.code, &finding.pipes)).or_default().extend(&finding.tasks);
    }
    let is_same = |task: &TaskId| is_same(*task, before, now);
    let still_waits = |task: &TaskId| still_waits(*task, before, now);
    let by_rule = |finding: &Finding| {
        let then = then.same(finding)?;
        let persistent = if finding.pipes.is_empty() { finding } else { of_persistent.same(finding)? };
        let is_other_process = matches!(finding.identity(), Identity::Process(_)) && !finding.tasks.iter().all(is_same);
        // The finding lasts for what was the same in both scans.
        let finding = if persistent.pipes.len() < finding.pipes.len() { persistent } else { finding };
        let least = [finding, persistent, then].into_iter().min_by_key(|finding| Reverse(finding.severity));
        least.filter(|_| !is_other_process).cloned()
    };
    let is_blocked = |finding: &Finding, blocked: &[TaskId]| {
        let Some(then) = tasks_then.get(&(finding.code, &finding.pipes[..])) else { return false };
        let was_there = |task: &TaskId| then.contains(task) && is_same(task);
        let known: BTreeSet<&TaskId> = blocked.iter().collect();
        let mut others = finding.tasks.iter().filter(|task| !known.contains(task)).peekable();
        blocked.iter().any(|task| was_there(task) && still_waits(task))
            && (others.peek().is_none() || others.any(was_there))
    };
    let stands = |finding: &Finding| {
        let identity = finding.identity();
        let blocked = identity.blocked();
        let stands = match finding.code.about().lasts {
            Lasts::ByRule => return by_rule(finding),
            Lasts::WhileBlocked if !blocked.is_empty() => is_blocked(finding, blocked),
            Lasts::WhileBlocked | Lasts::Unchanged => {
                then.exact.contains_key(&subject(finding))
                    && blocked.iter().all(|task| is_same(task) && still_waits(task))
            }
        };
        stands.then(|| finding.clone())
    };
    now.findings.iter().filter_map(stands).collect()
}

/// What a finding is about.
type Subject<'a> = (Code, &'a [PipeId], Identity);

fn subject(finding: &Finding) -> Subject<'_> {
    (finding.code, &finding.pipes, finding.identity())
}

struct Subjects<'a> {
    exact: BTreeMap<Subject<'a>, &'a Finding>,
    /// Those about nothing but their pipes, by each of them: of several pipes, some may have come or gone.
    by_pipe: BTreeMap<(Code, PipeId), &'a Finding>,
}

impl<'a> Subjects<'a> {
    fn of(findings: &'a [Finding]) -> Self {
        let of_pipes = findings.iter().filter(|finding| finding.identity() == Identity::Pipe);
        Self {
            exact: findings.iter().map(|finding| (subject(finding), finding)).collect(),
            by_pipe: of_pipes.flat_map(|it| it.pipes.iter().map(move |pipe| ((it.code, *pipe), it))).collect(),
        }
    }

    /// The finding about the same, or about some of the same pipes.
    fn same(&self, finding: &Finding) -> Option<&'a Finding> {
        let of_pipes = || {
            let pipes = finding.pipes.iter().filter(|_| finding.identity() == Identity::Pipe);
            pipes.filter_map(|pipe| self.by_pipe.get(&(finding.code, *pipe))).next()
        };
        self.exact.get(&subject(finding)).or_else(of_pipes).copied()
    }
}

/// The pipes of the later scan, with only those ends that the same process held with the same access before.
fn persistent_ends(before: &Look<'_>, now: &Look<'_>) -> PipeGraph {
    let mut graph = now.graph.clone();
    let by_rule = now.findings.iter().filter(|finding| finding.code.about().lasts == Lasts::ByRule);
    let judged: BTreeSet<PipeId> = by_rule.flat_map(|finding| finding.pipes.iter().copied()).collect();
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

/// Whether it is the same thread, and not another one of the same ID.
fn is_same(id: TaskId, before: &Look<'_>, now: &Look<'_>) -> bool {
    let started = |look: &Look<'_>| look.task(id).and_then(|task| task.trace.started);
    match (started(before), started(now)) {
        (Some(before), Some(now)) => before == now,
        _ => {
            let started = |look: &Look<'_>| look.graph.processes.get(&id.pid).and_then(|process| process.started_at);
            started(before) == started(now)
        }
    }
}

/// Whether a thread still waits as before. If only other processes can end its wait, it must not have run in between: otherwise it is
/// another wait of the same kind.
fn still_waits(id: TaskId, before: &Look<'_>, now: &Look<'_>) -> bool {
    let (Some(before), Some(now)) = (before.task(id), now.task(id)) else { return false };
    before.doing == now.doing && (may_end_by_itself(now) || before.trace == now.trace)
}

const fn may_end_by_itself(task: &Task) -> bool {
    matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Timeout | AlternativeWake::Files), .. })
}
