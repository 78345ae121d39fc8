//! From a proc root to a [`Snapshot`]: every process, every fd table, every end of a pipe, and all that could not be read.
//!
//! The only part that reads /proc. Nothing is dropped silently: what cannot be read becomes a [`Gap`], what goes away in
//! mid-scan is counted. Nothing is joined, judged or selected here.

mod blocked;
mod child;
mod descriptor;
mod directories;
mod error;
mod fd_table;
mod gap;
mod hidden;
mod lookup;
mod memory;
mod mounts;
mod opening;
mod parse;
mod privilege;
mod process;
mod root;
mod scanner;
mod syscall;
mod task;
mod watch;
mod wchan;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use self::mounts::DeadMounts;
use self::process::Clock;
use self::root::ProcRoot;
use self::scanner::Scanner;
use self::work::{FileFacts, Found, Part, Work};
use crate::model::{
    Coverage, Descriptor, Device, Endpoint, Gap, Host, Pid, PipeFile, PipeId, PipeLimits, Process, Side, ThreadGroup,
    ViewLimit,
};

pub use self::error::Error;
pub use self::hidden::hidden;
pub use self::lookup::pipe_at;

/// How often the scan looks again when something moved while it looked.
const SECOND_LOOKS: u32 = 3;

/// Which facts of a process to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facts {
    /// Its command, which costs one small file.
    Command,
    /// What a report tells of [`Process`], which costs four.
    All,
    /// Also what only an audit wants of processes and pipes, which asks file systems for the directories of FIFOs.
    Audit,
}

/// What to scan, and how much of it to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The proc root.
    pub proc_root: PathBuf,
    /// The flags of each end, which cost more than the rest of it.
    pub flags: bool,
    /// The facts of each process that holds an end.
    pub facts: Facts,
    /// The parent of every process, whether it holds an end or not.
    pub parents: bool,
    /// The processes whose whole fd table is wanted.
    pub tables: Vec<Pid>,
    /// The processes whose facts are wanted although they may hold no end.
    pub also: Vec<Pid>,
}

/// Every process there is, ascending.
///
/// # Errors
///
/// As for [`scan()`].
pub fn processes(proc_root: &Path) -> Result<Vec<Pid>, Error> {
    ProcRoot::open(proc_root)?.confined(|root| root.pids())
}

/// What a scan saw.
#[derive(Debug)]
pub struct Snapshot {
    /// The machine.
    pub host: Host,
    /// When the scan began.
    pub taken_at: Timestamp,
    /// How much of the machine it saw.
    pub coverage: Coverage,
    /// How many pages the pipes of a user may take, if the facts for an audit were wanted.
    pub limits: PipeLimits,
    /// The device of anonymous pipes.
    pub pipefs: Option<Device>,
    /// Every process there was, with its parent if parents were wanted.
    pub parents: BTreeMap<Pid, Option<Pid>>,
    /// The processes that hold an end, in any order.
    pub processes: Vec<Process>,
    /// Every end that was seen, in any order; one that was seen twice may be here twice.
    pub ends: Vec<SeenEnd>,
    /// The fd tables that were wanted, in any order.
    pub descriptors: Vec<Descriptor>,
}

/// An end, and what its holder's table says of its pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEnd {
    /// The pipe.
    pub pipe: PipeId,
    /// The end.
    pub end: Endpoint,
    /// For a FIFO: the name it was opened by, if that can be read.
    pub path: Option<Vec<u8>>,
    /// For a FIFO: whether its last name is gone.
    pub deleted: bool,
    /// Whose it is, if the facts for an audit were wanted and it could be read.
    pub file: Option<PipeFile>,
}

/// Scans a proc root.
///
/// # Errors
///
/// If the root cannot be opened or is no proc root. What cannot be read of a process is no error, but part of the answer.
pub fn scan(want: &Want) -> Result<Snapshot, Error> {
    let taken_at = Timestamp::now();
    ProcRoot::open(&want.proc_root)?.confined(|root| scan_root(root, want, taken_at))
}

