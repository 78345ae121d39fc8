//! What is done at one process: its tables, those of its threads, and its facts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};

use jiff::Timestamp;
use rustix::io::Errno;

use super::addresses::Networks;
use super::budget::Budget;
use super::epoll::LockHolder;
use super::fd_dir::Table;
use super::heartbeat::{Heartbeat, ScanStep};
use super::process::{CommandLines, ProcessDir, gap};
use super::recorded::{self, Recorded};
use super::root::ProcRoot;
use super::sched::SchedClock;
use super::sockets::Sockets;
use super::task::{self, Tables};
use super::work::{Job, ProcessResult, TimedOutCalls, Work, WorkerPool};
use super::{Detail, ScanOptions, blocked, parse, table_walk, waited};
use crate::model::{Gap, Pid, PossibleEnds, ThreadGroup, Threads, Tid, UnreadablePart, UserPages};
use crate::observe::join::RawEndpoint;
use crate::observe::kernel::TaskList;

/// What all workers of a scan share.
pub(super) struct Scanner {
    pub(super) root: ProcRoot,
    pub(super) options: ScanOptions,
    /// When the machine was booted, where start times are wanted and it is known.
    pub(super) booted_at: Option<Timestamp>,
    pub(super) command_lines: CommandLines,
    /// See [`Scanner::clock`].
    clock: OnceLock<SchedClock>,
    /// The processes that may hold the lock of an epoll; see [`epoll::may_read`](super::epoll::may_read).
    pub(super) epoll_locks: OnceLock<Vec<LockHolder>>,
    /// The network namespaces of which the sockets are read already.
    pub(super) networks: Mutex<Networks>,
    /// The connections of UNIX sockets, where these are channels.
    pub(super) sockets: Sockets,
    /// What the kernel lists, once that was read.
    pub(super) recorded: OnceLock<Recorded>,
    /// What an earlier look saw of threads.
    pub(super) earlier: Arc<Threads>,
    /// The threads as the kernel lists them, taken before this look.
    pub(super) tasks: Option<Arc<TaskList>>,
    /// What all looks of the run may still cost.
    pub(super) budget: Arc<Budget>,
}

/// What a job looks with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) scanner: &'a Scanner,
    pub(super) heartbeat: &'a Heartbeat,
    pub(super) timed_out: &'a TimedOutCalls,
    pub(super) pool: &'a WorkerPool,
    /// Whether the rest of a huge table may go to another worker.
    pub(super) splits: bool,
}

impl Scanner {
    pub(super) fn new(root: ProcRoot, options: ScanOptions, budget: Arc<Budget>) -> Self {
        let booted_at = if options.detail >= Detail::All { root.booted_at() } else { None };
        let (command_lines, clock, epoll_locks) = (CommandLines::default(), OnceLock::new(), OnceLock::new());
        let (networks, sockets, earlier) = (Mutex::default(), Sockets::default(), Arc::default());
        let recorded = OnceLock::new();
        Self {
            root,
            options,
            booted_at,
            command_lines,
            clock,
            epoll_locks,
            networks,
            sockets,
            recorded,
            earlier,
            tasks: None,
            budget,
        }
    }

    /// The clock of the scheduler, read when it is first asked for.
    pub(super) fn clock(&self) -> &SchedClock {
        self.clock.get_or_init(|| SchedClock::read(&self.root))
    }

    /// The steps that hung at a process in earlier looks.
    pub(super) fn hung_steps(&self, pid: Pid) -> Vec<ScanStep> {
        let hung = &self.budget.hung;
        if hung.has(pid) { hung.steps(pid, self.start_time(pid)) } else { Vec::new() }
    }

    /// Remembers a step that hung, for later looks.
    pub(super) fn remember_hung(&self, pid: Pid, step: ScanStep, thread: u32) {
        self.budget.hung.add(pid, self.start_time(pid), step, thread);
    }

    /// When a process was started. Not in a tree of plain files, where even that may hang.
    fn start_time(&self, pid: Pid) -> Option<u64> {
        let is_real = self.root.is_real();
        let stat = is_real.then(|| self.root.read(&format!("{pid}/stat")).ok())?;
        parse::stat(&stat?).start_time
    }

    pub(super) fn is_audit(&self) -> bool {
        self.options.detail >= Detail::Audit
    }

