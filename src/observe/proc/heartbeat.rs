//! What a worker is doing, published so that the waiting thread can detect that it hangs.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::parse;
use crate::model::{Fd, Tid};

/// The calls that may never return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ScanStep {
    /// None: the worker waits for a job.
    #[default]
    Idle,
    /// Opening and listing an fd table.
    Table,
    /// Looking at a descriptor in the table of the process, or of a thread.
    Fd(Option<Tid>, Fd),
    /// Reading fdinfo of a descriptor. That of an epoll takes a lock that `epoll_ctl(2)` holds (`ep_show_fdinfo` in fs/eventpoll.c).
    FdInfo(Option<Tid>, Fd),
    /// Listing and comparing threads.
    Threads,
    /// Reading the facts of a process. Its command line takes a lock of its memory.
    Facts,
    /// Finding out what a thread waits for. That takes a lock of the memory of its process, which a page fault on a file may hold.
    Task(Tid),
    /// Reading the mappings of a process, which takes the same lock.
    Maps,
    /// Looking for threads that may hold the lock of an epoll.
    EpollLocks,
    /// Reading what the kernel lists itself. It holds each file for a moment, and may have to release it.
    Kernel,
    /// Looking up a path that a thread opens.
    Path(Tid),
    /// Looking at the directories above the FIFO at this descriptor.
    Directories(Option<Tid>, Fd),
}

/// Written by one worker, read by the thread that waits for it. The lock is all but uncontended: it is read every 200 ms.
#[derive(Default)]
pub(super) struct Heartbeat {
    /// How many steps were entered, and the last of them.
    last: Mutex<(u64, ScanStep)>,
    worker: AtomicU32,
}

impl Heartbeat {
    /// Makes the calling thread the worker that is watched.
    pub(super) fn begin(&self) {
        self.worker.store(rustix::thread::gettid().as_raw_pid().cast_unsigned(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, (u64, ScanStep)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what comes next, and returns what came before.
    pub(super) fn enter(&self, step: ScanStep) -> ScanStep {
        let mut last = self.lock();
        last.0 += 1;
        std::mem::replace(&mut last.1, step)
    }

    /// Does something as a step of its own, and goes back to the one before.
    pub(super) fn during<T>(&self, step: ScanStep, call: impl FnOnce() -> T) -> T {
        let before = self.enter(step);
        let result = call();
        self.enter(before);
        result
    }

    /// A number that changes with each step, and the last step.
    pub(super) fn last(&self) -> (u64, ScanStep) {
        *self.lock()
    }

    /// The thread of the worker; 0 before it has begun.
    pub(super) fn thread(&self) -> u32 {
        self.worker.load(Ordering::Relaxed)
    }

    /// Whether the worker sleeps in a call, as opposed to waiting for a processor: on a loaded machine that may take long
    /// too, and is no hang.
    pub(super) fn is_blocked(&self) -> bool {
        let worker = self.worker.load(Ordering::Relaxed);
        is_runnable(Path::new(&format!("/proc/self/task/{worker}/stat"))) != Some(true)
    }
}

/// Whether a process or thread runs or waits for a processor, by its stat file; none where that cannot be read.
pub(super) fn is_runnable(stat: &Path) -> Option<bool> {
    Some(parse::stat(&std::fs::read(stat).ok()?).state == Some('R'))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_step_is_a_beat_and_the_outer_step_comes_back() {
        let heartbeat = Heartbeat::default();
        assert_eq!(heartbeat.last(), (0, ScanStep::Idle));
        assert_eq!(heartbeat.enter(ScanStep::Table), ScanStep::Idle);
        let fd = ScanStep::Fd(Some(Tid(u32::MAX)), Fd(u32::MAX));
        let inner = heartbeat.during(fd, || heartbeat.during(ScanStep::Task(Tid(7)), || heartbeat.last()));
        assert_eq!(inner, (3, ScanStep::Task(Tid(7))));
        assert_eq!(heartbeat.last(), (5, ScanStep::Table));
        // The same step twice is progress, too.
        heartbeat.enter(ScanStep::Table);
        assert_eq!(heartbeat.last(), (6, ScanStep::Table));
    }

    #[test]
    fn a_worker_is_blocked_only_while_it_sleeps() {
        let own = Heartbeat::default();
        own.begin();
        assert!(!own.is_blocked());
        let other = Arc::new(Heartbeat::default());
        let (go_on, wait) = mpsc::channel::<()>();
        let worker = std::thread::spawn({
            let other = Arc::clone(&other);
            move || {
                other.begin();
                wait.recv()
            }
        });
        let sleeps = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            other.worker.load(Ordering::Relaxed) != 0 && other.is_blocked()
        });
        assert!(sleeps);
        drop(go_on);
        assert!(worker.join().is_ok());
    }
}
