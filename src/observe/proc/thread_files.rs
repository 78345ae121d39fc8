//! The small files of each thread of a process: its state, its system call, the place in the kernel where it sleeps, and what shows
//! whether it has run. Nothing is concluded from them here.

use std::time::Duration;

use super::beneath::open_listing;
use super::parse;
use super::process::ProcessDir;
use super::root::numbers_in;
use super::scanner::Context;
use super::sched::{Sched, SchedClock, sched};
use super::task;
use crate::model::{Fingerprint, Pid, TaskId, Tid};

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
    /// None if it is not read yet.
    sched: Option<Sched>,
}

/// Reads those of all threads. Of a single thread, the files of the process say the same, and stat is read already.
pub(super) fn thread_files(
    process: &ProcessDir,
    leader: &parse::Stat,
    switches: Option<u64>,
    context: &Context<'_>,
) -> Vec<ThreadFiles> {
    let pid = process.pid;
    // To count them costs a quarter of listing them.
    let list = || match task::count(context.scanner, process) {
        Some(1) => Ok(vec![pid.0]),
        _ => open_listing(process.dir(), c"task").and_then(numbers_in),
    };
    let tids = match list() {
        Ok(tids) => tids,
        // A saved tree need not have the threads.
        Err(_) if !context.scanner.root.is_real() => vec![pid.0],
        Err(_) => Vec::new(),
    };
    if tids == [pid.0] {
        return vec![ThreadFiles::read(process, Tid(pid.0), String::new(), leader, None, switches)];
    }
    if !context.scanner.budget.charge_thread(pid, tids.len() * THREAD) {
        // One of which nothing is known: it may be awake.
        return vec![ThreadFiles::unknown(pid)];
    }
    let read = |tid| {
        let dir = format!("task/{tid}/");
        let stat = parse::stat(&process.text(&format!("{dir}stat")));
        let sched = sched(&process.text(&format!("{dir}sched")));
        // The kernel may have been built without that file.
        let status = || parse::status(&process.text(&format!("{dir}status"))).switches;
        ThreadFiles::read(process, Tid(tid), dir.clone(), &stat, Some(sched), sched.switches.or_else(status))
    };
    tids.into_iter().map(read).collect()
}

impl ThreadFiles {
    fn unknown(pid: Pid) -> Self {
        let (id, fingerprint) = (TaskId { pid, tid: Tid(pid.0) }, Fingerprint::default());
        Self { id, dir: String::new(), state: None, flags: 0, fingerprint, sched: None }
    }

    fn read(
        process: &ProcessDir,
        tid: Tid,
        dir: String,
        stat: &parse::Stat,
        sched: Option<Sched>,
        switches: Option<u64>,
    ) -> Self {
        // Of many threads, the room to spare would take more memory than the text.
        let text = |name: &str| process.text(&format!("{dir}{name}")).into_boxed_slice().into_vec();
        let fingerprint =
            Fingerprint { started: stat.start_time, syscall: text("syscall"), wchan: text("wchan"), switches };
        let id = TaskId { pid: process.pid, tid };
        Self { id, state: stat.state, flags: stat.flags.unwrap_or_default(), fingerprint, dir, sched }
    }

    /// For how long it had not run at the instant of a clock.
    pub(super) fn idle(&self, process: &ProcessDir, clock: &SchedClock) -> Option<Duration> {
        let read = || sched(&process.text(&format!("{}sched", self.dir)));
        clock.idle(self.sched.unwrap_or_else(read).last_run?)
    }
}
