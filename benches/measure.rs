//! Runs whole commands and takes their time and memory, from start to exit.
//!
//! Commands are run by turns, A B C A B C: the machine's moods are spread over all of them, and a ratio is taken within
//! each round before the median is taken over the rounds.

use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::sys::wait4;

/// A command that has taken this long in all its rounds sits out those that are left.
const BUDGET: Duration = Duration::from_secs(6);

/// What one run took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time, of all threads.
    pub(crate) cpu: Duration,
    /// The largest resident set. It is never less than this program's own, which the child has until it is executed.
    pub(crate) peak_kib: u64,
    pub(crate) status: ExitStatus,
}

/// A command to be measured.
pub(crate) struct Runner {
    name: &'static str,
    command: Command,
}

impl Runner {
    pub(crate) fn new(name: &'static str, command: Command) -> Self {
        Self { name, command }
    }

    /// Another program, if it is installed; that it is not is said aloud.
    pub(crate) fn peer(program: &'static str, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new(program);
        if let Err(error) = command.arg("--version").output() {
            println!("notice: {program} is skipped: {error}");
            return None;
        }
        let mut command = Command::new(program);
        command.args(arguments);
        Some(Self::new(program, command))
    }
}

/// What all runs of one command took, round by round.
pub(crate) struct Lap {
    pub(crate) name: &'static str,
    pub(crate) costs: Vec<Cost>,
}

impl Lap {
    fn is_spent(&self) -> bool {
        self.costs.iter().map(|cost| cost.wall).sum::<Duration>() > BUDGET
    }
}

/// Runs all by turns; a slow command takes part in fewer rounds.
pub(crate) fn race(runners: &mut [Runner], rounds: usize) -> io::Result<Vec<Lap>> {
    let mut laps: Vec<Lap> =
        runners.iter().map(|runner| Lap { name: runner.name, costs: Vec::with_capacity(rounds) }).collect();
    for _ in 0..rounds {
        for (runner, lap) in runners.iter_mut().zip(&mut laps) {
            if !lap.is_spent() {
                lap.costs.push(cost(&mut runner.command)?);
            }
        }
    }
    Ok(laps)
}

/// Runs a command alone.
pub(crate) fn cost(command: &mut Command) -> io::Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let child = command.spawn()?;
    let (status, usage) = wait4(Pid::from_child(&child))?;
    Ok(Cost {
        wall: start.elapsed(),
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
        status,
    })
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let microseconds = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}

/// The median, over the rounds in which both ran, of how many times as much time one command took as another; none if
/// either was not run.
pub(crate) fn ratio(laps: &[Lap], slow: &str, fast: &str, time: fn(&Cost) -> Duration) -> Option<f64> {
    let costs = |name| laps.iter().find(|lap| lap.name == name).map(|lap| &lap.costs);
    let pairs = costs(slow)?.iter().zip(costs(fast)?);
    middle(pairs.map(|(slow, fast)| time(slow).div_duration_f64(time(fast))))
}

/// The median of a figure of the runs.
pub(crate) fn median(costs: &[Cost], figure: impl Fn(&Cost) -> f64) -> f64 {
    middle(costs.iter().map(figure)).unwrap_or(f64::NAN)
}

/// The median; of an even number of figures the upper of the two in the middle.
fn middle(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
