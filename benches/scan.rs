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
//! cargo bench -- --rounds 15               more rounds than 7
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark is a program that prints")]

mod floor;
mod load;
mod measure;
mod report;
mod sys;

use std::env;
use std::error::Error;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use load::{Load, PLANS};
use measure::Runner;
use report::{BPF_JSON, BPF_TABLE, BPF_WHY, FDINFO_FLOOR, FLOOR, JSON, LSFD, LSOF, PROCFD, TABLE, WHY};

/// lspipe itself starts no more scanning threads than this, and its floor must have as many.
const MOST_THREADS: usize = 8;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(load::ROLE) => return Ok(load::hold(&arguments[1..])),
        Some(floor::ROLE) => floor::walk(&arguments[1..])?,
        _ => bench(&Options::parse())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures the scan against its floor and its peers, on loads of real processes.
#[derive(Parser)]
#[command(bin_name = "cargo bench --")]
struct Options {
    /// Run each command this many times; one disturbed round of 7 cannot move a median
    #[arg(long, default_value_t = 7, value_name = "NUMBER")]
    rounds: usize,
    /// Run lspipe and its floors only
    #[arg(long)]
    no_peers: bool,
    /// Build only these loads
    #[arg(value_name = "LOAD", value_parser = PossibleValuesParser::new(PLANS.map(|plan| plan.name)))]
    loads: Vec<String>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn bench(options: &Options) -> Result<(), Box<dyn Error>> {
    // `cargo test --all-targets` starts benchmarks too, without this argument, and wants them to be quick.
    if !options.bench {
        println!("nothing measured: run by `cargo bench`");
        return Ok(());
    }
    let threads = thread::available_parallelism()?.get().min(MOST_THREADS);
    let mut runners = runners(threads, !options.no_peers)?;
    println!("{} rounds, {threads} threads", options.rounds);
    let mut tables = vec![Runner::new(TABLE, lspipe(&["--backend", "proc"]))];
    tables.extend(bpf(BPF_TABLE, &[])?);
    report::idle(&measure::race(&mut tables, options.rounds)?, &floor::census(threads)?);
    for plan in
        PLANS.iter().filter(|plan| options.loads.is_empty() || options.loads.iter().any(|name| name == plan.name))
    {
        let load = Load::build(plan)?;
        // Warms up as well: the first scan of a process makes the kernel build a directory entry for each descriptor,
        // which the first command would pay for.
        report::heading(plan, &load, &floor::census(threads)?);
        let laps = measure::race(&mut runners, options.rounds)?;
        report::race(&laps);
        report::peaks(plan, &laps);
        report::json_size(plan, lspipe(&["--json", "--backend", "proc"]).output()?.stdout.len());
    }
    Ok(())
}

/// All that are measured, in the order in which each round runs them: a command stands next to what it is compared
/// with, so that a disturbance of the machine meets both.
fn runners(threads: usize, peers: bool) -> Result<Vec<Runner>, Box<dyn Error>> {
    let mut runners = vec![Runner::new(FLOOR, floor::command(threads, false)?)];
    runners.extend(bpf(BPF_TABLE, &[])?);
    runners.push(Runner::new(TABLE, lspipe(&["--backend", "proc"])));
    runners.push(Runner::new(FDINFO_FLOOR, floor::command(threads, true)?));
    runners.push(Runner::new(JSON, lspipe(&["--json", "--backend", "proc"])));
    runners.extend(bpf(BPF_JSON, &["--json"])?);
    runners.push(Runner::new(WHY, lspipe(&["why", "--backend", "proc"])));
    runners.extend(bpf(BPF_WHY, &["why"])?);
    if peers {
        runners.extend(Runner::peer(PROCFD, &["--json", "--type", "pipe"]));
        runners.extend(Runner::peer(LSFD, &["-Q", "TYPE == \"FIFO\""]));
        runners.extend(Runner::peer(LSOF, &["-nPw", "+E"]));
    }
    Ok(runners)
}

/// lspipe with the kernel's account, if this machine gives it; that it does not is said aloud.
fn bpf(name: &'static str, arguments: &[&str]) -> io::Result<Option<Runner>> {
    let answer = lspipe(&["--backend", "bpf"]).stdout(Stdio::null()).output()?;
    if answer.status.code() == Some(2) {
        println!("notice: {name} is skipped: {}", String::from_utf8_lossy(&answer.stderr).trim());
        return Ok(None);
    }
    Ok(Some(Runner::new(name, lspipe(&[arguments, &["--backend", "bpf"]].concat()))))
}

fn lspipe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lspipe"));
    command.args(arguments);
    command
}
