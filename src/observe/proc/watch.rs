//! What a scanning thread is doing, published so that another thread can tell when it hangs.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::model::{Fd, Tid};

/// The calls that might give no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the thread waits for work.
    Idle,
    /// Opening and listing an fd table.
    Table,
    /// Looking at a descriptor of the table of the process, or of a thread.
    Fd(Option<Tid>, Fd),
    /// Reading fdinfo of a descriptor. That of an epoll waits for whoever changes it (`ep_show_fdinfo` in fs/eventpoll.c).
    FdInfo(Option<Tid>, Fd),
    /// Listing and comparing threads.
    Threads,
    /// Reading the facts of a process. Its command line takes a lock of its memory.
    Facts,
    /// Finding out what a thread waits for. That takes a lock of the memory of its process, which a file system may be asked for.
    Task(Tid),
    /// Looking up a path that a thread opens.
    Path(Tid),
    /// Looking at the directories above a FIFO, which has this descriptor.
    Directories(Option<Tid>, Fd),
}

/// Written by one scanning thread, read by the thread that waits for it. Costs three plain stores a step.
#[derive(Default)]
pub(super) struct Watch {
    /// The kind of step in the upper half, the descriptor in the lower.
    step: AtomicU64,
    /// The thread that the table belongs to, 0 for the table of the process.
    tid: AtomicU32,
    /// Rises with each step.
    beat: AtomicU64,
    /// The ID of the scanning thread.
    own_tid: AtomicU32,
}

impl Watch {
    /// Says which thread is watched; called by that thread.
    pub(super) fn begin(&self) {
        let own = rustix::thread::gettid().as_raw_pid().cast_unsigned();
        self.own_tid.store(own, Ordering::Relaxed);
    }

    /// Says what comes next.
    pub(super) fn doing(&self, step: Step) {
        let (kind, tid, fd) = match step {
            Step::Idle => (0, 0, 0),
            Step::Table => (1, 0, 0),
            Step::Fd(tid, fd) => (2, tid.map_or(0, |tid| tid.0), fd.0),
            Step::FdInfo(tid, fd) => (3, tid.map_or(0, |tid| tid.0), fd.0),
            Step::Threads => (4, 0, 0),
            Step::Facts => (5, 0, 0),
            Step::Task(tid) => (6, tid.0, 0),
            Step::Path(tid) => (7, tid.0, 0),
            Step::Directories(tid, fd) => (8, tid.map_or(0, |tid| tid.0), fd.0),
        };
        self.tid.store(tid, Ordering::Relaxed);
        self.step.store(kind << 32 | u64::from(fd), Ordering::Relaxed);
        // One writer only, so no read-modify-write is needed.
        self.beat.store(self.beat.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// A number that has changed if the thread has got on.
    pub(super) fn beat(&self) -> u64 {
        self.beat.load(Ordering::Acquire)
    }

    /// What the thread said last.
    pub(super) fn step(&self) -> Step {
        let step = self.step.load(Ordering::Relaxed);
        let tid = self.tid.load(Ordering::Relaxed);
        let thread = Tid(tid);
        let tid = (tid != 0).then_some(thread);
        // The lower half is a number that was put there as a u32.
        let fd = Fd(u32::try_from(step & 0xffff_ffff).unwrap_or(u32::MAX));
        match step >> 32 {
            0 => Step::Idle,
            1 => Step::Table,
            2 => Step::Fd(tid, fd),
            3 => Step::FdInfo(tid, fd),
            4 => Step::Threads,
            5 => Step::Facts,
            6 => Step::Task(thread),
            7 => Step::Path(thread),
            _ => Step::Directories(tid, fd),
        }
    }

    /// Whether the thread sleeps in a call, as opposed to waiting for a processor: on a loaded machine that may take long
    /// too, and is no hang.
    pub(super) fn sleeps(&self) -> bool {
        let own_tid = self.own_tid.load(Ordering::Relaxed);
        let stat = std::fs::read(format!("/proc/self/task/{own_tid}/stat"));
        stat.map_or(true, |text| super::parse::stat(&text).state != Some('R'))
    }
}
