//! Holders that wait for EOF themselves, as tee(1) does in a script that has `exec > >(tee log)`: such a filter ends once it sees EOF, so
//! what is in the way of its readers is what holds the write end of its stdin.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::sides::{STDIN, Sides};
use super::{LeakedEnd, is_stranger};
use crate::findings::Case;
use crate::judge::lineage::is_stdio;
use crate::model::{AccessMode, Endpoint, Operation, Pid, PipeId, PipeKind, PipeWait, Side, TaskState, WaitTarget};

/// Maximum number of filters between a reader and the last holders: each reader of a long line has the rest of it in front.
const MOST_FILTERS: usize = 16;

/// Maximum number of write ends of the stdin of a filter.
const MOST_ENDS: usize = 64;

/// A holder that is blocked reading a pipe as its stdin, and does nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Filter {
    /// The process.
    pub pid: Pid,
    /// Its stdin.
    pub pipe: PipeId,
    /// Every write end of that, ordered as ends are. None is of the pipeline of the readers.
    pub holders: Vec<LeakedEnd>,
}

/// The filters among the holders of a pipe, those among the holders of their stdin, and so on. Empty if they are too many, or wait for
/// each other alone.
pub(super) fn filters(case: &Case<'_>, sides: &Sides<'_>, holders: &[LeakedEnd]) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    let (mut known, mut next) = (BTreeSet::new(), outputs(holders));
    while let Some(pid) = next.pop_first() {
        if !known.insert(pid) {
            continue;
        }
        let Some(filter) = filter(case, sides, pid) else { continue };
        if filters.len() == MOST_FILTERS {
            return Vec::new();
        }
        next.extend(outputs(&filter.holders));
        filters.push(filter);
    }
    let is_filter = |pid: Pid| filters.iter().any(|filter| filter.pid == pid);
    let mut ends = holders.iter().chain(filters.iter().flat_map(|filter| &filter.holders));
    let has_last = ends.any(|end| is_stranger(end) && !is_filter(end.end.pid));
    if has_last { filters } else { Vec::new() }
}

/// The processes that have the pipe as stdout or stderr, and were not the ones to open it.
fn outputs(holders: &[LeakedEnd]) -> BTreeSet<Pid> {
    let outputs = holders.iter().filter(|end| is_stranger(end) && is_stdio(end.end.fd));
    outputs.map(|end| end.end.pid).collect()
}

fn filter(case: &Case<'_>, sides: &Sides<'_>, pid: Pid) -> Option<Filter> {
    let [task] = &case.groups.get(&pid)?.tasks[..] else { return None };
    let TaskState::Waits { causes, besides: None } = &task.doing else { return None };
    let [WaitTarget::Pipe(PipeWait { operation: Operation::Read, fd: Some(STDIN), pipe: Some(pipe), .. })] =
        &causes[..]
    else {
        return None;
    };
    if pipe.kind() != PipeKind::Anonymous || case.stuck.contains(&task.id) {
        return None;
    }
    let writers: Vec<&Endpoint> = case.graph.pipe(*pipe)?.side(Side::Write).take(MOST_ENDS + 1).collect();
    if writers.len() > MOST_ENDS {
        return None;
    }
    let mut holders = Vec::new();
    for ends in writers.chunk_by(|one, other| one.pid == other.pid) {
        let holder = ends.first()?.pid;
        let is_write_only = ends.iter().all(|end| end.access == AccessMode::Write);
        if holder == pid || !is_write_only || sides.reading.contains(&holder) {
            return None;
        }
        let relation = sides.unrelated_reason(ends)?;
        if !case.processes.has_ended(holder) {
            // What is known of ancestors is that of the other pipe.
            let leaked = |end: &&Endpoint| LeakedEnd { inherited_from: None, ..sides.leaked_end(end, relation) };
            holders.extend(ends.iter().map(leaked));
        }
    }
    (!holders.is_empty()).then_some(Filter { pid, pipe: *pipe, holders })
}
