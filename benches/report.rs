//! Prints what was measured, each figure beside its goal.

use std::fmt;
use std::time::Duration;

use crate::load::{Load, Plan};
use crate::measure::{Cost, Lap, median, ratio};

/// Names of what is measured, by which the ratios find it.
pub(crate) const FLOOR: &str = "floor";
pub(crate) const TABLE: &str = "lspipe";
pub(crate) const FDINFO_FLOOR: &str = "floor with fdinfo";
pub(crate) const JSON: &str = "lspipe --json";
pub(crate) const PROCFD: &str = "procfd";
pub(crate) const LSFD: &str = "lsfd";
pub(crate) const LSOF: &str = "lsof";

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(limit) => figure <= limit,
            Self::AtLeast(limit) => figure >= limit,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(out, "≤ {limit}"),
            Self::AtLeast(limit) => write!(out, "≥ {limit}"),
        }
    }
}

/// The first takes so many times as long as the second. Only JSON shows flags, and so only it pays for fdinfo.
const RATIOS: [(&str, &str, Goal); 5] = [
    (TABLE, FLOOR, Goal::AtMost(1.5)),
    (JSON, FDINFO_FLOOR, Goal::AtMost(1.5)),
    (PROCFD, JSON, Goal::AtLeast(5.0)),
    (LSFD, JSON, Goal::AtLeast(6.0)),
    (LSOF, JSON, Goal::AtLeast(30.0)),
];

/// Milliseconds of CPU time that lspipe may take, from start to exit, on a machine that has no load.
const IDLE_GOAL: Goal = Goal::AtMost(5.0);

/// What lspipe takes on the machine as it was found.
pub(crate) fn idle(costs: &[Cost], census: &str) {
    println!("\nno load; on the machine: {census}");
    let cpu = median(costs, |cost| milliseconds(cost.cpu));
    figure("lspipe, CPU ms", cpu, Some(IDLE_GOAL));
    let wall = median(costs, |cost| milliseconds(cost.wall));
    figure("lspipe, wall ms", wall, None);
}

pub(crate) fn heading(plan: &Plan, load: &Load, census: &str) {
    println!("\n{}: {load}; on the machine: {census}", plan.name);
}

pub(crate) fn race(laps: &[Lap]) {
    let (wall, cpu, peak) = ("wall ms", "CPU ms", "peak MiB");
    println!("  {:<28} {wall:>10} {cpu:>10} {peak:>10} {:>6}", "", "runs");
    for lap in laps {
        println!("  {lap}");
    }
    for (slow, fast, goal) in RATIOS {
        if let Some(ratio) = ratio(laps, slow, fast) {
            figure(&format!("{slow} / {fast}"), ratio, Some(goal));
        }
    }
}

/// What lspipe takes in memory, where the plan has a goal for it.
pub(crate) fn peaks(plan: &Plan, laps: &[Lap]) {
    let Some(goal) = plan.peak_goal else { return };
    for lap in laps.iter().filter(|lap| [TABLE, JSON].contains(&lap.name)) {
        let label = format!("{}, peak MiB", lap.name);
        figure(&label, median(&lap.costs, mebibytes), Some(goal));
    }
}

pub(crate) fn json_size(plan: &Plan, bytes: usize) {
    figure("JSON, kB", bytes as f64 / 1e3, plan.json_goal);
}

fn figure(label: &str, figure: f64, goal: Option<Goal>) {
    let verdict = goal.map_or_else(String::new, |goal| {
        let mark = if goal.is_met(figure) { '✓' } else { '✗' };
        format!("  goal {goal}  {mark}")
    });
    println!("  {label:<34} {figure:>10.2}{verdict}");
}

impl fmt::Display for Lap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wall = median(&self.costs, |cost| milliseconds(cost.wall));
        let cpu = median(&self.costs, |cost| milliseconds(cost.cpu));
        let peak = median(&self.costs, mebibytes);
        let (name, runs) = (self.name, self.costs.len());
        write!(out, "{name:<28} {wall:>10.1} {cpu:>10.1} {peak:>10.1} {runs:>6}")?;
        match self.costs.iter().find(|cost| !cost.status.success()) {
            Some(cost) => write!(out, "  {}", cost.status),
            None => Ok(()),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mebibytes(cost: &Cost) -> f64 {
    cost.peak_kib as f64 / 1024.0
}
