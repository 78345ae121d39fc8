//! How much a process has worked: counters that grow while it does, of which the difference between two looks is its [`Activity`].

use std::collections::BTreeMap;
use std::time::Instant;

use super::parse;
use super::process::ProcessDir;
use crate::model::{Activity, Pid};

/// The counters of processes, by PID.
pub(crate) type Usages = BTreeMap<Pid, Usage>;

/// The counters of all threads of a process, those that have exited included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    /// The start time in clock ticks after boot: the PID may be another process's by now.
    started: Option<u64>,
    /// In clock ticks.
    cpu: u64,
    io: parse::Io,
}

impl Usage {
    /// Reads them. None in a tree of plain files, where no time passes. The kernel adds the input and output of a child to that of its
    /// parent when it is reaped (`wait_task_zombie` in kernel/exit.c).
    pub(super) fn read(process: &ProcessDir, stat: &parse::Stat) -> Option<Self> {
        let cpu = stat.cpu.filter(|_| process.is_real)?;
        Some(Self { at: Instant::now(), started: stat.start_time, cpu, io: parse::io(&process.text("io")) })
    }

    /// Those of a process that has not run until this instant.
    pub(crate) const fn still_at(self, at: Instant) -> Self {
        Self { at, ..self }
    }

    /// What the process did since an earlier look; none if that saw another process.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Activity> {
        let is_same = self.started.is_some() && self.started == earlier.started;
        let ticks = self.cpu.checked_sub(earlier.cpu).filter(|_| is_same)?;
        let grown = |now: Option<u64>, before: Option<u64>| now?.checked_sub(before?);
        Some(Activity {
            over: u64::try_from(self.at.saturating_duration_since(earlier.at).as_millis()).ok()?,
            cpu: ticks.checked_mul(1000)? / procfs::ticks_per_second().max(1),
            read: grown(self.io.read, earlier.io.read),
            written: grown(self.io.written, earlier.io.written),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::proc::parse::Io;

    #[test]
    fn what_grew_between_two_looks() {
        let first = Usage { at: Instant::now(), started: Some(7), cpu: 100, io: Io { read: Some(10), written: None } };
        let at = first.at + Duration::from_millis(350);
        let io = Io { read: Some(4106), written: Some(5) };
        let ticks = procfs::ticks_per_second();
        let later = Usage { at, cpu: 100 + ticks, io, ..first };
        let did = Activity { over: 350, cpu: 1000, read: Some(4096), written: None };
        assert_eq!(later.since(&first), Some(did));
        assert_eq!(Usage { started: Some(8), ..later }.since(&first), None, "another process");
        assert_eq!(Usage { cpu: 99, ..later }.since(&first), None);
    }
}
