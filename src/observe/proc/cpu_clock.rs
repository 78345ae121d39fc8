//! The clock of the scheduler on each CPU (`rq_clock_task` in kernel/sched/core.c). It leaves out the time that the hypervisor took (steal)
//! and, in some kernels, that of interrupts, so those of two CPUs go apart by seconds.
//!
//! A thread of our own reads them, which runs on one CPU after another. It is waited for only so long: a real-time task may keep a CPU.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::CWD;
use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::root::read_small;
use super::sched::sched;

/// Maximum number of CPUs whose clock one look reads.
const MOST_CPUS: usize = 64;
/// Maximum time to wait for one CPU: a busy one runs a thread that was woken within a few slices of 3 ms.
const PATIENCE: Duration = Duration::from_millis(40);
/// Maximum time to wait for CPUs in one look.
const ALL_PATIENCE: Duration = Duration::from_millis(120);

/// Clocks that differ by more do not agree.
const AGREE: Duration = Duration::from_millis(500);

/// What a clock showed, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) read_at: Instant,
    pub(super) time: Duration,
}

impl Reading {
    /// Reads the clock of the CPU on which the calling thread runs. In our own proc: that of another PID namespace does not list us.
    pub(super) fn here() -> Option<Self> {
        let text = read_small(CWD, c"/proc/thread-self/sched").ok()?;
        Some(Self { time: sched(&text).last_run?, read_at: Instant::now() })
    }

    /// What it showed at an earlier instant, or less: it is never faster than real time.
    pub(super) fn time_at(&self, earlier: Instant) -> Duration {
        self.time.saturating_sub(self.read_at.saturating_duration_since(earlier))
    }
}

/// The clocks of those CPUs that were asked for, each read once.
#[derive(Debug, Default)]
pub(super) struct CpuClocks(Mutex<Clocks>);

#[derive(Debug, Default)]
struct Clocks {
    /// None where it could not be read.
    known: BTreeMap<u32, Option<Reading>>,
    reader: Option<Reader>,
    /// The time for which CPUs were waited for in vain.
    waited: Duration,
}

impl CpuClocks {
    /// The clock of a CPU; none if it could not be read in time, or this process may not run there.
    pub(super) fn of(&self, cpu: u32) -> Option<Reading> {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clocks.known.get(&cpu) {
            return *known;
        }
        let reading =
            if clocks.known.len() < MOST_CPUS && clocks.waited < ALL_PATIENCE { clocks.read(cpu) } else { None };
        clocks.known.insert(cpu, reading);
        reading
    }

    /// What a CPU whose clock is not known showed at an earlier instant, by this clock and all that are known: the least, as far as these
    /// agree; none if they do not.
    pub(super) fn common_time(&self, own: Reading, earlier: Instant) -> Option<Duration> {
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = || clocks.known.values().flatten().chain([&own]).map(|reading| reading.time_at(earlier));
        times().min().filter(|least| times().all(|time| time - *least <= AGREE))
    }

    #[cfg(test)]
    pub(super) fn known(known: impl IntoIterator<Item = (u32, Option<Reading>)>) -> Self {
        Self(Mutex::new(Clocks { known: known.into_iter().collect(), ..Clocks::default() }))
    }
}

impl Clocks {
    fn read(&mut self, cpu: u32) -> Option<Reading> {
        if self.reader.is_none() {
            self.reader = Some(Reader::start()?);
        }
        let begun = Instant::now();
        let reading = self.reader.as_ref()?.read(cpu);
        if reading.is_none() {
            self.waited += begun.elapsed();
        }
        reading
    }
}

/// A thread that reads the clock of the CPU on which it is put. It ends when this is dropped.
#[derive(Debug)]
struct Reader {
    thread: Pid,
    /// The CPUs on which this process may run.
    allowed: CpuSet,
    requests: Sender<u32>,
    answers: Receiver<(u32, Option<Reading>)>,
}