fn scan_root(root: ProcRoot, want: &Want, taken_at: Timestamp) -> Result<Snapshot, Error> {
    let booted_at = if want.facts >= Facts::All { root.booted_at() } else { None };
    let limits = if want.facts >= Facts::Audit { root.pipe_limits() } else { PipeLimits::default() };
    let host = Host { booted_at, ..root.host() };
    let scanner = Arc::new(Scanner {
        root,
        want: want.clone(),
        clock: Clock::new(booted_at),
        dead_mounts: DeadMounts::default(),
        dead_names: DeadMounts::default(),
    });
    let mut pids = scanner.root.pids()?;
    let outside = scanner.root.outside(&pids);
    let mut parts = work::run(&scanner, pids.clone(), Work::Process);

    // A scan takes time. An end that moved to a new process or another descriptor meanwhile was perhaps missed, and then its
    // pipe lacks a side: look again at whatever is new or moved.
    for _ in 0..SECOND_LOOKS {
        if scanner.root.real.is_none() || !lacks_a_side(&parts) {
            break;
        }
        let now = scanner.root.pids()?;
        let moved: BTreeSet<Pid> = parts.iter().filter(|part| part.vanished_fds > 0).map(|part| part.pid).collect();
        let again: Vec<Pid> =
            now.iter().copied().filter(|pid| moved.contains(pid) || pids.binary_search(pid).is_err()).collect();
        if again.is_empty() {
            break;
        }
        pids.extend(&again);
        pids.sort_unstable();
        pids.dedup();
        parts.retain(|part| again.binary_search(&part.pid).is_err());
        parts.extend(work::run(&scanner, again, Work::Process));
    }
    Ok(Snapshot { limits, ..snapshot(&scanner, taken_at, host, outside, parts) })
}

/// Looks at what the threads of processes are doing: of all there are, or of those in `pids`. By process ID; kernel threads and
/// processes that are gone are left out.
///
/// # Errors
///
/// As for [`scan()`].
pub fn threads(proc_root: &Path, pids: Option<&[Pid]>) -> Result<BTreeMap<Pid, ThreadGroup>, Error> {
    ProcRoot::open(proc_root)?.confined(|root| {
        let scanner = Arc::new(Scanner::bare(root));
        let pids = match pids {
            Some(pids) => pids.to_vec(),
            None => scanner.root.pids()?,
        };
        let groups = work::run(&scanner, pids, Work::Threads).into_iter().filter_map(|part| part.threads);
        Ok(groups.map(|group| (group.pid, group)).collect())
    })
}

/// Whether any pipe was seen with readers only, or with writers only.
fn lacks_a_side(parts: &[Part]) -> bool {
    let mut sides: HashMap<PipeId, (bool, bool)> = HashMap::new();
    for Found { pipe, end, .. } in parts.iter().flat_map(|part| &part.found) {
        let (read, write) = sides.entry(*pipe).or_default();
        *read |= end.access.is_on(Side::Read);
        *write |= end.access.is_on(Side::Write);
    }
    sides.into_values().any(|(read, write)| !(read && write))
}

fn snapshot(
    scanner: &Scanner,
    taken_at: Timestamp,
    host: Host,
    outside: Option<ViewLimit>,
    parts: Vec<Part>,
) -> Snapshot {
    let own_pids = scanner.root.real.as_ref().is_some_and(|real| real.own_pids);
    let mut snapshot = Snapshot {
        host,
        taken_at,
        coverage: Coverage {
            proc_root: scanner.root.path().to_owned(),
            processes: 0,
            vanished: 0,
            gaps: Vec::new(),
            outside,
            privileged: privilege::is_full(),
            own_pids,
            scanner: own_pids.then(|| Pid(std::process::id())),
        },
        limits: PipeLimits::default(),
        pipefs: scanner.root.real.as_ref().map(|real| real.pipefs),
        parents: BTreeMap::new(),
        processes: Vec::new(),
        ends: Vec::new(),
        descriptors: Vec::new(),
    };
    for part in parts {
        snapshot.coverage.vanished += usize::from(part.vanished) + part.vanished_fds;
        snapshot.coverage.gaps.extend(part.gaps);
        if !part.vanished {
            let parent = snapshot.parents.entry(part.pid).or_default();
            *parent = parent.or(part.parent);
        }
        snapshot.processes.extend(part.process);
        snapshot.descriptors.extend(part.descriptors);
        snapshot.ends.extend(part.found.into_iter().map(|found| {
            let FileFacts { path, deleted, file } = found.file.map(|file| *file).unwrap_or_default();
            SeenEnd { pipe: found.pipe, end: found.end, path, deleted, file }
        }));
    }
    snapshot.coverage.processes = snapshot.parents.len();
    merge(&mut snapshot.coverage.gaps);
    snapshot
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
