//! Ages and idle times of one report are counted to one instant.

use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// When a process started is known to a hundredth of a second.
const TICK: f64 = 0.01;
/// The clock of the scheduler and that of the wall may go apart by so much of the time that has passed.
const DRIFT: f64 = 1e-4;

/// A report of a machine that is too busy for it: it is stopped again and again, so that long passes between any two of its looks.
#[track_caller]
fn slow_report(user: User) -> Report {
    let mut running = lspipe(["why", "-q", "--json"]).user(user).spawn();
    let pid = i32::try_from(running.looker()).ok().and_then(Pid::from_raw).expect("a PID");
    let mut lines = running.lines();
    let text = thread::scope(|scope| {
        let text = scope.spawn(|| lines.next().expect("a report"));
        while !text.is_finished() {
            // It may have ended, and is not reaped before all is read.
            for (signal, pause) in [(Signal::STOP, 60), (Signal::CONT, 2)] {
                let _ = kill_process(pid, signal);
                thread::sleep(Duration::from_millis(pause));
            }
        }
        text.join().expect("read a report")
    });
    Report::parse(text.as_bytes())
}

/// The clocks of two CPUs may be seconds apart, as on a virtual machine: how long each thread has been idle does not depend on its CPU.
#[test]
fn threads_on_two_cpus_that_blocked_at_one_time_are_idle_for_the_same_time() {
    need!(Need::PYTHON, Need::TwoCpus);
    // A CPU that is too busy to be asked in time is not known.
    const ATTEMPTS: usize = 5;
    for &user in User::all() {
        let scene = Scene::start("why_cpus", user);
        let threads: Vec<(u32, u32)> =
            scene.truth.numbers("tids").into_iter().zip(scene.truth.numbers("blocked_at")).collect();
        // When the report was made, by each thread, in seconds after the scene began.
        let made_at = || {
            let report = Report::parse(&lspipe(["why", "-q", "--json"]).user(user).run().stdout);
            let tasks: Vec<_> = report.threads.iter().flatten().flat_map(|group| &group.tasks).collect();
            let made_at = threads.iter().map(|(tid, blocked_at)| {
                let idle = tasks.iter().find(|task| task.tid == *tid).expect("a thread").idle_seconds;
                idle.map(|idle| idle + f64::from(*blocked_at) / 1000.0)
            });
            made_at.collect::<Vec<Option<f64>>>()
        };
        let is_one = |made_at: &Vec<Option<f64>>| {
            let first = made_at[0];
            made_at.iter().all(|it| it.zip(first).is_some_and(|(one, other)| (one - other).abs() < 1.0))
        };
        let mut seen = Vec::new();
        while !seen.last().is_some_and(is_one) {
            assert!(seen.len() < ATTEMPTS, "{seen:?}");
            seen.push(made_at());
        }
    }
}

/// No thread has been idle for longer than its process is there, however long the looks take.
#[test]
fn nobody_is_idle_for_longer_than_alive() {
    need!(Need::PYTHON, Need::Program("cat"), Need::Program("yes"));
    for &user in User::all() {
        let mut threads = 0;
        for kind in ["writes", "waits"] {
            // Those that were just started, and block at once, show it best.
            let _scene = Scene::start_with("why_popen", user, &[kind]);
            let report = slow_report(user);
            let groups = report.threads.as_deref().expect("what threads do");
            for process in &report.processes {
                let Some(started_at) = process.started_at else { continue };
                // Others may start while the report is made.
                let age = (report.taken_at.seconds() - started_at.seconds()).max(0.0);
                let group = groups.iter().find(|group| group.pid == process.pid);
                for task in group.iter().flat_map(|group| &group.tasks) {
                    let Some(idle) = task.idle_seconds else { continue };
                    assert!(idle <= age * (1.0 + DRIFT) + TICK, "{idle} s idle, {age} s old: {task:?} of {process:?}");
                    threads += 1;
                }
            }
        }
        assert!(threads > 0, "nobody's idle time is known");
    }
}
