//! From the ends that a scan saw to the pipes that they are ends of. Pure.

use std::collections::BTreeMap;

use crate::model::{
    Hidden, Opener, Operation, Pid, Pipe, PipeFile, PipeGraph, PipeWait, TaskState, ThreadGroup, WaitTarget,
};
use crate::observe::proc::{RawEndpoint, Snapshot};

/// Joins the ends of a snapshot: each stands in exactly one pipe, and the order of the input does not matter.
///
/// An end that was seen twice counts once. A descriptor may be an end of two pipes; see `Class::ends` of the channels.
#[must_use]
pub(crate) fn join(snapshot: Snapshot) -> PipeGraph {
    let Snapshot { host, taken_at, coverage, limits, pipefs, parents, processes, mut ends, mut descriptors } = snapshot;
    ends.sort_unstable_by_key(|seen| (seen.pipe, seen.end.key()));
    ends.dedup_by_key(|seen| (seen.pipe, seen.end.key()));
    descriptors.sort_by_key(crate::model::Descriptor::key);
    descriptors.dedup_by_key(|descriptor| descriptor.key());
    PipeGraph {
        host,
        taken_at: taken_at.into(),
        coverage,
        pipefs,
        parents,
        processes: processes.into_iter().map(|process| (process.pid, process)).collect::<BTreeMap<_, _>>(),
        pipes: ends.chunk_by(|a, b| a.pipe == b.pipe).filter_map(pipe).collect(),
        descriptors,
        probed: BTreeMap::new(),
        hidden: Hidden::default(),
        selected: false,
        limits,
    }
}

/// Adds who is blocked in opening a FIFO, and the FIFOs that are only being opened. Who was gone when the scan came is left out.
pub(crate) fn add_openers(graph: &mut PipeGraph, groups: &BTreeMap<Pid, ThreadGroup>) {
    let groups = groups.values().filter(|group| graph.processes.contains_key(&group.pid));
    let groups: Vec<&ThreadGroup> = groups.collect();
    for (group, task) in groups.into_iter().flat_map(|group| group.tasks.iter().map(move |task| (group, task))) {
        let TaskState::Waits { causes, .. } = &task.doing else { continue };
        for cause in causes {
            let WaitTarget::Pipe(PipeWait { operation: Operation::Open, access, pipe: Some(id), path, .. }) = cause
            else {
                continue;
            };
            let opener = Opener { task: task.id, access: *access, command: group.command.clone() };
            match graph.pipes.binary_search_by_key(id, |pipe| pipe.id) {
                Ok(place) => graph.pipes[place].openers.push(opener),
                Err(place) => {
                    let pipe = Pipe { path: path.clone(), openers: vec![opener], ..Pipe::unknown(*id) };
                    graph.pipes.insert(place, pipe);
                }
            }
        }
    }
}

/// Makes one pipe of its ends.
fn pipe(seen: &[RawEndpoint]) -> Option<Pipe> {
    let paths = || seen.iter().filter_map(|seen| seen.path.as_ref());
    // A name that was removed while another hard link lives reads so too: prefer one that does not.
    // Of several, one and the same whoever holds it.
    let path = paths().filter(|path| !path.ends_with(b" (deleted)")).min().or_else(|| paths().min());
    Some(Pipe {
        id: seen.first()?.pipe,
        path: path.cloned().map(Into::into),
        deleted: seen.iter().any(|seen| seen.deleted),
        ends: seen.iter().map(|seen| seen.end).collect(),
        openers: Vec::new(),
        file: file(seen.iter().filter_map(|seen| seen.file)),
    })
}

/// What its holders see of its inode: one and the same, but each may have come to it by another path.
fn file(seen: impl Iterator<Item = PipeFile>) -> Option<PipeFile> {
    seen.reduce(|file, other| {
        let directories = match (file.directories, other.directories) {
            (Some(one), Some(two)) => Some(one.or(two)),
            (one, two) => one.or(two),
        };
        PipeFile { directories, ..file }
    })
}

#[cfg(test)]
mod tests;
