//! From a proc root to a [`PipeGraph`]: every process, every fd table, every end of a pipe, and all that could not be read.
//!
//! The only part that reads /proc. Nothing is dropped silently: what cannot be read becomes a [`Gap`](crate::model::Gap), what goes
//! away in mid-scan is counted. Nothing is judged or selected here.

mod beneath;
mod blocked;
mod budget;
mod children;
mod descriptors;
mod directories;
mod epoll;
mod error;
mod fd_dir;
mod fifo_path;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod heartbeat;
mod hidden;
mod hung;
mod lookup;
mod maps;
mod memory;
mod mounts;
mod opener;
mod own_files;
mod pages;
mod parse;
mod process;
mod root;
mod scanner;
mod sched;
mod snapshot;
mod syscall;
mod table_walk;
mod task;
mod thread_files;
mod unmoved;
mod wchan;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use self::own_files::with_enough_files;
use self::root::ProcRoot;
use self::scanner::Scanner;
use self::work::{ProcessResult, Work};
use super::join::RawEndpoint;
use crate::model::{Pid, PipeGraph, PipeId, PipeLimits, Process, Side, Threads};

pub(crate) use self::budget::Budget;
pub(crate) use self::error::Error;
pub(crate) use self::hidden::hidden;
pub(crate) use self::lookup::pipe_at;
pub(crate) use self::process::threads_not_kept;

/// Maximum number of times that a scan looks again when something moved while it looked.
const SECOND_LOOKS: u32 = 3;

/// Which facts of a process to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// Its command, which costs one small file.
    #[default]
    Command,
    /// What a report shows of a process, which costs four.
    All,
    /// Also what only an audit judges by. That asks file systems for the directories of FIFOs.
    Audit,
}

/// How much to read. By default no more than the ends and the commands of their holders.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScanOptions {
    /// Whether to read the flags of each end, which cost more than the rest of it.
    pub(crate) flags: bool,
    /// Which facts to read of each process that holds an end.
    pub(crate) detail: Detail,
    /// Whether to read the parent of every process, whether it holds an end or not.
    pub(crate) parents: bool,
    /// The processes whose whole fd table to read.
    pub(crate) tables: Vec<Pid>,
    /// Processes whose facts to read although they may hold no end.
    pub(crate) extra_pids: Vec<Pid>,
    /// What an earlier scan read of processes that have not run since: their facts are the same.
    pub(crate) known: Arc<BTreeMap<Pid, Process>>,
}

/// Every process, ascending. Fails if the root cannot be opened or is no proc root.
pub(crate) fn processes(proc_root: &Path) -> Result<Vec<Pid>, Error> {
    with_enough_files(|| ProcRoot::open(proc_root)?.confined(|root| root.pids()))
}

/// Opens a proc file system for lookups below it, with the limits of pipes that it tells. Fails if it is none.
pub(crate) fn open_root(proc_root: &Path) -> Result<(OwnedFd, PipeLimits), Error> {
    let root = ProcRoot::open(proc_root)?;
    let limits = root.pipe_limits();
    if root.is_real() { Ok((root.into_dir(), limits)) } else { Err(Error::NotProc(proc_root.to_owned())) }
}

/// Whether a process of that proc file system runs or waits for a processor; none where that cannot be read.
pub(crate) fn is_runnable_in(proc_root: BorrowedFd<'_>, pid: u32) -> Option<bool> {
    let stat = root::read_small(proc_root, format!("{pid}/stat")).ok()?;
    Some(parse::stat(&stat).state == Some('R'))
}

/// Works with a scanner of a proc root.
fn with_scanner<T: Send>(
    proc_root: &Path,
    options: ScanOptions,
    budget: &Arc<Budget>,
    work: impl FnOnce(&Arc<Scanner>) -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let look =
        || ProcRoot::open(proc_root)?.confined(|root| work(&Arc::new(Scanner::new(root, options, Arc::clone(budget)))));
    with_enough_files(look)
}

