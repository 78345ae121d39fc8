//! From a proc root to a [`PipeGraph`]: every process, every fd table, every end of a pipe, and all that could not be read.
//!
//! The only part that reads /proc. Nothing is dropped silently: what cannot be read becomes a [`Gap`](crate::model::Gap), what goes
//! away in mid-scan is counted. Nothing is judged or selected here.

mod addresses;
mod beneath;
mod blocked;
mod budget;
mod called;
mod children;
mod common;
mod counts;
mod cpu_clock;
mod descriptors;
mod details;
mod devpts;
mod directories;
mod epoll;
mod error;
mod fd_dir;
mod fifo_path;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod heartbeat;
mod held;
mod hidden;
mod hung;
mod lookup;
mod maps;
mod memory;
mod mounts;
mod names;
mod opener;
mod other_files;
mod own_files;
mod pages;
mod parse;
mod peers;
mod poll_set;
mod polled;
mod process;
mod recorded;
mod root;
mod scanner;
mod sched;
mod sleepers;
mod snapshot;
mod sock_diag;
mod sockets;
mod syscall;
mod table_walk;
mod task;
mod thread_files;
mod unmoved;
mod usage;
mod waited;
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
use super::backend::KernelView;
use super::join::RawEndpoint;
use super::kernel::TaskList;
use crate::model::{Pid, PipeGraph, PipeId, PipeLimits, Process, Side, Threads};

pub(crate) use self::addresses::sockets;
pub(crate) use self::budget::Budget;
pub(crate) use self::details::describe;
pub(crate) use self::error::{Error, NoKernelView};
pub(crate) use self::held::{Held, held};
pub(crate) use self::hidden::hidden;
pub(crate) use self::lookup::{Found, pipes_at};
pub(crate) use self::names::named_processes;
pub(crate) use self::other_files::{OtherFiles, other_files};
pub(crate) use self::own_files::are_plenty as may_open_more_files;
pub(crate) use self::peers::peers;
pub(crate) use self::process::threads_not_kept;
pub(crate) use self::usage::Usages;
pub(crate) use self::waited::{Wanted, waited};

/// Maximum number of times that a scan looks again when something moved while it looked.
const SECOND_LOOKS: u32 = 3;

/// The inode of the initial PID namespace, `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`.
const INITIAL_PIDS: u64 = 0xefff_fffc;

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
    /// Whether UNIX sockets and pseudoterminals are looked at as channels. Of a tree of plain files they never are.
    pub(crate) channels: bool,
    /// Whether to read the parent of every process, whether it holds an end or not.
    pub(crate) parents: bool,
    /// The processes whose whole fd table to read.
    pub(crate) tables: Vec<Pid>,
    /// Processes whose facts to read although they may hold no end.
    pub(crate) extra_pids: Vec<Pid>,
    /// What an earlier scan read of processes that have not run since: their facts are the same.
    pub(crate) known: Arc<BTreeMap<Pid, Process>>,
    /// The kernel's own list of open files, where it is used: the walk of /proc is for what that leaves out.
    pub(crate) kernel: Option<Arc<KernelView>>,
    /// Whether to read that list again after the scan, for what two equal lists prove.
    pub(crate) twice: bool,
    /// What threads wait for, of which to find the processes that could end the wait.
    pub(crate) wanted: Arc<Wanted>,
}

/// Every process, ascending. Fails if the root cannot be opened or is no proc root.
pub(crate) fn processes(proc_root: &Path) -> Result<Vec<Pid>, Error> {
    with_enough_files(|| ProcRoot::open(proc_root)?.confined(|root| root.pids()))
}