impl Reader {
    fn start() -> Option<Self> {
        // Fails where the kernel knows of more CPUs than such a set holds.
        let allowed = sched_getaffinity(None).ok()?;
        let (requests, asked) = channel::<u32>();
        let (answer, answers) = channel();
        let (said, id) = channel();
        let read = move || {
            // Fails if the wait is over, as each below.
            let _ = said.send(gettid());
            for cpu in asked {
                let reading = Reading::here();
                // It was put elsewhere again if it was waited for too long.
                let is_there = u32::try_from(sched_getcpu()) == Ok(cpu);
                let _ = answer.send((cpu, reading.filter(|_| is_there)));
            }
        };
        thread::Builder::new().name("lspipe-clock".into()).spawn(read).ok()?;
        Some(Self { thread: id.recv_timeout(PATIENCE).ok()?, allowed, requests, answers })
    }

    /// Reads the clock of a CPU. The thread exists as long as this does, so that its ID is of no other.
    fn read(&self, cpu: u32) -> Option<Reading> {
        let index = usize::try_from(cpu).ok().filter(|cpu| *cpu < CpuSet::MAX_CPU)?;
        if !self.allowed.is_set(index) {
            return None;
        }
        let mut there = CpuSet::new();
        there.set(index);
        sched_setaffinity(Some(self.thread), &there).ok()?;
        let _ = self.requests.send(cpu);
        let answer = self.answer(cpu, Instant::now() + PATIENCE);
        // If it waits for a CPU that does not run it, it must not stay there: it could not even end.
        let _ = sched_setaffinity(Some(self.thread), &self.allowed);
        answer
    }

    fn answer(&self, cpu: u32, until: Instant) -> Option<Reading> {
        loop {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())).ok()? {
                (of, reading) if of == cpu => return reading,
                // A late one.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> impl Iterator<Item = u32> {
        let allowed = sched_getaffinity(None).unwrap();
        (0..u32::try_from(CpuSet::MAX_CPU).unwrap()).filter(move |cpu| allowed.is_set(*cpu as usize))
    }

    #[test]
    fn each_cpu_is_read_once_and_the_caller_stays_where_it_may_run() {
        let clocks = CpuClocks::default();
        let before = sched_getaffinity(None).unwrap();
        for cpu in allowed().take(2) {
            let reading = clocks.of(cpu);
            assert_eq!(clocks.of(cpu), reading);
        }
        assert_eq!(sched_getaffinity(None).unwrap(), before);
        assert_eq!(clocks.of(u32::MAX), None);
        let none = (0..1024).find(|cpu| !before.is_set(*cpu)).map(|cpu| clocks.of(u32::try_from(cpu).unwrap()));
        assert_eq!(none.flatten(), None, "this process may not run there");
    }

    #[test]
    fn the_clock_of_a_cpu_is_that_of_a_thread_on_it() {
        if Reading::here().is_none() {
            // The kernel was built without that file.
            return;
        }
        for cpu in allowed().take(2) {
            let clocks = CpuClocks::default();
            let first = thread::spawn(move || {
                let mut there = CpuSet::new();
                there.set(cpu as usize);
                sched_setaffinity(None, &there).unwrap();
                Reading::here().unwrap()
            });
            let first = first.join().unwrap();
            // The CPU may be busy.
            let Some(reading) = clocks.of(cpu) else { continue };
            assert!(reading.time >= first.time, "{first:?} {reading:?}");
            let passed = reading.read_at - first.read_at;
            assert!(reading.time - first.time <= passed + Duration::from_millis(10), "{first:?} {reading:?}");
        }
    }

    #[test]
    fn waiting_ends() {
        let mut clocks = Clocks { waited: ALL_PATIENCE, ..Clocks::default() };
        clocks.known.insert(0, None);
        let clocks = CpuClocks(Mutex::new(clocks));
        assert_eq!([0, 1].map(|cpu| clocks.of(cpu)), [None, None]);
        assert!(clocks.0.lock().unwrap().reader.is_none());
        let full = CpuClocks::known((0..64).map(|cpu| (cpu, None)));
        assert_eq!(full.of(64), None);
    }
}