    /// What the kernel counts of the pipes of each user, where its list is used.
    pub(super) fn user_pages(&self) -> Vec<UserPages> {
        let users = self.recorded.get().map(|recorded| recorded.pass.users.iter());
        users.into_iter().flatten().map(|(uid, pages)| UserPages { uid: *uid, pages: *pages }).collect()
    }

    pub(super) fn run_job(&self, job: &Job, heartbeat: &Heartbeat, pool: &WorkerPool) -> ProcessResult {
        let Job { work, timed_out } = job;
        let mut result = ProcessResult { pid: work.pid(), ..ProcessResult::default() };
        let context = Context { scanner: self, heartbeat, timed_out, pool, splits: timed_out.is_empty() };
        match work {
            // Not even its small files could be read.
            Work::Threads(pid) if timed_out.give_up() => result.threads = Some(ThreadGroup::unknown(*pid)),
            Work::Threads(pid) => blocked::look(*pid, &context, &mut result),
            Work::Rest(table, _) if timed_out.give_up() => unanswered(&table.process, &context, &mut result),
            Work::Rest(table, from) => {
                table_walk::walk(table, Some(*from), &context, &mut result);
                facts(&table.process, table.tid, None, &context, &mut result);
            }
            Work::Sleepers => result.sleepers = super::sleepers::read(&context),
            Work::Kernel { processes } => result.listing = recorded::read(*processes, &context),
            Work::Sockets(_) | Work::Details(_) if timed_out.give_up() => {}
            Work::Details(pid) => super::details::look(*pid, &context, &mut result),
            Work::Sockets(pid) => super::addresses::look(*pid, &context, &mut result),
            Work::Process(pid) | Work::Walk(pid) | Work::Hidden(pid) | Work::Waited(pid) => {
                match ProcessDir::open(self, *pid).map(Arc::new) {
                    Ok(process) if timed_out.give_up() => unanswered(&process, &context, &mut result),
                    Ok(process) if matches!(work, Work::Hidden(_)) => {
                        super::hidden::look(&process, &context, &mut result);
                    }
                    Ok(process) if matches!(work, Work::Waited(_)) => waited::look(&process, &context, &mut result),
                    Ok(process) => {
                        let recorded = self.recorded.get().filter(|_| matches!(work, Work::Process(_)));
                        let recorded = recorded.and_then(|recorded| recorded.tables(*pid, &self.options));
                        scan_process(&process, recorded, context, &mut result);
                    }
                    Err(errno) if self.root.is_vanished(errno) => result.vanished = true,
                    Err(errno) => {
                        result.gaps.push(gap(*pid, UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING));
                    }
                }
            }
        }
        result
    }
}

/// Finds the ends of a process, in the tables that the kernel has listed or else in /proc, and the facts of one that has any.
fn scan_process(
    process: &Arc<ProcessDir>,
    recorded: Option<Vec<recorded::Table<'_>>>,
    mut context: Context<'_>,
    result: &mut ProcessResult,
) {
    let stat = context.scanner.options.parents.then(|| parse::stat(&process.text("stat")));
    result.parent = stat.as_ref().and_then(|stat| stat.ppid).map(Pid);
    if let Some(recorded) = recorded {
        for recorded::Table { tid, records } in recorded {
            table_walk::recorded::add(&Table::new(process, tid), records, &context, result);
        }
    } else {
        walk_tables(process, &mut context, result);
    }
    if result.vanished {
        return;
    }
    let tid = result.ends.first().and_then(|seen| seen.end.tid);
    facts(process, tid, stat, &context, result);
}

fn walk_tables(process: &Arc<ProcessDir>, context: &mut Context<'_>, result: &mut ProcessResult) {
    let tables = tables(process, context, result);
    // What a thread shows is compared with the whole table of its process, so that must be in one piece.
    context.splits &= !matches!(tables, Tables::Unknown(_));
    let table = Table::new(process, None);
    // Kernel threads and zombies have no table; to ask costs a quarter of opening and listing it.
    if table.size(context.scanner) != Some(0) {
        table_walk::walk(&table, None, context, result);
    }
    if !result.vanished {
        scan_threads(process, tables, context, result);
    }
}

