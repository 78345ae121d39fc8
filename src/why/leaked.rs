//! Leaked write ends: a reader waits for end of file, and only those keep it from it who have nothing to do with its pipeline.
//!
//! That is a judgement of how processes are related, and is told as one: and as a suspicion, where the true writer may not be seen.

use std::collections::BTreeSet;

use super::Case;
use crate::model::{
    AccessMode, AlternativeWake, Doubt, Endpoint, Fault, Fd, Finding, Holder, Operation, Pid, Pipe, PipeId, PipeKind,
    PipeWait, Relation, Side, Task, TaskId, TaskState,
};

/// The standard input, by which a shell gives a pipe to a program.
const INPUT: Fd = Fd(0);

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.waiting.keys().filter_map(|pipe| of_pipe(case, case.graph.pipe(*pipe)?)).collect()
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    let readers = readers(case, pipe.id);
    if readers.is_empty() {
        return None;
    }
    let writers: Vec<&Endpoint> = pipe.side(Side::Write).collect();
    let pids: BTreeSet<Pid> = writers.iter().map(|end| end.pid).collect();
    if is_pool(pipe, &readers, &pids) {
        return None;
    }
    let mut strangers = Vec::new();
    for pid in &pids {
        let ends: Vec<&Endpoint> = writers.iter().copied().filter(|end| end.pid == *pid).collect();
        let stranger = of_holder(case, pipe, &readers, *pid, &ends)?;
        strangers.extend(ends.into_iter().map(|end| Holder {
            end: *end,
            stranger,
            inherited_from: case.ancestors(*pid).find(|ancestor| {
                pipe.ends.iter().any(|other| (other.pid, other.fd, other.access) == (*ancestor, end.fd, end.access))
            }),
        }));
    }
    // Its own copy alone is a matter of deadlock.
    strangers.iter().any(|holder| holder.stranger != Relation::Own).then_some(())?;
    // As communicate() with a timeout does, and a server with a socket beside it.
    let waiting = case.waiting.get(&pipe.id).map_or(&[][..], Vec::as_slice);
    let patient = !waiting
        .iter()
        .any(|(task, _)| readers.contains(&task.id) && matches!(task.doing, TaskState::Waits { besides: None, .. }));
    let mut tasks = readers.clone();
    tasks.extend(
        pids.iter().filter(|pid| !readers.iter().any(|reader| reader.pid == **pid)).filter_map(|pid| case.leader(*pid)),
    );
    let mut doubts = case.doubts(pipe.id, Side::Write);
    let judged = strangers.iter().filter(|holder| !matches!(holder.stranger, Relation::Own | Relation::ReadWrite));
    let starters: BTreeSet<Pid> = judged
        .flat_map(|holder| readers.iter().filter_map(|reader| case.starter(reader.pid, holder.end.pid)))
        .collect();
    doubts.extend(starters.into_iter().map(Doubt::Starter));
    Some(Finding {
        fault: Fault::LeakedWriteEnd { pipe: pipe.id, readers, holders: strangers, patient },
        tasks,
        pipes: vec![pipe.id],
        doubts,
    })
}

/// Whether everybody may both write and read, those too who wait: then nobody waits for its end. The jobserver of make(1) is such a
/// pipe, in which the tokens of all its descendants are.
fn is_pool(pipe: &Pipe, readers: &[TaskId], writers: &BTreeSet<Pid>) -> bool {
    readers.iter().all(|reader| writers.contains(&reader.pid)) && writers.iter().all(|pid| pipe.is_on_both(*pid))
}

/// Why a holder is none of the pipeline of any of the readers; none if it is.
fn of_holder(case: &Case<'_>, pipe: &Pipe, readers: &[TaskId], holder: Pid, ends: &[&Endpoint]) -> Option<Relation> {
    let is_write_only = ends.iter().all(|end| end.access == AccessMode::Write);
    if readers.iter().any(|reader| reader.pid == holder) {
        // Another thread of it may still write; and who opened a FIFO for both keeps it open on purpose.
        return (is_write_only && case.groups.get(&holder)?.tasks.len() == 1).then_some(Relation::Own);
    }
    if ends.iter().all(|end| end.access == AccessMode::ReadWrite) {
        return Some(Relation::ReadWrite);
    }
    // Whoever opened a FIFO for writing did it by name.
    (is_write_only && pipe.id.kind() == PipeKind::Anonymous).then_some(())?;
    let was_given = |pid: Pid| pipe.ends.iter().any(|end| (end.pid, end.fd) == (pid, INPUT));
    let mut strangers = readers.iter().map(|reader| case.stranger(reader.pid, was_given(reader.pid), holder, ends));
    let first = strangers.next()?;
    strangers.all(|stranger| stranger.is_some()).then_some(first?)
}

/// The threads that wait for this pipe to have data or end.
fn readers(case: &Case<'_>, pipe: PipeId) -> Vec<TaskId> {
    let waiting = case.waiting.get(&pipe).map_or(&[][..], Vec::as_slice);
    let reads = |(task, wait): &&(&Task, &PipeWait)| {
        !matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Lock), .. })
            && wait.access != AccessMode::Write
            && matches!(wait.operation, Operation::Read | Operation::Poll)
            && !case.stuck.contains(&task.id)
    };
    let mut readers: Vec<TaskId> = waiting.iter().filter(reads).map(|(task, _)| task.id).collect();
    readers.dedup();
    readers
}
