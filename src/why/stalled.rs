//! Stalled readers: a writer waits for room in a full pipe, and those who could read do something else. Where a reader may not be seen,
//! that is a suspicion.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Case;
use crate::model::{
    Fault, Finding, Operation, Pid, Pipe, PipeId, Side, SleepOn, Task, TaskId, TaskState, ThreadGroup, WaitTarget,
};

/// A writer that has not run for so long has seen nobody read in that time: less is how a slow reader shows.
const LONG: Duration = Duration::from_secs(10);

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.waiting.keys().filter_map(|pipe| of_pipe(case, case.graph.pipe(*pipe)?)).collect()
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    let writers = writers(case, pipe.id);
    if writers.is_empty() || writers.iter().all(|writer| case.stuck.contains(writer)) {
        return None;
    }
    let readers: BTreeSet<Pid> = pipe.side(Side::Read).map(|end| end.pid).collect();
    let groups: Vec<&ThreadGroup> = readers.iter().map(|pid| case.groups.get(pid)).collect::<Option<_>>()?;
    // A writer of which the kernel does not say it may be blocked for long.
    let is_long = case.waiting.get(&pipe.id)?.iter().all(|(task, _)| task.idle.is_none_or(|idle| idle >= LONG));
    let mut patient = false;
    for task in groups.iter().flat_map(|group| &group.tasks) {
        match attention(task, pipe.id) {
            Attention::Here => return None,
            Attention::Outside => patient = true,
            Attention::Busy => patient |= !is_long,
            Attention::Held => {}
        }
    }
    if groups.iter().any(|group| group.tasks.is_empty()) || groups.is_empty() {
        return None;
    }
    let mut tasks = writers.clone();
    tasks.extend(readers.iter().filter_map(|pid| case.leader(*pid)).filter(|task| !writers.contains(task)));
    Some(Finding {
        fault: Fault::StalledReader { pipe: pipe.id, writers, readers: readers.into_iter().collect(), patient },
        tasks,
        pipes: vec![pipe.id],
        doubts: case.doubts(pipe.id, Side::Read),
    })
}

fn writers(case: &Case<'_>, pipe: PipeId) -> Vec<TaskId> {
    let waiting = case.waiting.get(&pipe).map_or(&[][..], Vec::as_slice);
    let writes = waiting.iter().filter(|(_, wait)| wait.operation == Operation::Write);
    writes.map(|(task, _)| task.id).collect()
}

/// Whether a thread may read from a pipe soon.
enum Attention {
    /// It runs, or waits for the pipe, or for room further on, or it cannot be told.
    Here,
    /// It waits for something from outside, which may come, and then it may read.
    Outside,
    /// It is at something that has to end first.
    Busy,
    /// It is kept from running.
    Held,
}

fn attention(task: &Task, pipe: PipeId) -> Attention {
    match &task.doing {
        TaskState::Runs | TaskState::Unknown => Attention::Here,
        TaskState::Waits { causes, besides } => {
            let here = |cause: &WaitTarget| match cause {
                // What it waits for further on is told there.
                WaitTarget::Pipe(wait) => {
                    wait.pipe == Some(pipe)
                        || (wait.pipe.is_none() && wait.operation != Operation::Open)
                        || wait.operation == Operation::Write
                }
                WaitTarget::Children(_) | WaitTarget::Threads => false,
            };
            match besides {
                _ if causes.iter().any(here) => Attention::Here,
                None => Attention::Busy,
                Some(_) => Attention::Outside,
            }
        }
        TaskState::Sleeps(sleep) => match sleep.on {
            // Elsewhere it comes back soon, as from a disk.
            SleepOn::SomeFiles | SleepOn::IoUring | SleepOn::Other => Attention::Here,
            SleepOn::Files | SleepOn::Terminal | SleepOn::Socket => Attention::Outside,
            SleepOn::Timer | SleepOn::Signal | SleepOn::Futex => Attention::Busy,
            SleepOn::FileInPipe { .. } => Attention::Held,
        },
        TaskState::Stopped | TaskState::Traced | TaskState::Frozen | TaskState::Exits => Attention::Held,
    }
}
