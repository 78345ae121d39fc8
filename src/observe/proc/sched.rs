//! How long a thread has not run: by /proc/PID/task/TID/sched, and the clock of the scheduler.

use std::time::{Duration, Instant};

use rustix::fs::CWD;

use super::parse;
use super::root::{ProcRoot, read_small};

/// How far that clock, as our own thread shows it, may be behind: it is brought up to date by each tick (`CONFIG_HZ` is at least 100).
const TICK: Duration = Duration::from_millis(10);

/// Fields of /proc/PID/sched (`proc_sched_show_task` in kernel/sched/debug.c).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sched {
    /// `se.exec_start`: when it was last on a processor. None after it was moved to another one, which sets it to 0
    /// (`migrate_task_rq_fair` in kernel/sched/fair.c).
    pub(super) last_run: Option<Duration>,
    /// `nr_switches`: the same sum as of the two numbers in its status.
    pub(super) switches: Option<u64>,
}

pub(super) fn sched(text: &[u8]) -> Sched {
    Sched { last_run: parse::exec_start(text).filter(|last_run| !last_run.is_zero()), switches: parse::switches(text) }
}

/// The clock of the scheduler at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchedClock {
    read_at: Instant,
    /// None where the kernel does not say.
    time: Option<Duration>,
}

impl SchedClock {
    /// Reads it: our own thread, which runs now, shows it.
    pub(super) fn read(root: &ProcRoot) -> Self {
        if !root.is_real() {
            return Self { read_at: Instant::now(), time: None };
        }
        // In our own proc: that of another PID namespace does not list us, and the clock is the same.
        let own = read_small(CWD, c"/proc/thread-self/sched").or_else(|_| root.read("thread-self/sched"));
        Self { read_at: Instant::now(), time: own.ok().and_then(|text| sched(&text).last_run) }
    }

    /// For how long a thread had not run at that instant. None if it has run in what is the future by this clock: that of each processor
    /// is another.
    pub(super) fn idle(&self, last_run: Duration) -> Option<Duration> {
        self.idle_at(Instant::now(), last_run)
    }

    fn idle_at(&self, now: Instant, last_run: Duration) -> Option<Duration> {
        let time = self.time?;
        let latest = time + now.saturating_duration_since(self.read_at) + TICK;
        (last_run <= latest).then(|| time.saturating_sub(last_run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_was_moved_has_no_time() {
        let text = |start: &str| format!("cat (5267, #threads: 1)\n---\nse.exec_start : {start}\nnr_switches : 7\n");
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!(sched(text("907.5").as_bytes()).last_run, Some(Duration::from_micros(907_500)));
        assert_eq!(sched(text("0.000000").as_bytes()), Sched { last_run: None, switches: Some(7) });
        assert_eq!(sched(b""), Sched::default());
        assert_eq!(sched(b"se.exec_start : 5.0\n"), Sched { last_run: millis(5), switches: None });
    }

    #[test]
    fn idle_times_are_of_one_instant_however_long_the_look_takes() {
        let (read_at, second) = (Instant::now(), Duration::from_secs(1));
        let clock = SchedClock { read_at, time: Some(100 * second) };
        let idle = |last_run| clock.idle_at(read_at + 2 * second, last_run * second);
        // Two that have run since are not idle at all; one is ahead of the clock.
        assert_eq!([40, 100, 101, 102].map(idle), [60, 0, 0, 0].map(|idle| Some(idle * second)));
        assert_eq!(idle(103), None);
        assert_eq!(SchedClock { read_at, time: None }.idle_at(read_at, second), None);
    }
}
