//! The threads of a scan: who looks at which process, and what happens when a call gives no answer.
//!
//! The threads share a cursor over the PIDs. A huge fd table is handed on buffer by buffer, so that it does not leave one of
//! them alone with the work. A thread whose call hangs is left behind and never joined (hence no `std::thread::scope`, which
//! joins all): what it was at is done again by a new one, without that call. Knows nothing of what is done at a process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Scanner;
use super::fd_table::Table;
use super::hidden::HiddenEvidence;
use super::watch::{Step, Watch};
use crate::model::{Descriptor, Endpoint, Fd, Gap, Pid, PipeFile, PipeId, Process, ThreadGroup, Tid};

/// How often the waiting thread looks after the others.
const TICK: Duration = Duration::from_millis(200);

/// After so many looks without a step, about a second, a call counts as hung. Looks and not seconds: while we are stopped
/// by ^Z, time passes and nobody gets on.
const PATIENCE: u32 = 5;

/// So many hung calls are skipped one by one in a process; then it is left alone.
const MOST_ATTEMPTS: u32 = 8;

/// More threads than this would only wait for each other's locks in the kernel.
const MOST_THREADS: usize = 8;

/// An end as the scan saw it.
pub(super) struct Found {
    pub(super) pipe: PipeId,
    pub(super) end: Endpoint,
    /// For a FIFO, and where the facts for an audit are wanted.
    pub(super) file: Option<Box<FileFacts>>,
}

/// What the descriptor of an end says of the file.
#[derive(Default)]
pub(super) struct FileFacts {
    /// How a FIFO was called by the holder.
    pub(super) path: Option<Vec<u8>>,
    /// Whether its last name is gone.
    pub(super) deleted: bool,
    pub(super) file: Option<PipeFile>,
}

/// What a job found out about a process.
pub(super) struct Part {
    pub(super) pid: Pid,
    /// The process was gone before anything could be read.
    pub(super) vanished: bool,
    /// Descriptors that were listed, and gone when they were looked at.
    pub(super) vanished_fds: usize,
    pub(super) parent: Option<Pid>,
    pub(super) process: Option<Process>,
    pub(super) found: Vec<Found>,
    pub(super) descriptors: Vec<Descriptor>,
    pub(super) gaps: Vec<Gap>,
    pub(super) threads: Option<ThreadGroup>,
    /// Traces of ends that no fd table shows, where those were looked for.
    pub(super) traces: Vec<HiddenEvidence>,
}

impl Part {
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            vanished: false,
            vanished_fds: 0,
            parent: None,
            process: None,
            found: Vec::new(),
            descriptors: Vec::new(),
            gaps: Vec::new(),
            threads: None,
            traces: Vec::new(),
        }
    }
}

/// Something to do for one thread.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) skip: Skip,
}

#[derive(Clone)]
pub(super) enum Work {
    /// A process, from the beginning.
    Process(Pid),
    /// The traces in a process of ends that no fd table shows.
    Traces(Pid),
    /// The rest of a huge fd table, from this position of its directory on.
    Rest(Arc<Table>, u64),
    /// The threads of a process: what each is doing.
    Threads(Pid),
}

impl Work {
    fn pid(&self) -> Pid {
        match self {
            Self::Process(pid) | Self::Traces(pid) | Self::Threads(pid) => *pid,
            Self::Rest(table, _) => table.process.pid,
        }
    }
}

/// The calls that gave no answer at an earlier attempt at the same job.
#[derive(Clone, Default)]
pub(super) struct Skip {
    attempts: u32,
    pub(super) fds: Vec<(Option<Tid>, Fd)>,
    pub(super) fdinfos: Vec<(Option<Tid>, Fd)>,
    pub(super) threads: bool,
    pub(super) facts: bool,
    pub(super) tasks: Vec<Tid>,
    pub(super) paths: Vec<Tid>,
    /// The FIFO whose directories gave no answer: those of no other in this process are looked at.
    pub(super) directories: Option<(Option<Tid>, Fd)>,
    /// Not even the table could be opened or listed, or too many attempts were in vain.
    pub(super) table: bool,
}

impl Skip {
    /// Whether this is the first attempt.
    pub(super) const fn is_empty(&self) -> bool {
        self.attempts == 0
    }

    /// Makes sure that the next attempt gets past the call that this one hung in.
    fn add(&mut self, step: Step) {
        self.attempts += 1;
        match step {
            _ if self.attempts >= MOST_ATTEMPTS => self.table = true,
            Step::Fd(tid, fd) => self.fds.push((tid, fd)),
            Step::FdInfo(tid, fd) => self.fdinfos.push((tid, fd)),
            Step::Threads => self.threads = true,
            Step::Facts => self.facts = true,
            Step::Task(tid) => self.tasks.push(tid),
            Step::Path(tid) => self.paths.push(tid),
            Step::Directories(tid, fd) => self.directories = Some((tid, fd)),
            Step::Table | Step::Idle => self.table = true,
        }
    }

    /// Whether there is nothing left to try but to give the process up.
    pub(super) const fn is_hopeless(&self) -> bool {
        self.attempts > MOST_ATTEMPTS
    }
}

/// Where a job may leave more work.
pub(super) trait Queue {
    /// Adds a job that any thread may take.
    fn push(&self, work: Work);
}

