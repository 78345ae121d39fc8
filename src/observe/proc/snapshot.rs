//! What a scan of /proc saw, put together from the results of its jobs. Nothing is judged here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::scanner::Scanner;
use super::work::ProcessResult;
use crate::model::{
    Backend, Coverage, Descriptor, Gap, Hidden, Host, Pid, PipeGraph, PipeLimits, UnionOfGaps, ViewLimit, WaitedFiles,
};
use crate::observe::join::join;
use crate::privilege::sees_all_processes;

pub(super) fn graph(
    scanner: &Scanner,
    taken_at: Timestamp,
    outside: Option<ViewLimit>,
    results: Vec<ProcessResult>,
) -> PipeGraph {
    let root = &scanner.root;
    let own_pids = root.proc_fs.as_ref().is_some_and(|proc_fs| proc_fs.own_pids);
    let mut coverage = Coverage {
        proc_root: root.path().to_owned(),
        backend: if scanner.recorded.get().is_some() { Backend::Bpf } else { Backend::Proc },
        processes: 0,
        vanished: 0,
        gaps: Vec::new(),
        union: UnionOfGaps::default(),
        outside,
        privileged: sees_all_processes(),
        own_pids,
        scanner: own_pids.then(|| Pid(std::process::id())),
    };
    let mut ends = Vec::with_capacity(results.iter().map(|result| result.ends.len()).sum());
    let (mut parents, mut processes, mut descriptors) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for result in results {
        coverage.vanished += usize::from(result.vanished) + result.vanished_fds;
        coverage.gaps.extend(result.gaps);
        if !result.vanished {
            let parent: &mut Option<Pid> = parents.entry(result.pid).or_default();
            *parent = parent.or(result.parent);
        }
        processes.extend(result.process.map(|process| (process.pid, process)));
        descriptors.extend(result.descriptors);
        ends.extend(result.ends);
    }
    coverage.processes = parents.len();
    merge(&mut coverage.gaps);
    descriptors.sort_by_key(Descriptor::key);
    descriptors.dedup_by_key(|descriptor| descriptor.key());
    PipeGraph {
        host: Host { booted_at: scanner.booted_at.map(Into::into), ..root.host() },
        taken_at: taken_at.into(),
        coverage,
        pipefs: root.pipefs().map(|pipefs| pipefs.device),
        parents,
        processes,
        beside: BTreeMap::new(),
        pipes: join(ends),
        descriptors,
        probed: BTreeMap::new(),
        hidden: Hidden::default(),
        waited: WaitedFiles::default(),
        polled: BTreeMap::new(),
        selected: false,
        limits: if scanner.is_audit() { root.pipe_limits() } else { PipeLimits::default() },
        user_pages: if scanner.is_audit() { scanner.user_pages() } else { Vec::new() },
    }
}

/// Sorts the gaps, and makes one of those that say the same of several parts of one fd table.
fn merge(gaps: &mut Vec<Gap>) {
    let key = |gap: &Gap| (gap.pid, gap.tid, gap.what, gap.error.clone());
    gaps.sort_by_cached_key(key);
    gaps.dedup_by(|next, first| {
        let same = key(next) == key(first);
        if same {
            first.fds = first.fds.zip(next.fds).map(|(a, b)| a + b);
            first.may_hold = first.may_hold.or(next.may_hold);
        }
        same
    });
}
