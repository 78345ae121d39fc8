//! From a proc root to a [`Snapshot`]: every process, every fd table, every end of a pipe, and all that could not be read.
//!
//! The only part that reads /proc. Nothing is dropped silently: what cannot be read becomes a [`Gap`], what goes away in
//! mid-scan is counted. Nothing is joined, judged or selected here.

mod descriptor;
mod fd_table;
mod gap;
mod lookup;
mod mounts;
mod parse;
mod process;
mod root;
mod task;
mod watch;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::io::Errno;

use self::fd_table::{Context, Table};
use self::gap::gap;
pub use self::lookup::pipe_at;
use self::mounts::DeadMounts;
use self::process::{Clock, ProcessDir};
use self::root::ProcRoot;
use self::task::Tables;
use self::watch::Watch;
use self::work::{Found, Job, Part, Queue, Work};
use crate::error::Error;
use crate::model::{
    Coverage, Descriptor, Device, Endpoint, Gap, Host, MayHold, Pid, PipeId, Process, Side, Tid, Unread,
};

/// How often the scan looks again when something moved while it looked.
const SECOND_LOOKS: u32 = 3;

/// Which facts of a process to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facts {
    /// Its command, which costs one small file.
    Command,
    /// All of [`Process`], which costs four.
    All,
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
}

/// Scans a proc root.
///
/// # Errors
///
/// If the root cannot be opened or is no proc root. What cannot be read of a process is no error, but part of the answer.
pub fn scan(want: &Want) -> Result<Snapshot, Error> {
    let taken_at = Timestamp::now();
    let root = ProcRoot::open(&want.proc_root)?;
    let boot_time = if want.facts == Facts::All { root.boot_time() } else { None };
    let host = root.host();
    let scanner = Arc::new(Scanner {
        root,
        want: want.clone(),
        clock: Clock::new(boot_time),
        dead_mounts: DeadMounts::default(),
    });
    let mut pids = scanner.root.pids()?;
    let outside = scanner.root.outside(&pids);
    let mut parts = work::run(&scanner, pids.clone());

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
        parts.extend(work::run(&scanner, again));
    }
    Ok(snapshot(&scanner, taken_at, host, outside, parts))
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
    outside: Option<crate::model::Outside>,
    parts: Vec<Part>,
) -> Snapshot {
    let mut coverage = Coverage {
        proc_root: scanner.root.path().to_owned(),
        processes: 0,
        vanished: 0,
        gaps: Vec::new(),
        outside,
        privileged: privileged(),
    };
    let mut snapshot = Snapshot {
        host,
        taken_at,
        coverage: coverage.clone(),
        pipefs: scanner.root.real.as_ref().map(|real| real.pipefs),
        parents: BTreeMap::new(),
        processes: Vec::new(),
        ends: Vec::new(),
        descriptors: Vec::new(),
    };
    for part in parts {
        coverage.vanished += usize::from(part.vanished) + part.vanished_fds;
        coverage.gaps.extend(part.gaps);
        if !part.vanished {
            let parent = snapshot.parents.entry(part.pid).or_default();
            *parent = parent.or(part.parent);
        }
        snapshot.processes.extend(part.process);
        snapshot.descriptors.extend(part.descriptors);
        snapshot.ends.extend(part.found.into_iter().map(|found| {
            let (path, deleted) = found.name.map_or((None, false), |name| (name.path, name.deleted));
            SeenEnd { pipe: found.pipe, end: found.end, path, deleted }
        }));
    }
    coverage.processes = snapshot.parents.len();
    coverage.gaps = merge(coverage.gaps);
    snapshot.coverage = coverage;
    snapshot
}

/// Whether we have what a look at any process takes; see ptrace(2), "Ptrace access mode checking".
fn privileged() -> bool {
    use rustix::thread::CapabilitySet;
    let needed = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
    // CAP_DAC_OVERRIDE allows what CAP_DAC_READ_SEARCH does, and root in a container often has but the former.
    let instead = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_OVERRIDE;
    rustix::thread::capabilities(None).is_ok_and(|it| it.effective.contains(needed) || it.effective.contains(instead))
}

/// Sorts the gaps, and makes one of those that say the same of several parts of one fd table.
fn merge(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_by_key(|gap| (gap.pid, gap.what));
    gaps.dedup_by(|next, first| {
        let same = (next.pid, next.what, &next.error) == (first.pid, first.what, &first.error);
        if same {
            first.fds = first.fds.zip(next.fds).map(|(a, b)| a + b);
            first.may_hold = first.may_hold.or(next.may_hold);
        }
        same
    });
    gaps
}

/// What all threads of a scan share.
struct Scanner {
    root: ProcRoot,
    want: Want,
    clock: Clock,
    dead_mounts: DeadMounts,
}

