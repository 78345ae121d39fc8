//! What a scan of /proc saw, put together from the results of its jobs. Nothing is joined or judged here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::privilege;
use super::scanner::Scanner;
use super::work::ProcessResult;
use crate::model::{
    Coverage, Descriptor, Device, Endpoint, Gap, Host, Pid, PipeFile, PipeId, PipeLimits, Process, ViewLimit,
};

/// What a scan saw. What it was not asked for is empty.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The machine.
    pub host: Host,
    /// When the scan began.
    pub taken_at: Timestamp,
    /// How much of the machine it saw.
    pub coverage: Coverage,
    /// The limits of the pipes of a user.
    pub limits: PipeLimits,
    /// The device of anonymous pipes; none for a tree of plain files.
    pub pipefs: Option<Device>,
    /// Every process, also those without an end, with its parent.
    pub parents: BTreeMap<Pid, Option<Pid>>,
    /// The processes that hold an end, in any order.
    pub processes: Vec<Process>,
    /// Every end, in any order; one that was seen twice may be here twice.
    pub ends: Vec<RawEndpoint>,
    /// The fd tables, in any order.
    pub descriptors: Vec<Descriptor>,
}

/// An end, and what the fd table of its holder says of its pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawEndpoint {
    /// The pipe.
    pub pipe: PipeId,
    /// The end.
    pub end: Endpoint,
    /// For a FIFO: the name by which it was opened, where that can be read.
    pub path: Option<Vec<u8>>,
    /// For a FIFO: whether its last name is gone.
    pub deleted: bool,
    /// Its owner and mode, for an audit, where they could be read.
    pub file: Option<PipeFile>,
}

impl Snapshot {
    pub(super) fn new(
        scanner: &Scanner,
        taken_at: Timestamp,
        view_limit: Option<ViewLimit>,
        results: Vec<ProcessResult>,
    ) -> Self {
        let proc_fs = scanner.root.proc_fs.as_ref();
        let own_pids = proc_fs.is_some_and(|proc_fs| proc_fs.own_pids);
        let mut snapshot = Self {
            host: Host { booted_at: scanner.clock.booted_at.map(Into::into), ..scanner.root.host() },
            taken_at,
            coverage: Coverage {
                proc_root: scanner.root.path().to_owned(),
                processes: 0,
                vanished: 0,
                gaps: Vec::new(),
                outside: view_limit,
                privileged: privilege::sees_all_processes(),
                own_pids,
                scanner: own_pids.then(|| Pid(std::process::id())),
            },
            limits: if scanner.is_audit() { scanner.root.pipe_limits() } else { PipeLimits::default() },
            pipefs: scanner.root.pipefs().map(|pipefs| pipefs.device),
            parents: BTreeMap::new(),
            processes: Vec::new(),
            ends: Vec::with_capacity(results.iter().map(|result| result.ends.len()).sum()),
            descriptors: Vec::new(),
        };
        for result in results {
            snapshot.add(result);
        }
        snapshot.coverage.processes = snapshot.parents.len();
        merge(&mut snapshot.coverage.gaps);
        snapshot
    }

    fn add(&mut self, result: ProcessResult) {
        self.coverage.vanished += usize::from(result.vanished) + result.vanished_fds;
        self.coverage.gaps.extend(result.gaps);
        if !result.vanished {
            let parent = self.parents.entry(result.pid).or_default();
            *parent = parent.or(result.parent);
        }
        self.processes.extend(result.process);
        self.descriptors.extend(result.descriptors);
        self.ends.extend(result.ends);
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
