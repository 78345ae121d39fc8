//! The workers of a scan: which thread looks at which process, and what happens when a call does not return.
//!
//! The workers share a cursor over the PIDs. A huge fd table is split buffer by buffer, so that it does not leave one of them
//! alone with the work. A worker whose call hangs is abandoned and never joined (hence no `std::thread::scope`, which joins
//! all): another one does its job again, without that call. Knows nothing of what is done at a process.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use super::budget::Budget;
use super::details::Details;
use super::fd_dir::Table;
use super::heartbeat::{Heartbeat, ScanStep};
use super::own_files::most_workers;
use super::process::gap;
use super::recorded::Listing;
use super::scanner::Scanner;
use super::sleepers::Sleepers;
use super::usage::Usage;
use super::waited::Has;
use crate::model::{
    Descriptor, Fd, Gap, Hidden, Pid, PipeId, PossibleEnds, Process, Socket, ThreadGroup, Tid, UnreadablePart,
};
use crate::observe::join::RawEndpoint;
use crate::observe::kernel::Address;

/// How often the waiting thread looks at the heartbeats.
const TICK: Duration = Duration::from_millis(200);

/// Ticks without a step, about a second, after which a call counts as hung. Ticks and not seconds: while we are stopped
/// by ^Z, time passes and no worker gets on.
const STALLED_TICKS: u32 = 5;

/// Maximum number of hung calls that are left out one by one at a process; then the process is given up.
const MAX_ATTEMPTS: usize = 8;

/// More workers than this would only wait for each other's locks in the kernel.
const MAX_WORKERS: usize = 8;

/// What a job found out about a process.
#[derive(Default)]
pub(super) struct ProcessResult {
    pub(super) pid: Pid,
    /// The process was gone before anything could be read.
    pub(super) vanished: bool,
    /// Descriptors that were listed, and gone when they were looked at.
    pub(super) vanished_fds: usize,
    pub(super) parent: Option<Pid>,
    pub(super) process: Option<Process>,
    pub(super) ends: Vec<RawEndpoint>,
    pub(super) descriptors: Vec<Descriptor>,
    pub(super) gaps: Vec<Gap>,
    /// Whether the links of its table may not be read, so that those of its threads need not be tried.
    pub(super) refused: bool,
    pub(super) threads: Option<ThreadGroup>,
    /// How much it has worked, where its threads were looked at.
    pub(super) usage: Option<Usage>,
    /// The inodes of the `io_urings` that it has mapped, and of those that it has a descriptor of, where that was looked for.
    pub(super) mapped_rings: BTreeSet<u64>,
    pub(super) open_rings: Vec<u64>,
    /// What it has that threads wait for, where that was looked for.
    pub(super) has: Has,
    /// The sockets of its network namespace, where these were asked for.
    pub(super) sockets: Vec<(u64, Socket)>,
    /// The other ends of connections in it, each with what it is the other end of, by inode.
    pub(super) other_ends: Vec<(u64, u64)>,
    /// What its descriptors are, and which it waits for, where that was asked for.
    pub(super) details: Details,
    /// What may hold ends that no fd table shows, where that was looked for.
    pub(super) hidden: Hidden,
    /// The FIFOs among its ends, by their addresses in the kernel.
    pub(super) fifos: Vec<(Address, PipeId)>,
    /// What the kernel lists, where that was asked for.
    pub(super) listing: Option<io::Result<Listing>>,
    pub(super) sleepers: Option<io::Result<Sleepers>>,
}

#[derive(Clone)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) timed_out: TimedOutCalls,
}

impl Job {
    fn new(work: Work, scanner: &Scanner) -> Self {
        let timed_out = TimedOutCalls { steps: scanner.hung_steps(work.pid()), budget: Arc::clone(&scanner.budget) };
        Self { work, timed_out }
    }
}

#[derive(Clone)]
pub(super) enum Work {
    /// A process, from the beginning; its ends by the list of the kernel, where there is one.
    Process(Pid),
    /// A process, from the beginning, in /proc alone.
    Walk(Pid),
    /// The wait queues of pipes, as the kernel lists them.
    Sleepers,
    /// What the kernel lists: its processes, if these are wanted, and their open files.
    Kernel { processes: bool },
    /// What of a process may hold ends that no fd table shows.
    Hidden(Pid),
    /// The rest of a huge fd table, from this position of its directory on.
    Rest(Table, u64),
    /// What each thread of a process is doing.
    Threads(Pid),
    /// What a process has that threads wait for and that is no channel.
    Waited(Pid),
    /// The sockets in the network namespace of a process.
    Sockets(Pid),
    /// What the descriptors of a process are, and which of them it waits for.
    Details(Pid),
}

