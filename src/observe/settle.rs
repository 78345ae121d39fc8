//! What two looks at threads have in common, and what a look at threads means for the scan that follows it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::proc::Usages;
use crate::model::{
    AlternativeWake, Operation, Pid, PipeGraph, PipeId, PipeWait, Process, Sleep, SleepOn, Task, TaskState,
    ThreadGroup, Threads,
};

/// The threads after a later look at the processes in `again`. A thread that has moved since the earlier look counts as running. Processes
/// in `again` that have exited are left out; the others have no thread that waits.
pub(super) fn retain_unmoved(mut threads: Threads, again: &BTreeSet<Pid>, later: Threads) -> Threads {
    threads.retain(|pid, _| !again.contains(pid) || later.contains_key(pid));
    for (pid, mut group) in later {
        let before = threads.get(&pid);
        for task in &mut group.tasks {
            let task_before = before.and_then(|group| group.task(task.id));
            if task_before.is_none_or(|before| before.trace != task.trace || before.doing != task.doing) {
                let now = std::mem::replace(&mut task.doing, TaskState::Runs);
                let is_blocked = matches!(now, TaskState::Waits { .. } | TaskState::Sleeps { .. });
                task.woke = (is_blocked && task_before.is_some()).then(|| Box::new(now));
            }
        }
        threads.insert(pid, group);
    }
    threads
}

/// Says of the processes that were looked at again what they did since the first look.
pub(super) fn add_activity(threads: &mut Threads, first: &Usages, last: &Usages) {
    for (pid, usage) in last {
        if let (Some(group), Some(earlier)) = (threads.get_mut(pid), first.get(pid)) {
            group.activity = usage.since(earlier);
        }
    }
}

/// Makes idle times, which a look measured, those at another instant. A thread that began to wait in between has been idle for 0 s.
pub(super) fn idle_since(threads: &mut Threads, looked_at: Instant, instant: Instant) {
    let (later, earlier) = (instant.saturating_duration_since(looked_at), looked_at.saturating_duration_since(instant));
    for task in threads.values_mut().flat_map(|group| &mut group.tasks) {
        task.idle = task.idle.map(|idle| (idle + later).saturating_sub(earlier));
    }
}

/// Lets a first scan keep no command line of its own that the second has, too.
pub(super) fn share_command_lines(first: &mut PipeGraph, second: &PipeGraph) {
    for (pid, process) in &mut first.processes {
        let later = second.processes.get(pid).and_then(|process| process.cmdline.as_ref());
        if let (Some(line), Some(later)) = (&mut process.cmdline, later)
            && line == later
        {
            *line = later.clone();
        }
    }
}

/// The facts of those of some processes that have not run since the scan that read them: a later scan need not read them again.
pub(super) fn unmoved_facts(first: &PipeGraph, threads: &Threads, again: &BTreeSet<Pid>) -> BTreeMap<Pid, Process> {
    let is_still = |task: &Task| matches!(task.doing, TaskState::Waits { .. } | TaskState::Sleeps { .. });
    let is_unmoved = |pid: &Pid| {
        again.contains(pid)
            && threads.get(pid).is_some_and(|group| !group.tasks.is_empty() && group.tasks.iter().all(is_still))
    };
    let processes = first.processes.iter().filter(|(pid, process)| is_unmoved(pid) && process.cmdline.is_some());
    processes.map(|(pid, process)| (*pid, process.clone())).collect()
}

/// The processes that are blocked in opening a FIFO that was identified.
pub(super) fn openers(threads: &Threads) -> BTreeSet<Pid> {
    let opens = |wait: &PipeWait| wait.operation == Operation::Open && wait.pipe.is_some();
    let is_opening = |group: &&ThreadGroup| group.tasks.iter().any(|task| task.doing.pipe_waits().any(opens));
    threads.values().filter(is_opening).map(|group| group.pid).collect()
}

/// Separates those of some processes that hold no end: they are beside the pipes.
pub(super) fn set_aside(graph: &mut PipeGraph, mut pids: BTreeSet<Pid>) {
    if pids.is_empty() {
        return;
    }
    for end in graph.pipes.iter().flat_map(|pipe| &pipe.ends) {
        pids.remove(&end.pid);
    }
    graph.beside = pids.into_iter().filter_map(|pid| graph.processes.remove_entry(&pid)).collect();
}

/// The pipes whose lock is held, or seems to be held, in a call that does not return: asking the kernel for their sizes would hang.
pub(super) fn lock_held(threads: &Threads) -> impl Iterator<Item = PipeId> {
    threads.values().flat_map(|group| &group.tasks).flat_map(|task| {
        let holds = match &task.doing {
            TaskState::Sleeps { sleep: Sleep { on: SleepOn::FileInPipe { pipe }, .. } } => Some(*pipe),
            _ => None,
        };
        let is_for_lock = matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Lock), .. });
        task.doing.pipe_waits().filter(move |_| is_for_lock).filter_map(|wait| wait.pipe).chain(holds)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{CommandName, TaskId, Tid};

    fn waits_since(idle: u64) -> Threads {
        let task = Task {
            idle: Some(Duration::from_millis(idle)),
            ..Task::new(TaskId { pid: Pid(7), tid: Tid(7) }, TaskState::Unknown)
        };
        let group = ThreadGroup {
            pid: Pid(7),
            parent: None,
            pgid: None,
            sid: None,
            command: CommandName::default(),
            tracer: None,
            catches: 0,
            blocks: 0,
            ignores: 0,
            adopts: None,
            activity: None,
            tasks: vec![task],
        };
        Threads::from([(Pid(7), group)])
    }

    #[test]
    fn idle_times_are_of_one_instant() {
        let scan = Instant::now();
        let look = scan + Duration::from_millis(400);
        for (idle, looked_at, instant, expected) in
            [(5000, look, scan, 4600), (5000, scan, look, 5400), (300, look, scan, 0), (300, scan, scan, 300)]
        {
            let mut threads = waits_since(idle);
            idle_since(&mut threads, looked_at, instant);
            assert_eq!(threads[&Pid(7)].tasks[0].idle, Some(Duration::from_millis(expected)), "{idle}");
        }
    }
}
