//! Which references to the ends of pipes, besides their descriptors, are those of calls that go on, and which open files are those of threads
//! that are blocked in open(2). Pure.
//!
//! A thread that did not move from before the kernel's account until after it held during that account what its call shows. Of others
//! nothing is known, and a wrong guess would turn a doubt into a proof: only where the numbers are equal are the references explained.

use std::collections::{BTreeSet, HashMap};

use super::proc::{Held, held};
use crate::model::{
    AccessMode, Endpoint, Fd, Operation, Pid, Pipe, PipeGraph, PipeId, Probed, References, Side, Task, TaskState,
    Threads, Tid,
};

/// Removes what the calls of these threads explain from what the kernel counts besides the ends that were seen. Threads that moved count
/// as running.
pub(super) fn explain_references(graph: &mut PipeGraph, threads: &Threads) {
    let calls = Calls::of(graph, threads);
    let PipeGraph { pipes, probed, .. } = graph;
    for pipe in pipes.iter() {
        if let Some(probed) = probed.get_mut(&pipe.id) {
            calls.explain(pipe, probed);
        }
    }
}

/// The calls of threads that sleep, by what they are on.
#[derive(Default)]
struct Calls {
    /// Number of threads that poll an end by this descriptor, which is in the table of the process.
    polls: HashMap<(PipeId, Pid, Fd), u64>,
    /// Number of threads that read or write by this descriptor, in processes with several threads.
    transfers: HashMap<(Pid, Fd), u64>,
    /// Number of threads that are opening a side.
    opens: HashMap<(PipeId, Side), u32>,
}

impl Calls {
    fn of(graph: &PipeGraph, threads: &Threads) -> Self {
        let mut calls = Self::default();
        // Which table another thread uses is not known then, nor how many share one.
        let ends = graph.pipes.iter().flat_map(|pipe| &pipe.ends);
        let with_tables: BTreeSet<Pid> = ends.filter(|end| end.tid.is_some()).map(|end| end.pid).collect();
        for group in threads.values() {
            let has_one_table = !with_tables.contains(&group.pid);
            for task in &group.tasks {
                calls.add_opens(task);
                if has_one_table {
                    calls.add(task, group.tasks.len() > 1);
                }
            }
        }
        calls
    }

    fn add_opens(&mut self, task: &Task) {
        for wait in task.doing.pipe_waits().filter(|wait| wait.operation == Operation::Open) {
            for side in Side::BOTH.into_iter().filter(|side| wait.access.is_on(*side)) {
                if let Some(pipe) = wait.pipe {
                    *self.opens.entry((pipe, side)).or_default() += 1;
                }
            }
        }
    }

    fn add(&mut self, task: &Task, is_shared: bool) {
        if !matches!(task.doing, TaskState::Waits { .. } | TaskState::Sleeps { .. }) {
            return;
        }
        match held(&task.trace) {
            Some(Held::Polled) => {
                let ends = task.doing.pipe_waits().filter_map(|wait| Some((wait.pipe?, wait.fd?)));
                for (pipe, fd) in ends.collect::<BTreeSet<_>>() {
                    *self.polls.entry((pipe, task.id.pid, fd)).or_default() += 1;
                }
            }
            Some(Held::IfShared(fds)) if is_shared => {
                for fd in fds.into_iter().flatten() {
                    *self.transfers.entry((task.id.pid, fd)).or_default() += 1;
                }
            }
            Some(Held::IfShared(_)) | None => {}
        }
    }

    fn explain(&self, pipe: &Pipe, probed: &mut Probed) {
        if !probed.references.is_empty() {
            let by_calls = self.references(pipe);
            let is_explained = |of_file: &References| {
                let place = pipe.ends.binary_search_by_key(&of_file.end, Endpoint::key).ok();
                let end = place.and_then(|place| pipe.ends.get(place));
                end.is_some_and(|end| of_file.count.is_some() && by_calls.get(&file(end)).copied() == of_file.count)
            };
            probed.references.retain(|of_file| !is_explained(of_file));
        }
        for side in Side::BOTH {
            let references = References::on(&probed.references, side);
            if let Some(unseen) = probed.unseen_mut(side) {
                let opens = self.opens.get(&(pipe.id, side)).copied().unwrap_or_default();
                unseen.descriptions = unseen.descriptions.saturating_sub(opens);
                unseen.references = references;
            }
        }
    }

    /// How many references the calls hold to each open file description of a pipe.
    fn references(&self, pipe: &Pipe) -> HashMap<File, u64> {
        let mut references: HashMap<File, u64> = HashMap::new();
        for end in &pipe.ends {
            let polls = self.polls.get(&(pipe.id, end.pid, end.fd)).copied().unwrap_or_default();
            let transfers = self.transfers.get(&(end.pid, end.fd)).copied().unwrap_or_default();
            // It sleeps in the queues of both sides (`pipe_poll` in fs/pipe.c).
            let queues = if end.access == AccessMode::ReadWrite { 2 } else { 1 };
            *references.entry(file(end)).or_default() += polls * queues + transfers;
        }
        references
    }
}

/// An open file description by its number, or by the only end that is known of it.
type File = Result<u32, (Pid, Option<Tid>, Fd)>;

fn file(end: &Endpoint) -> File {
    end.description.ok_or_else(|| end.key())
}

#[cfg(test)]
mod tests;
