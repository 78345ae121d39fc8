//! Prints what was measured, each figure beside its goal.

use std::fmt;
use std::time::Duration;

use crate::load::{Load, Plan};
use crate::measure::{Cost, Lap, median, ratio};

/// Names of what is measured, by which the ratios find it.
pub(crate) const FLOOR: &str = "floor";
pub(crate) const TABLE: &str = "lspipe, /proc";
pub(crate) const BPF_TABLE: &str = "lspipe, BPF";
pub(crate) const FDINFO_FLOOR: &str = "floor with fdinfo";
pub(crate) const JSON: &str = "lspipe --json, /proc";
pub(crate) const BPF_JSON: &str = "lspipe --json, BPF";
pub(crate) const WHY: &str = "lspipe why, /proc";
pub(crate) const BPF_WHY: &str = "lspipe why, BPF";
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

/// By wall time, the first takes so many times as long as the second. Only JSON shows flags, and so only it pays for fdinfo.
const RATIOS: [(&str, &str, Goal); 5] = [
    (TABLE, FLOOR, Goal::AtMost(1.5)),
    (JSON, FDINFO_FLOOR, Goal::AtMost(1.5)),
    (PROCFD, JSON, Goal::AtLeast(5.0)),
    (LSFD, JSON, Goal::AtLeast(6.0)),
    (LSOF, JSON, Goal::AtLeast(30.0)),
];

/// The same by CPU time: the kernel's account is read by one thread.
const CPU_RATIOS: [(&str, &str, Goal); 6] = [
    (BPF_TABLE, FLOOR, Goal::AtMost(0.3)),
    (BPF_JSON, FLOOR, Goal::AtMost(0.6)),
    (BPF_WHY, WHY, Goal::AtMost(0.5)),
    (PROCFD, BPF_TABLE, Goal::AtLeast(15.0)),
    (LSFD, BPF_TABLE, Goal::AtLeast(15.0)),
    (LSOF, BPF_TABLE, Goal::AtLeast(100.0)),
];

/// Milliseconds of CPU time that lspipe may take, from start to exit, on a machine that has no load.
const IDLE_GOAL: Goal = Goal::AtMost(5.0);

/// How many more of them it may take to have the kernel's account.
const FIXED_COST_GOAL: Goal = Goal::AtMost(6.0);

/// What lspipe takes on the machine as it was found.
pub(crate) fn idle(laps: &[Lap], census: &str) {
    println!("\nno load; on the machine: {census}");
    let cpu = |name| {
        let lap = laps.iter().find(|lap| lap.name == name)?;
        Some(median(&lap.costs, |cost| milliseconds(cost.cpu)))
    };
    for lap in laps {
        figure(&format!("{}, wall ms", lap.name), median(&lap.costs, |cost| milliseconds(cost.wall)), None);
    }
    if let Some(proc) = cpu(TABLE) {
        figure(&format!("{TABLE}, CPU ms"), proc, Some(IDLE_GOAL));
        if let Some(bpf) = cpu(BPF_TABLE) {
            figure(&format!("{BPF_TABLE}, CPU ms"), bpf, None);
            figure("BPF more than /proc, CPU ms", bpf - proc, Some(FIXED_COST_GOAL));
        }
    }
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
    for (ratios, time, unit) in [
        (&RATIOS[..], (|cost| cost.wall) as fn(&Cost) -> Duration, "wall"),
        (&CPU_RATIOS[..], (|cost| cost.cpu) as fn(&Cost) -> Duration, "CPU"),
    ] {
        for (slow, fast, goal) in ratios {
            if let Some(ratio) = ratio(laps, slow, fast, time) {
                figure(&format!("{slow} / {fast}, {unit}"), ratio, Some(*goal));
            }
        }
    }
}

/// What lspipe takes in memory, where the plan has a goal for it.
pub(crate) fn peaks(plan: &Plan, laps: &[Lap]) {
    let Some(goal) = plan.peak_goal else { return };
    for lap in laps.iter().filter(|lap| [TABLE, JSON, BPF_TABLE, BPF_JSON].contains(&lap.name)) {
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
    println!("  {label:<44} {figure:>10.2}{verdict}");
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
