//! The scan against its floor and its peers, on loads of real processes: `cargo bench`.
//!
//! Prints medians and ratios beside their goals, and asserts nothing: a figure is for a developer to judge.
//! This file owns the command line and the order of events; `load` makes the processes, `floor` is the least walk of
//! /proc that could do the job, `measure` runs commands by turns, `report` prints, `sys` holds the unsafe code.
//!
//! ```text
//! cargo bench                              every load, every peer that is installed
//! cargo bench -- --no-peers                lspipe and its floors only
//! cargo bench -- many shared               only the loads so named
//! LSPIPE_BENCH_ROUNDS=15 cargo bench       more rounds than 7
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark is a program that prints")]

mod floor;
mod load;
mod measure;
mod report;
mod sys;

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};
use std::thread;

use load::{Load, Plan};
use measure::Runner;
use report::{FDINFO_FLOOR, FLOOR, JSON, LSFD, LSOF, PROCFD, TABLE};

/// Enough for a median that one disturbed round cannot move.
const DEFAULT_ROUNDS: usize = 7;

/// lspipe itself starts no more scanning threads than this, and its floor must have as many.
const MOST_THREADS: usize = 8;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(load::ROLE) => return Ok(load::hold(&arguments[1..])),
        Some(floor::ROLE) => floor::walk(&arguments[1..])?,
        _ => bench(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the developer asked for.
struct Options {
    rounds: usize,
    peers: bool,
    /// Names of loads; none means all.
    loads: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let rounds = match env::var("LSPIPE_BENCH_ROUNDS") {
            Ok(text) => text.parse().map_err(|error| format!("LSPIPE_BENCH_ROUNDS={text}: {error}"))?,
            Err(_) => DEFAULT_ROUNDS,
        };
        let mut options = Self { rounds: rounds.max(1), peers: true, loads: Vec::new() };
        for argument in arguments {
            match argument.as_str() {
                "--bench" => {}
                "--no-peers" => options.peers = false,
                name if load::PLANS.iter().any(|plan| plan.name == name) => {
                    options.loads.push(name.to_owned());
                }
                other => return Err(format!("neither a load nor an option: {other}").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, plan: &Plan) -> bool {
        self.loads.is_empty() || self.loads.iter().any(|name| name == plan.name)
    }
}

fn bench(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    // `cargo test --all-targets` starts benchmarks too, without this argument, and wants them to be quick.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("nothing measured: run by `cargo bench`");
        return Ok(());
    }
    let options = Options::parse(arguments)?;
    let threads = thread::available_parallelism()?.get().min(MOST_THREADS);
    let mut runners = runners(threads, options.peers)?;
    println!("{} rounds, {threads} threads", options.rounds);
    let costs = measure::repeat(&mut lspipe(&[]), options.rounds)?;
    report::idle(&costs, &floor::census(threads)?);
    for plan in load::PLANS.iter().filter(|plan| options.wants(plan)) {
        let load = Load::build(plan)?;
        // Warms up as well: the first scan of a process makes the kernel build a directory entry for each descriptor,
        // which whoever came first would pay for.
        report::heading(plan, &load, &floor::census(threads)?);
        let laps = measure::race(&mut runners, options.rounds)?;
        report::race(&laps);
        report::peaks(plan, &laps);
        report::json_size(plan, measure::output_bytes(&mut lspipe(&["--json"]))?);
    }
    Ok(())
}

/// All that are measured, in the order in which each round runs them: a command stands next to what it is compared
/// with, so that a disturbance of the machine meets both.
fn runners(threads: usize, peers: bool) -> Result<Vec<Runner>, Box<dyn Error>> {
    let mut runners = vec![
        Runner::new(FLOOR, floor::command(threads, false)?),
        Runner::new(TABLE, lspipe(&[])),
        Runner::new(FDINFO_FLOOR, floor::command(threads, true)?),
        Runner::new(JSON, lspipe(&["--json"])),
    ];
    if peers {
        runners.extend(Runner::peer(PROCFD, &["--json", "--type", "pipe"]));
        runners.extend(Runner::peer(LSFD, &["-Q", "TYPE == \"FIFO\""]));
        runners.extend(Runner::peer(LSOF, &["-nPw", "+E"]));
    }
    Ok(runners)
}

fn lspipe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lspipe"));
    command.args(arguments);
    command
}
