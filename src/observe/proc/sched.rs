//! How long a thread has not run: by /proc/PID/task/TID/sched, and the clocks of the scheduler.

use std::time::{Duration, Instant};

use super::cpu_clock::{CpuClocks, Reading};
use super::parse;
use super::root::ProcRoot;
use crate::observe::kernel::TaskRecord;

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

impl Sched {
    /// As the kernel lists it.
    pub(super) const fn of(record: &TaskRecord) -> Self {
        Self { last_run: record.last_run, switches: Some(record.all_switches()) }
    }
}

pub(super) fn sched(text: &[u8]) -> Sched {
    Sched { last_run: parse::exec_start(text).filter(|last_run| !last_run.is_zero()), switches: parse::switches(text) }
}

/// The clocks of the scheduler at one instant: that of each CPU is another, see [`cpu_clock`](super::cpu_clock).
#[derive(Debug)]
pub(super) struct SchedClock {
    read_at: Instant,
    /// As our own thread shows it; none where the kernel does not say.
    own: Option<Reading>,
    cpus: CpuClocks,
}

impl SchedClock {
    /// Reads it: our own thread, which runs now, shows it.
    pub(super) fn read(root: &ProcRoot) -> Self {
        let here = || {
            Reading::here().or_else(|| {
                let time = sched(&root.read("thread-self/sched").ok()?).last_run?;
                Some(Reading { time, read_at: Instant::now() })
            })
        };
        let own = if root.is_real() { here() } else { None };
        Self { read_at: own.map_or_else(Instant::now, |own| own.read_at), own, cpus: CpuClocks::default() }
    }

    /// For how long a thread had not run at that instant, by the clock of the CPU on which it last ran; less rather than more. None if it
    /// has run in what is the future by that clock.
    ///
    /// Where that clock cannot be read, our own counts, unless those that are known do not agree.
    pub(super) fn idle(&self, last_run: Duration, cpu: Option<u32>) -> Option<Duration> {
        self.own?;
        // It is read before the present is looked at.
        let clock = cpu.and_then(|cpu| self.cpus.of(cpu));
        self.idle_at(Instant::now(), last_run, clock)
    }

    fn idle_at(&self, now: Instant, last_run: Duration, clock: Option<Reading>) -> Option<Duration> {
        let own = self.own?;
        let used = clock.unwrap_or(own);
        let time = match clock {
            Some(clock) => clock.time_at(self.read_at),
            None => self.cpus.common_time(own, self.read_at)?,
        };
        let latest = used.time + now.saturating_duration_since(used.read_at) + TICK;
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

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(read_at: Instant, time: u32, cpus: CpuClocks) -> SchedClock {
        SchedClock { read_at, own: Some(Reading { read_at, time: time * SECOND }), cpus }
    }

    #[test]
    fn idle_times_are_of_one_instant_however_long_the_look_takes() {
        let read_at = Instant::now();
        let own = clock(read_at, 100, CpuClocks::default());
        let idle = |last_run| own.idle_at(read_at + 2 * SECOND, last_run * SECOND, None);
        // Two that have run since are not idle at all; one is ahead of the clock.
        assert_eq!([40, 100, 101, 102].map(idle), [60, 0, 0, 0].map(|idle| Some(idle * SECOND)));
        assert_eq!(idle(103), None);
        let unknown = SchedClock { read_at, own: None, cpus: CpuClocks::default() };
        assert_eq!(unknown.idle(SECOND, Some(0)), None);
        // That of another CPU, read 5 s later, when it had advanced by as much: all times are those at the first instant.
        let later = Some(Reading { read_at: read_at + 5 * SECOND, time: 55 * SECOND });
        let idle = |last_run| own.idle_at(read_at + 6 * SECOND, last_run * SECOND, later);
        assert_eq!([40, 50, 52, 56].map(idle), [10, 0, 0, 0].map(|idle| Some(idle * SECOND)));
        assert_eq!(idle(57), None);
    }

    #[test]
    fn a_cpu_that_cannot_be_asked_is_as_the_others_if_these_agree() {
        let read_at = Instant::now();
        let less = Some(Reading { read_at, time: Duration::from_millis(99_900) });
        let clock = clock(read_at, 100, CpuClocks::known([(0, less), (3, None)]));
        let idle = |last_run: u32, cpu| clock.idle(last_run * SECOND, cpu).map(|idle| idle.as_millis());
        assert_eq!([Some(3), None].map(|cpu| idle(90, cpu)), [Some(9_900); 2], "less rather than more");
        assert_eq!([100, 130].map(|last_run| idle(last_run, Some(3))), [Some(0), None]);
    }

    #[test]
    fn the_clock_of_the_cpu_on_which_a_thread_ran_counts() {
        let read_at = Instant::now();
        let at = |time| Some(Reading { read_at, time: time * SECOND });
        let clock = clock(read_at, 100, CpuClocks::known([(0, at(100)), (1, at(98)), (2, at(140)), (3, None)]));
        let idle = |last_run: u32, cpu| clock.idle(last_run * SECOND, cpu).map(|idle| idle.as_secs());
        assert_eq!([0, 1, 2].map(|cpu| idle(90, Some(cpu))), [10, 8, 50].map(Some));
        assert_eq!(idle(130, Some(2)), Some(10), "in the future of any other");
        assert_eq!(idle(130, Some(1)), None);
        // Where it is not known, the others do not say.
        assert_eq!([Some(3), None].map(|cpu| idle(90, cpu)), [None; 2]);
    }
}
