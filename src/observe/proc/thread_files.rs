//! The small files of each thread of a process: its state, its system call, the place in the kernel where it sleeps, and what shows
//! whether it has run. Nothing is concluded from them here.

use std::time::Duration;

use super::beneath::open_listing;
use super::parse;
use super::process::ProcessDir;
use super::root::numbers_in;
use super::scanner::Context;
use super::sched::{Sched, SchedClock, sched};
use super::syscall;
use super::task;
use super::wchan;
use crate::model::{Fingerprint, Pid, TaskId, Tid};
use crate::observe::kernel::TaskRecord;

const NANOSECONDS: u64 = 1_000_000_000;

/// What is kept of a thread, in bytes.
const THREAD: usize = 512;

/// One thread, as its small files show it.
pub(super) struct ThreadFiles {
    pub(super) id: TaskId,
    /// The directory of its files, below the process.
    pub(super) dir: String,
    pub(super) state: Option<char>,
    pub(super) flags: u32,
    pub(super) fingerprint: Fingerprint,
    /// The CPU on which it last ran.
    processor: Option<u32>,
    /// None if it is not read yet.
    sched: Option<Sched>,
}

/// Reads those of all threads. Of a single thread, the files of the process say the same, and stat is read already.
///
/// What the kernel's list of threads has of a thread that sleeps is not read again: only where it sleeps. The list is of an earlier moment, and
/// so says that the thread ran in between if it did, as its number of switches does.
pub(super) fn thread_files(
    process: &ProcessDir,
    leader: &parse::Stat,
    switches: Option<u64>,
    context: &Context<'_>,
) -> Vec<ThreadFiles> {
    let pid = process.pid;
    // To count them costs a quarter of listing them.
    let listed = context.scanner.tasks.as_ref().map_or(&[][..], |tasks| tasks.of(pid));
    let count = task::count(context.scanner, process);
    let is_listed = count.and_then(|count| usize::try_from(count).ok()) == Some(listed.len());
    let list = || match count {
        Some(1) => Ok(vec![pid.0]),
        _ if is_listed => Ok(listed.iter().map(|record| record.tid.0).collect()),
        _ => open_listing(process.dir(), c"task").and_then(numbers_in),
    };
    let tids = match list() {
        Ok(tids) => tids,
        // A saved tree need not have the threads.
        Err(_) if !context.scanner.root.is_real() => vec![pid.0],
        Err(_) => Vec::new(),
    };
    if tids == [pid.0] {
        let record = match listed {
            [record] if record.tid.0 == pid.0 && Some(record.all_switches()) == switches => Some(record),
            _ => None,
        };
        return vec![ThreadFiles::read(process, Tid(pid.0), String::new(), leader, (None, switches), record)];
    }
    if !context.scanner.budget.charge_thread(pid, tids.len() * THREAD) {
        // One of which nothing is known: it may be awake.
        return vec![ThreadFiles::unknown(pid)];
    }
    let read = |tid| {
        let dir = format!("task/{tid}/");
        let record = listed.binary_search_by_key(&Tid(tid), |record| record.tid).ok().and_then(|at| listed.get(at));
        if let Some(known) = record.and_then(|record| ThreadFiles::recorded(process, &dir, record)) {
            return known;
        }
        let stat = parse::stat(&process.text(&format!("{dir}stat")));
        let sched = sched(&process.text(&format!("{dir}sched")));
        // The kernel may have been built without that file.
        let status = || parse::status(&process.text(&format!("{dir}status"))).switches;
        let switches = sched.switches.or_else(status);
        ThreadFiles::read(process, Tid(tid), dir.clone(), &stat, (Some(sched), switches), None)
    };
    tids.into_iter().map(read).collect()
}

impl ThreadFiles {
    fn unknown(pid: Pid) -> Self {
        let (id, fingerprint) = (TaskId { pid, tid: Tid(pid.0) }, Fingerprint::default());
        Self { id, dir: String::new(), state: None, flags: 0, fingerprint, processor: None, sched: None }
    }

    fn read(
        process: &ProcessDir,
        tid: Tid,
        dir: String,
        stat: &parse::Stat,
        (sched, switches): (Option<Sched>, Option<u64>),
        record: Option<&TaskRecord>,
    ) -> Self {
        // Of many threads, the room to spare would take more memory than the text.
        let text = |name: &str| process.text(&format!("{dir}{name}")).into_boxed_slice().into_vec();
        let wchan = text("wchan");
        let known = record.filter(|record| record.sleep() == stat.state && wchan::place(&wchan).is_some());
        let syscall = known.and_then(|record| record.entry.as_ref()).map(syscall::text);
        let sched = sched.or_else(|| known.map(Sched::of));
        let syscall = syscall.unwrap_or_else(|| text("syscall"));
        let fingerprint = Fingerprint { started: stat.start_time, syscall, wchan, switches };
        let id = TaskId { pid: process.pid, tid };
        let (state, flags, processor) = (stat.state, stat.flags.unwrap_or_default(), stat.processor);
        Self { id, state, flags, fingerprint, dir, processor, sched }
    }

    /// One that sleeps, as it is listed; none where more has to be read.
    fn recorded(process: &ProcessDir, dir: &str, record: &TaskRecord) -> Option<Self> {
        let (state, entry, processor) = (record.sleep()?, record.entry.as_ref()?, record.processor?);
        let wchan = process.text(&format!("{dir}wchan")).into_boxed_slice().into_vec();
        // None of one that may not be looked at, and that runs.
        wchan::place(&wchan)?;
        let ticks = NANOSECONDS.checked_div(procfs::ticks_per_second())?;
        let fingerprint = Fingerprint {
            started: record.started.checked_div(ticks),
            syscall: syscall::text(entry),
            wchan,
            switches: Some(record.all_switches()),
        };
        let id = TaskId { pid: process.pid, tid: record.tid };
        let (dir, flags, sched) = (dir.to_owned(), record.flags, Some(Sched::of(record)));
        Some(Self { id, dir, state: Some(state), flags, fingerprint, processor: Some(processor), sched })
    }

    /// For how long it had not run at the instant of a clock.
    pub(super) fn idle(&self, process: &ProcessDir, clock: &SchedClock) -> Option<Duration> {
        let read = || sched(&process.text(&format!("{}sched", self.dir)));
        let Sched { last_run, switches } = self.sched.unwrap_or_else(read);
        // It has run since its stat was read, perhaps on another CPU.
        let ran = switches.zip(self.fingerprint.switches).is_some_and(|(now, before)| now != before);
        if ran { last_run.map(|_| Duration::ZERO) } else { clock.idle(last_run?, self.processor) }
    }
}