/// Scans a proc root. Fails if it cannot be opened or is no proc root. What cannot be read of a process is no error, but a gap.
///
/// Where whole fd tables are wanted and no pipe is in them, only their processes are looked at: others hold no end that matters.
pub(crate) fn scan(proc_root: &Path, options: ScanOptions, budget: &Arc<Budget>) -> Result<PipeGraph, Error> {
    let taken_at = Timestamp::now();
    budget.begin_part();
    with_scanner(proc_root, options, budget, |scanner| {
        let tables = scanner.root.those_there(&scanner.options.tables)?;
        if tables.is_empty() && !scanner.options.tables.is_empty() {
            // Fails where there is no process at all, which is another answer than that these are not there.
            scanner.root.pids()?;
        }
        let mut results = work::run(scanner, tables.clone(), Work::Process);
        let is_about_pipes = |result: &ProcessResult| result.descriptors.iter().any(|it| it.pipe.is_some());
        if !scanner.options.tables.is_empty() && !results.iter().any(is_about_pipes) {
            return Ok(PipeGraph { selected: true, ..snapshot::graph(scanner, taken_at, None, results) });
        }
        let pids = scanner.root.pids()?;
        let view_limit = scanner.root.view_limit(&pids);
        let others = pids.iter().filter(|pid| tables.binary_search(pid).is_err()).copied().collect();
        results.append(&mut work::run(scanner, others, Work::Process));
        let results = look_again(scanner, pids, results)?;
        Ok(snapshot::graph(scanner, taken_at, view_limit, results))
    })
}

/// Looks again at what is new or moved while a pipe lacks a side: a scan takes time, and an end that moved to a new process or
/// another descriptor meanwhile was perhaps missed.
fn look_again(
    scanner: &Arc<Scanner>,
    mut pids: Vec<Pid>,
    mut results: Vec<ProcessResult>,
) -> Result<Vec<ProcessResult>, Error> {
    for _ in 0..SECOND_LOOKS {
        if !scanner.root.is_real() || !lacks_a_side(&results) {
            break;
        }
        let moved: BTreeSet<Pid> =
            results.iter().filter(|result| result.vanished_fds > 0).map(|result| result.pid).collect();
        let mut again = scanner.root.pids()?;
        again.retain(|pid| moved.contains(pid) || pids.binary_search(pid).is_err());
        if again.is_empty() {
            break;
        }
        pids.extend(&again);
        pids.sort_unstable();
        pids.dedup();
        results.retain(|result| again.binary_search(&result.pid).is_err());
        results.extend(work::run(scanner, again, Work::Process));
    }
    Ok(results)
}

/// Whether any pipe was seen with readers only, or with writers only.
fn lacks_a_side(results: &[ProcessResult]) -> bool {
    let mut sides: HashMap<PipeId, (bool, bool)> = HashMap::new();
    for RawEndpoint { pipe, end, .. } in results.iter().flat_map(|result| &result.ends) {
        let (read, write) = sides.entry(*pipe).or_default();
        *read |= end.access.is_on(Side::Read);
        *write |= end.access.is_on(Side::Write);
    }
    sides.into_values().any(|(read, write)| !(read && write))
}

/// What the threads of processes are doing: of all there are, or of those in `pids`. Kernel threads and processes that are gone are
/// left out. Of a thread that has not run since an earlier look, it is what that look saw. Fails as [`scan`] does.
pub(crate) fn threads(
    proc_root: &Path,
    pids: Option<&[Pid]>,
    earlier: &Arc<Threads>,
    budget: &Arc<Budget>,
) -> Result<Threads, Error> {
    budget.begin_part();
    ProcRoot::open(proc_root)?.confined(|root| {
        let mut scanner = Scanner::new(root, ScanOptions::default(), Arc::clone(budget));
        scanner.earlier = Arc::clone(earlier);
        let scanner = &Arc::new(scanner);
        // All idle times are those at this instant.
        scanner.clock();
        let pids = pids.map_or_else(|| scanner.root.pids(), |pids| Ok(pids.to_vec()))?;
        let groups = work::run(scanner, pids, Work::Threads).into_iter().filter_map(|result| result.threads);
        Ok(groups.map(|group| (group.pid, group)).collect())
    })
}