/// Whether a proc root is that of the initial PID namespace; none where it is not that of our own. Fails as [`processes`] does.
pub(crate) fn own_pids_are_initial(proc_root: &Path) -> Result<Option<bool>, Error> {
    let root = ProcRoot::open(proc_root)?;
    let own_pids = root.proc_fs.as_ref().is_some_and(|proc_fs| proc_fs.own_pids);
    let namespace = || parse::namespace(&beneath::read_link(root.dir(), "self/ns/pid").ok()?);
    Ok(own_pids.then(|| namespace() == Some(INITIAL_PIDS)))
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
        // Before the processes are listed in /proc: one that is in both lists was there all the time, and a later one is walked.
        recorded::take(scanner)?;
        let pids = scanner.root.pids()?;
        let view_limit = scanner.root.view_limit(&pids);
        let mut others = Vec::new();
        for pid in pids.iter().filter(|pid| tables.binary_search(pid).is_err()) {
            match scanner.recorded.get().and_then(|recorded| recorded.result(*pid, scanner)) {
                Some(result) => results.push(result),
                None => others.push(*pid),
            }
        }
        results.append(&mut work::run(scanner, others, Work::Process));
        let mut results = look_again(scanner, pids, results)?;
        let fifos = results.iter_mut().flat_map(|result| std::mem::take(&mut result.fifos)).collect();
        let mut graph = snapshot::graph(scanner, taken_at, view_limit, results);
        counts::add(scanner, &mut graph, fifos)?;
        Ok(graph)
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
        results.extend(work::run(scanner, again, Work::Walk));
    }
    Ok(results)
}

/// Whether any pipe was seen with readers only, or with writers only. Of a socket or terminal the other side may be held by any process.
fn lacks_a_side(results: &[ProcessResult]) -> bool {
    let mut sides: HashMap<PipeId, (bool, bool)> = HashMap::new();
    let ends = results.iter().flat_map(|result| &result.ends).filter(|seen| seen.pipe.kind().is_pipe());
    for RawEndpoint { pipe, end, .. } in ends {
        let (read, write) = sides.entry(*pipe).or_default();
        *read |= end.access.is_on(Side::Read);
        *write |= end.access.is_on(Side::Write);
    }
    sides.into_values().any(|(read, write)| !(read && write))
}

/// What is known before a look at threads.
#[derive(Default)]
pub(crate) struct Beforehand {
    /// What an earlier look saw.
    pub(crate) earlier: Arc<Threads>,
    /// The kernel's own view, if it is used, and its list of threads.
    pub(crate) kernel: Option<Arc<KernelView>>,
    pub(crate) tasks: Option<Arc<TaskList>>,
}

/// What the threads of processes are doing: of all there are, or of those in `pids`. Kernel threads and processes that are gone are
/// left out. `channels` as in [`ScanOptions`]. Of a thread that has not run since an earlier look, it is what that look saw. Also the counters
/// of their work. Fails as [`scan`] does.
pub(crate) fn threads(
    proc_root: &Path,
    pids: Option<&[Pid]>,
    channels: bool,
    beforehand: Beforehand,
    budget: &Arc<Budget>,
) -> Result<(Threads, Usages), Error> {
    budget.begin_part();
    ProcRoot::open(proc_root)?.confined(|root| {
        let Beforehand { earlier, kernel, tasks } = beforehand;
        let options = ScanOptions { channels, kernel, ..ScanOptions::default() };
        let mut scanner = Scanner::new(root, options, Arc::clone(budget));
        (scanner.earlier, scanner.tasks) = (earlier, tasks);
        let scanner = &Arc::new(scanner);
        // All idle times are those at this instant.
        scanner.clock();
        let pids = pids.map_or_else(|| scanner.root.pids(), |pids| Ok(pids.to_vec()))?;
        let (mut threads, mut usages) = (Threads::new(), Usages::new());
        for result in work::run(scanner, pids, Work::Threads) {
            threads.extend(result.threads.map(|group| (group.pid, group)));
            usages.extend(result.usage.map(|usage| (result.pid, usage)));
        }
        sleepers::add(scanner, &mut threads);
        Ok((threads, usages))
    })
}