impl Work {
    pub(super) fn pid(&self) -> Pid {
        match self {
            Self::Process(pid)
            | Self::Walk(pid)
            | Self::Hidden(pid)
            | Self::Threads(pid)
            | Self::Waited(pid)
            | Self::Sockets(pid)
            | Self::Details(pid) => *pid,
            Self::Kernel { .. } | Self::Sleepers => Pid(std::process::id()),
            Self::Rest(table, _) => table.process.pid,
        }
    }

    /// The result where nothing was looked at: the process may hold anything, and its threads may be doing anything.
    fn given_up(&self, errno: Errno) -> ProcessResult {
        let pid = self.pid();
        let mut result = ProcessResult { pid, ..ProcessResult::default() };
        match self {
            Self::Threads(_) => result.threads = Some(ThreadGroup::unknown(pid)),
            Self::Sockets(_) | Self::Details(_) | Self::Kernel { .. } | Self::Sleepers => {}
            Self::Process(_) | Self::Walk(_) | Self::Hidden(_) | Self::Waited(_) | Self::Rest(..) => {
                result.gaps.push(gap(pid, UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING));
            }
        }
        result
    }
}

/// The steps in which earlier attempts at the same job hung, also those of earlier looks, in their order.
#[derive(Clone)]
pub(super) struct TimedOutCalls {
    steps: Vec<ScanStep>,
    budget: Arc<Budget>,
}

impl TimedOutCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a step is left out: because it hung, or since nothing of its kind is tried any more.
    pub(super) fn contains(&self, step: ScanStep) -> bool {
        self.steps.contains(&step) || self.budget.refuses(step)
    }

    /// The FIFO whose directories hung: those of other FIFOs in this process are not examined.
    pub(super) fn directories(&self) -> Option<(Option<Tid>, Fd)> {
        self.steps.iter().find_map(|step| match step {
            ScanStep::Directories(tid, fd) => Some((*tid, *fd)),
            _ => None,
        })
    }

    /// Whether the process is given up: not even the table could be listed, or too many attempts hung.
    pub(super) fn give_up(&self) -> bool {
        self.steps.len() >= MAX_ATTEMPTS || self.contains(ScanStep::Table) || self.contains(ScanStep::Idle)
    }

    /// Whether even the attempt to say so hung.
    pub(super) fn is_hopeless(&self) -> bool {
        self.steps.len() > MAX_ATTEMPTS
    }
}

/// Does this work at each process and returns the results, in no particular order.
pub(super) fn run(scanner: &Arc<Scanner>, pids: Vec<Pid>, work: fn(Pid) -> Work) -> Vec<ProcessResult> {
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_WORKERS)
        .min(most_workers())
        .min(pids.len());
    let state = State {
        outstanding: pids.len(),
        pids: pids.into_iter(),
        work,
        queue: Vec::new(),
        results: Vec::new(),
        workers: Vec::new(),
    };
    let pool = Arc::new(WorkerPool { scanner: Arc::clone(scanner), state: Mutex::new(state), changed: Condvar::new() });
    pool.start_workers(workers);
    pool.wait()
}

/// All workers of a scan, and what they share.
pub(super) struct WorkerPool {
    scanner: Arc<Scanner>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    pids: std::vec::IntoIter<Pid>,
    /// What is to be done at each of them.
    work: fn(Pid) -> Work,
    queue: Vec<Job>,
    /// The number of jobs that are not finished, begun or not.
    outstanding: usize,
    results: Vec<ProcessResult>,
    workers: Vec<Worker>,
}

#[derive(Default)]
struct Worker {
    heartbeat: Arc<Heartbeat>,
    /// None while it is idle, and after it was abandoned.
    job: Option<Job>,
    abandoned: bool,
    last_beat: u64,
    stalled_ticks: u32,
}

