//! What has been blocked for long although nothing that was found says so: at a full channel, in a circle, on a stopped process, or at a lock
//! that no thread is left to release. That is no finding, since it may be as intended, but then it cannot be said that there are no problems.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::findings::Phrases;
use crate::judge::prospect::is_long;
use crate::model::{AlternativeWake, Attribution, Operation, Pid, Task, TaskId, TaskState, Wait, WaitTarget};
use crate::report::Judgment;

/// A clause for each such thread: `cat (PID 252) is blocked writing to pipe:[18913] (fd 1), which is full, for 3 min`. Those at a full
/// channel first, then those on a stopped process, those in a circle, and those at a lock that no thread is left to release.
pub(super) fn for_long(phrases: Phrases<'_>, judgment: &Judgment<'_>, pids: &BTreeSet<Pid>) -> Vec<String> {
    let waits = &judgment.diagnosis.waits;
    let long: Vec<&Wait> = waits.iter().filter(|wait| is_long(wait.idle)).collect();
    let mut said: BTreeSet<TaskId> = BTreeSet::new();
    let mut clauses = Vec::new();
    let clause = |task: TaskId| {
        let doing = phrases.task(task).map(|task| phrases.doing(task)).unwrap_or_default();
        format!("{} {doing}", phrases.task_name(task))
    };
    for wait in long.iter().filter(|wait| is_at_full_channel(wait)) {
        if said.insert(wait.task) {
            clauses.push(clause(wait.task));
        }
    }
    // A shell waits for its job, too: once for each process that is stopped, and first what waits for it at a channel.
    let (at_channel, for_child): (Vec<&Wait>, Vec<&Wait>) =
        long.iter().filter(|wait| is_only_for(wait)).partition(|wait| wait.pipe().is_some());
    let mut stopped = BTreeSet::new();
    for wait in at_channel.into_iter().chain(for_child) {
        let mut wakers = wait.wakers.iter().map(|waker| waker.pid);
        if let Some(pid) = wakers.find(|pid| is_stopped(judgment, *pid))
            && stopped.insert(pid)
            && said.insert(wait.task)
        {
            let process = phrases.process(pid, None);
            clauses.push(format!("{}, while {process} {}", clause(wait.task), phrases.process_doing(pid)));
        }
    }
    let circle = in_circle(judgment, &long);
    for wait in long.iter().filter(|wait| circle.contains(&wait.task.pid)) {
        if said.insert(wait.task) {
            clauses.push(format!("{}, in a circle of waits", clause(wait.task)));
        }
    }
    let alone =
        judgment.groups.values().filter(|group| pids.contains(&group.pid)).filter_map(|group| match &group.tasks[..] {
            [task] if task.doing.causes() == [WaitTarget::Threads] && is_long(task.idle) => Some(task.id),
            _ => None,
        });
    clauses.extend(alone.map(clause));
    clauses
}

/// Whether it waits for room in a channel, and that alone could end it.
fn is_at_full_channel(wait: &Wait) -> bool {
    let WaitTarget::Pipe(at) = &wait.target else { return false };
    let is_known = at.pipe.is_some() && wait.certainty != Attribution::Candidate;
    let is_write = at.operation == Operation::Write && wait.besides != Some(AlternativeWake::Lock);
    is_known && (is_write || at.full && wait.besides.is_none())
}

/// Whether only what could end it can end it.
fn is_only_for(wait: &Wait) -> bool {
    wait.besides.is_none() && wait.certainty != Attribution::Candidate
}

/// Whether a process cannot run: each of its threads is stopped, or frozen.
pub(super) fn is_stopped(judgment: &Judgment<'_>, pid: Pid) -> bool {
    let is_held = |task: &Task| matches!(task.doing, TaskState::Stopped | TaskState::Traced | TaskState::Frozen);
    judgment.groups.get(&pid).is_some_and(|group| !group.tasks.is_empty() && group.tasks.iter().all(is_held))
}

/// The processes that have been waiting for each other, and those that wait for them: each waits for another of these, and none has a thread
/// that may act by itself.
fn in_circle(judgment: &Judgment<'_>, long: &[&Wait]) -> BTreeSet<Pid> {
    let waits = |task: &Task| matches!(task.doing, TaskState::Waits { besides: None, .. });
    let is_blocked = |pid: &Pid| {
        judgment.groups.get(pid).is_some_and(|group| !group.tasks.is_empty() && group.tasks.iter().all(waits))
    };
    // What several wait for is followed once.
    let (mut numbers, mut sets) = (HashMap::new(), Vec::<Set>::new());
    let mut waiting: BTreeMap<Pid, BTreeSet<usize>> = BTreeMap::new();
    for wait in long.iter().filter(|wait| is_only_for(wait) && is_blocked(&wait.task.pid)) {
        let number = *numbers.entry(wait.wakers.place()).or_insert_with(|| {
            let wakers = wait.wakers.iter().map(|waker| waker.pid).collect();
            sets.push(Set { wakers, waiting: Vec::new() });
            sets.len() - 1
        });
        sets[number].waiting.push(wait.task.pid);
        waiting.entry(wait.task.pid).or_default().insert(number);
    }
    let mut member_of: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
    for (number, set) in sets.iter_mut().enumerate() {
        set.wakers.retain(|pid| waiting.contains_key(pid));
        for pid in &set.wakers {
            member_of.entry(*pid).or_default().push(number);
        }
    }
    // Remove each that waits for no other one, until nothing changes.
    let leads_on = |sets: &[Set], pid: Pid, own: &BTreeSet<usize>| {
        own.iter().any(|number| {
            let wakers = &sets[*number].wakers;
            wakers.len() > 1 || wakers.first().is_some_and(|waker| *waker != pid)
        })
    };
    let mut ended: Vec<Pid> =
        waiting.iter().filter(|(pid, own)| !leads_on(&sets, **pid, own)).map(|(pid, _)| *pid).collect();
    while let Some(pid) = ended.pop() {
        if waiting.remove(&pid).is_none() {
            continue;
        }
        for number in member_of.remove(&pid).unwrap_or_default() {
            sets[number].wakers.remove(&pid);
            if sets[number].wakers.len() < 2 {
                let of_set = sets[number].waiting.iter().copied();
                ended.extend(of_set.filter(|pid| waiting.get(pid).is_some_and(|own| !leads_on(&sets, *pid, own))));
            }
        }
    }
    waiting.into_keys().collect()
}

/// The processes that could end some waits, and those that wait for them.
struct Set {
    wakers: BTreeSet<Pid>,
    waiting: Vec<Pid>,
}
