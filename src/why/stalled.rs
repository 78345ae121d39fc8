//! Stalled readers: a writer waits for room in a full pipe, and those who could read do something else.

use std::collections::BTreeSet;

use super::Case;
use crate::model::{
    Cause, Doing, Fault, Finding, Operation, Pid, Pipe, PipeId, Side, SleepOn, Task, TaskId, ThreadGroup,
};

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
    let mut patient = false;
    for task in groups.iter().flat_map(|group| &group.tasks) {
        match attention(task, pipe.id) {
            Attention::Here => return None,
            Attention::Free => patient = true,
            Attention::Bound => {}
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
        doubts: Vec::new(),
    })
}

fn writers(case: &Case<'_>, pipe: PipeId) -> Vec<TaskId> {
    let waiting = case.waiting.get(&pipe).map_or(&[][..], Vec::as_slice);
    let writes = waiting.iter().filter(|(_, wait)| wait.operation == Operation::Write);
    writes.map(|(task, _)| task.id).collect()
}

/// Whether a thread may read from a pipe soon.
enum Attention {
    /// It runs, or waits for the pipe, or it cannot be told.
    Here,
    /// It waits for something from outside, which may come, and then it may read.
    Free,
    /// It is at something that has to end first.
    Bound,
}

fn attention(task: &Task, pipe: PipeId) -> Attention {
    match &task.doing {
        Doing::Runs | Doing::Unknown => Attention::Here,
        Doing::Waits { causes, besides } => {
            let here = |cause: &Cause| matches!(cause, Cause::Pipe(wait) if (wait.pipe == Some(pipe) || wait.pipe.is_none()) && wait.operation != Operation::Open);
            match besides {
                _ if causes.iter().any(here) => Attention::Here,
                None => Attention::Bound,
                Some(_) => Attention::Free,
            }
        }
        Doing::Sleeps(sleep) => match sleep.on {
            SleepOn::SomeFiles | SleepOn::IoUring => Attention::Here,
            SleepOn::Files | SleepOn::Terminal | SleepOn::Socket => Attention::Free,
            // Uninterruptible, so that it comes back soon, as from a disk; or in a page of a file.
            SleepOn::Other => Attention::Here,
            SleepOn::Timer | SleepOn::Signal | SleepOn::Futex | SleepOn::FileInPipe(_) => Attention::Bound,
        },
        Doing::Stopped | Doing::Traced | Doing::Frozen | Doing::Exits => Attention::Bound,
    }
}