impl Scanner {
    /// Does one job.
    fn perform(&self, job: &Job, watch: &Watch, queue: &dyn Queue) -> Part {
        let mut part = Part::new(job.pid());
        let mut context = Context { scanner: self, watch, skip: &job.skip, queue, part: &mut part };
        match &job.work {
            Work::Process(pid) => self.process(*pid, &mut context),
            Work::Rest(table, _) if job.skip.table => self.unanswered(&table.process, &mut context),
            Work::Rest(table, from) => {
                fd_table::walk(table, Some(*from), &mut context);
                self.facts(&table.process, table.tid, &mut context);
            }
        }
        part
    }

    fn process(&self, pid: Pid, context: &mut Context<'_>) {
        let process = match ProcessDir::open(self, pid) {
            Ok(process) => Arc::new(process),
            Err(errno) => {
                if self.root.is_vanished(errno) {
                    context.part.vanished = true;
                } else {
                    context.part.gaps.push(gap(pid, Unread::FdTable, errno, MayHold::ANYTHING));
                }
                return;
            }
        };
        if self.want.parents {
            context.part.parent = parse::stat(&process.text("stat")).ppid.map(Pid);
        }
        if context.skip.table {
            return self.unanswered(&process, context);
        }
        let table = Arc::new(Table { process: Arc::clone(&process), tid: None });
        // Kernel threads and zombies have no table; to ask costs a quarter of opening and listing it.
        if fd_table::table_size(&table, self) != Some(0) {
            fd_table::walk(&table, None, context);
        }
        if context.part.vanished {
            return;
        }
        self.threads(&process, context);
        let tid = context.part.found.first().and_then(|found| found.end.tid);
        self.facts(&process, tid, context);
    }

    /// Tells that a table could not even be listed, since some call gave no answer.
    fn unanswered(&self, process: &ProcessDir, context: &mut Context<'_>) {
        let unread = gap(process.pid, Unread::FdTable, Errno::TIMEDOUT, MayHold::ANYTHING);
        context.part.gaps.push(process.sign(self, unread));
    }

    /// Walks the tables that threads have for themselves.
    fn threads(&self, process: &Arc<ProcessDir>, context: &mut Context<'_>) {
        // What its leader refuses, its other threads refuse too, and may hold anything.
        let refused = |gap: &&mut Gap| matches!(gap.what, Unread::FdTable | Unread::FdLinks);
        if let Some(gap) = context.part.gaps.iter_mut().find(refused) {
            if task::count(self, process) > 1 {
                gap.may_hold = MayHold::ANYTHING;
            }
            return;
        }
        let table_of = |tid: Tid| Arc::new(Table { process: Arc::clone(process), tid: Some(tid) });
        match task::tables(self, process) {
            Ok(Tables::Shared) => {}
            Ok(Tables::Private(owners)) => {
                for tid in owners {
                    fd_table::walk(&table_of(tid), None, context);
                }
            }
            Ok(Tables::Unknown(threads)) => {
                for tid in threads {
                    self.unless_known(&table_of(tid), context);
                }
            }
            // A saved tree need not have the threads.
            Err(errno) if errno == Errno::NOENT || self.root.is_vanished(errno) => {}
            Err(errno) => {
                let unread = gap(process.pid, Unread::Tasks, errno, MayHold::ANYTHING);
                context.part.gaps.push(process.sign(self, unread));
            }
        }
    }

    /// Walks a thread's table, and drops it where it shows the same ends as one before: then it is most likely the same.
    fn unless_known(&self, table: &Arc<Table>, context: &mut Context<'_>) {
        let mut own = Part::new(table.pid());
        let Context { scanner, watch, skip, queue, .. } = *context;
        fd_table::walk(table, None, &mut Context { scanner, watch, skip, queue, part: &mut own });
        let ends = |found: &Found| (found.pipe, found.end.fd, found.end.access);
        let known = context.part.found.chunk_by(|a, b| a.end.tid == b.end.tid);
        let mut known = known.map(|table| table.iter().map(ends).collect::<Vec<_>>());
        let new: Vec<_> = own.found.iter().map(ends).collect();
        if !new.is_empty() && !known.any(|table| table == new) {
            context.part.found.append(&mut own.found);
            context.part.descriptors.append(&mut own.descriptors);
            context.part.gaps.append(&mut own.gaps);
        }
    }

    /// Reads the facts of a process that holds an end, or whose table is wanted.
    fn facts(&self, process: &ProcessDir, tid: Option<Tid>, context: &mut Context<'_>) {
        if !context.part.found.is_empty() || self.want.tables.contains(&process.pid) {
            process.facts(self, tid, context.watch, !context.skip.cmdline, context.part);
        }
    }
}