impl WorkerPool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left the state whole: each change of it is a single one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts workers. If no thread can be started and none is left, the rest is given up: this thread must not do it, since no other
    /// would watch it.
    fn start_workers(self: &Arc<Self>, count: usize) {
        let started = (0..count).filter(|_| self.spawn_worker()).count();
        if started == 0 {
            let mut state = self.lock();
            if state.workers.iter().all(|worker| worker.abandoned) {
                state.give_up(Errno::AGAIN);
            }
        }
    }

    /// Starts one more worker, and returns whether there could be one more.
    fn spawn_worker(self: &Arc<Self>) -> bool {
        let (number, heartbeat) = self.register();
        let pool = Arc::clone(self);
        let started = std::thread::Builder::new().spawn(move || pool.work(number, &heartbeat)).is_ok();
        if !started && let Some(worker) = self.lock().workers.get_mut(number) {
            // It has no job and never will.
            worker.abandoned = true;
        }
        started
    }

    /// Makes a place among the workers.
    fn register(&self) -> (usize, Arc<Heartbeat>) {
        let worker = Worker::default();
        let heartbeat = Arc::clone(&worker.heartbeat);
        let mut state = self.lock();
        state.workers.push(worker);
        (state.workers.len() - 1, heartbeat)
    }

    /// Does one job after the other, in the thread of a worker.
    fn work(&self, number: usize, heartbeat: &Heartbeat) {
        heartbeat.begin();
        while let Some(job) = self.next_job(number) {
            let result = heartbeat.during(ScanStep::Table, || self.scanner.run_job(&job, heartbeat, self));
            self.finish(number, result);
        }
    }

    /// The next job, waiting for one as long as another worker may add more; none when this worker is to end.
    fn next_job(&self, number: usize) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.workers.get(number)?.abandoned || state.outstanding == 0 {
                return None;
            }
            if let Some(job) = state.take(&self.scanner) {
                state.workers.get_mut(number)?.job = Some(job.clone());
                return Some(job);
            }
            if state.outstanding == 0 {
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, number: usize, result: ProcessResult) {
        let mut state = self.lock();
        // That of an abandoned worker comes too late: another one does this job now.
        let Some(worker) = state.workers.get_mut(number).filter(|worker| !worker.abandoned) else {
            return self.scanner.budget.hung.returned();
        };
        worker.job = None;
        state.results.push(result);
        state.outstanding -= 1;
        if state.outstanding == 0 {
            self.changed.notify_all();
        }
    }

    /// Adds work that any worker may take.
    pub(super) fn push(&self, work: Work) {
        let mut state = self.lock();
        state.queue.push(Job::new(work, &self.scanner));
        state.outstanding += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all jobs are finished, and replaces workers that hang.
    fn wait(self: Arc<Self>) -> Vec<ProcessResult> {
        let mut state = self.lock();
        while state.outstanding > 0 {
            let (guard, timeout) = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                let abandoned = state.abandon_hung_workers(&self.scanner);
                if let Some(errno) = self.scanner.budget.is_used_up() {
                    state.give_up(errno);
                    continue;
                }
                drop(state);
                if abandoned > 0 {
                    self.changed.notify_all();
                    self.start_workers(abandoned);
                }
                state = self.lock();
            }
        }
        // What was given up may have been all that an idle worker waits for.
        self.changed.notify_all();
        std::mem::take(&mut state.results)
    }
}

impl State {
    /// Parts of huge tables first: they take longest.
    fn take(&mut self, scanner: &Scanner) -> Option<Job> {
        if let Some(errno) = scanner.budget.is_used_up() {
            self.give_up(errno);
        }
        self.queue.pop().or_else(|| self.pids.next().map(self.work).map(|work| Job::new(work, scanner)))
    }

    /// Gives up the jobs that no worker has begun.
    fn give_up(&mut self, errno: Errno) {
        let queued = self.queue.drain(..).map(|job| job.work);
        let given_up: Vec<Work> = queued.chain(self.pids.by_ref().map(self.work)).collect();
        self.outstanding -= given_up.len();
        self.results.extend(given_up.iter().map(|work| work.given_up(errno)));
    }

    /// Puts the jobs of hung workers back, and returns how many there were.
    fn abandon_hung_workers(&mut self, scanner: &Scanner) -> usize {
        let queued = self.queue.len();
        for worker in self.workers.iter_mut().filter(|worker| !worker.abandoned) {
            let (beat, step) = worker.heartbeat.last();
            if worker.job.is_none() || beat != worker.last_beat {
                (worker.last_beat, worker.stalled_ticks) = (beat, 0);
                continue;
            }
            // A worker that waits for a processor, or computes, does not hang however long it takes.
            worker.stalled_ticks = if worker.heartbeat.is_blocked() { worker.stalled_ticks + 1 } else { 0 };
            if worker.stalled_ticks < STALLED_TICKS {
                continue;
            }
            worker.abandoned = true;
            if let Some(mut job) = worker.job.take() {
                scanner.remember_hung(job.work.pid(), step, worker.heartbeat.thread());
                job.timed_out.steps.push(step);
                if let Work::Rest(table, _) = &job.work {
                    table.process.release_facts();
                }
                self.queue.push(job);
            }
        }
        self.queue.len() - queued
    }
}