/// Does this work at each process and returns what was found, in no particular order.
pub(super) fn run(scanner: &Arc<Scanner>, pids: Vec<Pid>, work: fn(Pid) -> Work) -> Vec<Part> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(pids.len());
    let state = State { outstanding: pids.len(), pids: pids.into_iter(), ..State::new(work) };
    let crew = Arc::new(Crew { scanner: Arc::clone(scanner), state: Mutex::new(state), changed: Condvar::new() });
    if (0..threads).filter(|_| crew.enlist()).count() == 0 {
        // No thread is to be had: then there is nobody to watch either.
        let (number, watch) = crew.sign_up();
        crew.work(number, &watch);
    }
    crew.wait()
}

/// All threads of a scan, and what they share.
struct Crew {
    scanner: Arc<Scanner>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    pids: std::vec::IntoIter<Pid>,
    /// What is to be done at each of them.
    work: fn(Pid) -> Work,
    queue: Vec<Job>,
    /// Jobs that are not finished, whether somebody is at them or not.
    outstanding: usize,
    parts: Vec<Part>,
    workers: Vec<Worker>,
}

struct Worker {
    watch: Arc<Watch>,
    /// What it is at; none when it is idle, and when it was left behind.
    job: Option<Job>,
    left_behind: bool,
    last_beat: u64,
    looks_without_step: u32,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left the state whole: each change of it is a single one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one more thread, if there may be one more.
    fn enlist(self: &Arc<Self>) -> bool {
        let (number, watch) = self.sign_up();
        let crew = Arc::clone(self);
        let of_thread = Arc::clone(&watch);
        let started = std::thread::Builder::new().spawn(move || crew.work(number, &of_thread));
        if started.is_err() {
            // It has no job and never will.
            if let Some(worker) = self.lock().workers.get_mut(number) {
                worker.left_behind = true;
            }
        }
        started.is_ok()
    }

    /// A place among the workers.
    fn sign_up(&self) -> (usize, Arc<Watch>) {
        let watch = Arc::new(Watch::default());
        let mut state = self.lock();
        let worker =
            Worker { watch: Arc::clone(&watch), job: None, left_behind: false, last_beat: 0, looks_without_step: 0 };
        state.workers.push(worker);
        (state.workers.len() - 1, watch)
    }

    /// The life of a thread.
    fn work(&self, number: usize, watch: &Watch) {
        watch.begin();
        while let Some(job) = self.next_job(number) {
            watch.doing(Step::Table);
            let part = self.scanner.perform(&job, watch, self);
            watch.doing(Step::Idle);
            self.finish(number, part);
        }
    }

    /// The next job, waiting for one as long as another thread may leave more; none when this thread is to end.
    fn next_job(&self, number: usize) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.workers.get(number)?.left_behind || state.outstanding == 0 {
                return None;
            }
            if let Some(job) = state.take() {
                state.workers.get_mut(number)?.job = Some(job.clone());
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, number: usize, part: Part) {
        let mut state = self.lock();
        let Some(worker) = state.workers.get_mut(number) else {
            return;
        };
        // Too late: somebody else does this job now.
        if worker.left_behind {
            return;
        }
        worker.job = None;
        state.parts.push(part);
        state.outstanding -= 1;
        if state.outstanding == 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until all is done, and looks after the threads meanwhile.
    fn wait(self: Arc<Self>) -> Vec<Part> {
        let mut state = self.lock();
        while state.outstanding > 0 {
            let (guard, timeout) = self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                let replacements = state.leave_the_hung_behind();
                drop(state);
                let started = (0..replacements).filter(|_| self.enlist()).count();
                self.changed.notify_all();
                if replacements > 0 && started == 0 && !self.lock().has_workers() {
                    let (number, watch) = self.sign_up();
                    self.work(number, &watch);
                }
                state = self.lock();
            }
        }
        std::mem::take(&mut state.parts)
    }
}

impl Queue for Crew {
    fn push(&self, work: Work) {
        let mut state = self.lock();
        state.queue.push(Job { work, skip: Skip::default() });
        state.outstanding += 1;
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn new(work: fn(Pid) -> Work) -> Self {
        let pids = Vec::new().into_iter();
        Self { pids, work, queue: Vec::new(), outstanding: 0, parts: Vec::new(), workers: Vec::new() }
    }

    fn has_workers(&self) -> bool {
        self.workers.iter().any(|worker| !worker.left_behind)
    }

    /// Parts of huge tables first: they are what takes longest.
    fn take(&mut self) -> Option<Job> {
        let work = self.work;
        let first_attempt = |pid| Job { work: work(pid), skip: Skip::default() };
        self.queue.pop().or_else(|| self.pids.next().map(first_attempt))
    }

    /// Puts the jobs of hung threads back, and returns how many threads that were.
    fn leave_the_hung_behind(&mut self) -> usize {
        let mut hung = 0;
        for worker in self.workers.iter_mut().filter(|worker| !worker.left_behind) {
            let beat = worker.watch.beat();
            if worker.job.is_none() || beat != worker.last_beat {
                (worker.last_beat, worker.looks_without_step) = (beat, 0);
                continue;
            }
            // One that waits for a processor, or computes, is no hang however long it takes.
            worker.looks_without_step = if worker.watch.sleeps() { worker.looks_without_step + 1 } else { 0 };
            if worker.looks_without_step < PATIENCE {
                continue;
            }
            worker.left_behind = true;
            let Some(mut job) = worker.job.take() else {
                continue;
            };
            job.skip.add(worker.watch.step());
            if let Work::Rest(table, _) = &job.work {
                table.process.release_facts();
            }
            self.queue.push(job);
            hung += 1;
        }
        hung
    }
}

impl Job {
    /// The process it is about.
    pub(super) fn pid(&self) -> Pid {
        self.work.pid()
    }
}
