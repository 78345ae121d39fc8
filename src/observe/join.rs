//! From the ends that a scan saw to the pipes that they are ends of. Pure.

use std::collections::{BTreeMap, HashMap};

use super::kernel::Address;
use crate::model::{Endpoint, Opener, Operation, Pipe, PipeFile, PipeGraph, PipeId, PipeWait, Threads};

/// An end, and what the fd table of its holder says of its pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawEndpoint {
    pub(crate) pipe: PipeId,
    pub(crate) end: Endpoint,
    /// Of the file; none of an anonymous pipe outside of an audit. Apart, since a machine may have very many ends of those.
    pub(crate) facts: Option<Box<FileFacts>>,
    /// The open file description, where the kernel said which it is. [`join`] numbers them.
    pub(crate) description: Option<Address>,
}

/// What the descriptor says of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileFacts {
    /// For a FIFO: the name by which it was opened, where that can be read.
    pub(crate) path: Option<Vec<u8>>,
    /// For a FIFO: whether its last name is gone.
    pub(crate) deleted: bool,
    /// Its owner and mode, for an audit, where they could be read.
    pub(crate) file: Option<PipeFile>,
}

/// The pipes of these ends, in order. Each end is in one pipe, once, and the order of the input does not matter. A descriptor may be an
/// end of two pipes; see `Ends` of the channels.
pub(crate) fn join(mut ends: Vec<RawEndpoint>) -> Vec<Pipe> {
    ends.sort_unstable_by_key(|seen| (seen.pipe, seen.end.key()));
    ends.dedup_by_key(|seen| (seen.pipe, seen.end.key()));
    number_descriptions(&mut ends);
    ends.chunk_by(|a, b| a.pipe == b.pipe).filter_map(pipe).collect()
}

/// Gives each open file description a number, from 1 on, in the order of the ends.
fn number_descriptions(ends: &mut [RawEndpoint]) {
    let mut numbers: HashMap<Address, u32> = HashMap::new();
    for seen in ends {
        let next = u32::try_from(numbers.len()).ok().and_then(|known| known.checked_add(1));
        let number = |description| next.map(|next| *numbers.entry(description).or_insert(next));
        seen.end.description = seen.description.and_then(number);
    }
}

/// Adds the threads that are blocked in opening a FIFO, and the FIFOs that are only being opened. Processes that were gone when the scan
/// came are left out.
pub(crate) fn add_openers(graph: &mut PipeGraph, threads: &Threads) {
    let mut only_opened: BTreeMap<PipeId, Pipe> = BTreeMap::new();
    for group in threads.values().filter(|group| graph.processes.contains_key(&group.pid)) {
        let waits = group.tasks.iter().flat_map(|task| task.doing.pipe_waits().map(|wait| (task.id, wait)));
        for (task, PipeWait { operation, access, pipe, path, .. }) in waits {
            let (Operation::Open, Some(id)) = (operation, pipe) else { continue };
            let opener = Opener { task, access: *access, command: group.command.clone() };
            match graph.pipes.binary_search_by_key(id, |pipe| pipe.id) {
                Ok(place) => graph.pipes[place].openers.push(opener),
                Err(_) => {
                    let new = || Pipe { path: path.clone(), ..Pipe::unknown(*id) };
                    only_opened.entry(*id).or_insert_with(new).openers.push(opener);
                }
            }
        }
    }
    graph.pipes.extend(only_opened.into_values());
    graph.pipes.sort_by_key(|pipe| pipe.id);
}

/// Makes one pipe of its ends.
fn pipe(seen: &[RawEndpoint]) -> Option<Pipe> {
    let facts = || seen.iter().filter_map(|seen| seen.facts.as_deref());
    let paths = || facts().filter_map(|facts| facts.path.as_ref());
    // A name that was removed while another hard link lives reads so too: prefer one that does not.
    // Of several, the same for any set of holders.
    let path = paths().filter(|path| !path.ends_with(b" (deleted)")).min().or_else(|| paths().min());
    Some(Pipe {
        id: seen.first()?.pipe,
        path: path.cloned().map(Into::into),
        deleted: facts().any(|facts| facts.deleted),
        ends: seen.iter().map(|seen| seen.end).collect(),
        openers: Vec::new(),
        file: facts().filter_map(|facts| facts.file).reduce(merge),
    })
}

/// Two views of one inode: the same, but each holder may have come to it by another path.
fn merge(file: PipeFile, other: PipeFile) -> PipeFile {
    let directories = match (file.directories, other.directories) {
        (Some(one), Some(two)) => Some(one.or(two)),
        (one, two) => one.or(two),
    };
    PipeFile { directories, ..file }
}

#[cfg(test)]
mod tests;