/// Reports that a process was given up, since calls did not return.
fn unanswered(process: &ProcessDir, context: &Context<'_>, result: &mut ProcessResult) {
    let (what, errno, may_hold) = (UnreadablePart::FdTable, Errno::TIMEDOUT, PossibleEnds::ANYTHING);
    result.gaps.push(if context.timed_out.is_hopeless() {
        // Without its name, which may be what hangs.
        gap(process.pid, what, errno, may_hold)
    } else {
        process.gap(context.scanner, what, errno, may_hold)
    });
}

/// The tables of a process besides its leader's; a gap where they cannot be listed.
pub(super) fn tables(process: &ProcessDir, context: &Context<'_>, result: &mut ProcessResult) -> Tables {
    let scanner = context.scanner;
    let listed = if context.timed_out.contains(ScanStep::Threads) {
        Err(Errno::TIMEDOUT)
    } else {
        context.heartbeat.during(ScanStep::Threads, || task::tables(scanner, process))
    };
    listed.unwrap_or_else(|errno| {
        // A saved tree need not have the threads.
        if errno != Errno::NOENT && !scanner.root.is_vanished(errno) {
            result.gaps.push(process.gap(scanner, UnreadablePart::Tasks, errno, PossibleEnds::ANYTHING));
        }
        Tables::Shared
    })
}

/// Walks the tables that threads have for themselves.
fn scan_threads(process: &Arc<ProcessDir>, tables: Tables, context: &Context<'_>, result: &mut ProcessResult) {
    // What its leader refuses, its other threads refuse too, and may hold anything.
    let is_refused = result.refused;
    let refused = |gap: &&mut Gap| match gap.what {
        UnreadablePart::FdTable => true,
        UnreadablePart::FdLinks => is_refused,
        UnreadablePart::Tasks | UnreadablePart::Fd { .. } | UnreadablePart::Cmdline => false,
    };
    if let Some(gap) = result.gaps.iter_mut().find(refused) {
        if !matches!(tables, Tables::Shared) {
            gap.may_hold = PossibleEnds::ANYTHING;
        }
        // Nor does it then matter that they could not be listed.
        result.gaps.retain(|gap| gap.what != UnreadablePart::Tasks);
        return;
    }
    match tables {
        Tables::Shared => {}
        Tables::Private(owners) => {
            for tid in owners {
                table_walk::walk(&Table::new(process, Some(tid)), None, context, result);
            }
        }
        Tables::Unknown(threads) => {
            for tid in threads {
                walk_unless_known(&Table::new(process, Some(tid)), context, result);
            }
        }
    }
}

/// Walks a thread's table that may be shared, and keeps what no table before it shows. In a saved
/// tree, where nothing moves, a table that differs at all is one of its own.
fn walk_unless_known(table: &Table, context: &Context<'_>, result: &mut ProcessResult) {
    let mut own = ProcessResult::default();
    table_walk::walk(table, None, &Context { splits: false, ..*context }, &mut own);
    let key = |seen: &RawEndpoint| (seen.pipe, seen.end.fd, seen.end.access);
    if context.scanner.root.is_real() {
        let known: HashSet<_> = result.ends.iter().map(key).collect();
        own.ends.retain(|seen| !known.contains(&key(seen)));
    } else {
        let new: Vec<_> = own.ends.iter().map(key).collect();
        let mut known = result.ends.chunk_by(|a, b| a.end.tid == b.end.tid);
        if known.any(|table| table.iter().map(key).eq(new.iter().copied())) {
            return;
        }
    }
    let unread = |gap: &Gap| (gap.what, gap.error.clone(), gap.may_hold);
    let known: Vec<_> = result.gaps.iter().map(unread).collect();
    own.gaps.retain(|gap| !known.contains(&unread(gap)));
    if !own.ends.is_empty() || !own.gaps.is_empty() {
        result.ends.append(&mut own.ends);
        result.descriptors.append(&mut own.descriptors);
        result.gaps.append(&mut own.gaps);
    }
}

/// Reads the facts of a process that holds an end, or that is asked for.
fn facts(
    process: &ProcessDir,
    tid: Option<Tid>,
    stat: Option<parse::Stat>,
    context: &Context<'_>,
    result: &mut ProcessResult,
) {
    let ScanOptions { tables, extra_pids, .. } = &context.scanner.options;
    if !result.ends.is_empty() || tables.contains(&process.pid) || extra_pids.contains(&process.pid) {
        process.facts(tid, stat, context, result);
    }
}
