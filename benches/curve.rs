//! What lspipe takes on ever larger machines of one shape: `cargo bench --bench curve`.
//!
//! Prints a line for each command and size, and asserts nothing: of twice the load each figure should be at most twice as large.
//! `curve.py` makes the loads, of real processes; `tests/it/cost` asserts the same on small ones.
//!
//! ```text
//! cargo bench --bench curve                       every load, three sizes
//! cargo bench --bench curve -- ring ends          only these
//! cargo bench --bench curve -- ring --from 2000   from this size on
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark is a program that prints")]

#[allow(dead_code, reason = "shared with the other benchmark")]
mod measure;
#[allow(dead_code, reason = "shared with the other benchmark")]
mod sys;

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use clap::Parser as _;
use clap::builder::PossibleValuesParser;

/// The loads, with the smallest of three sizes.
const LOADS: [(&str, usize); 8] = [
    ("pipelines", 1000),
    ("one_pipe", 500),
    ("ring", 500),
    ("chain", 500),
    ("in_flight", 500),
    ("threads", 1000),
    ("futex", 1000),
    ("ends", 20_000),
];

const COMMANDS: [&[&str]; 6] = [&[], &["--json"], &["why"], &["why", "--json"], &["audit"], &["graph"]];

#[derive(clap::Parser)]
#[command(bin_name = "cargo bench --bench curve --")]
struct Options {
    /// Build only these loads
    #[arg(value_name = "LOAD", value_parser = PossibleValuesParser::new(LOADS.map(|(name, _)| name)))]
    loads: Vec<String>,
    /// Begin with this size
    #[arg(long, value_name = "NUMBER")]
    from: Option<usize>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// A load, which ends when this is dropped.
struct Load(Child);

impl Load {
    fn build(name: &str, size: usize) -> Result<Self, Box<dyn Error>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/curve.py");
        let mut command = Command::new("python3");
        command.args(["-BE", script, name, &size.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut load = Self(command.spawn()?);
        let stdout = load.0.stdout.take().ok_or("no output")?;
        match BufReader::new(stdout).lines().next() {
            Some(Ok(line)) if line == "ready" => Ok(load),
            _ => Err(format!("{name} of {size} cannot be made").into()),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // One that is gone already is no error.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    // `cargo test --all-targets` starts benchmarks too, without this argument, and wants them to be quick.
    if !options.bench {
        println!("nothing measured: run by `cargo bench`");
        return Ok(());
    }
    println!(
        "{:<10} {:>8}  {:<12} {:>8} {:>8} {:>8} {:>12}",
        "load", "size", "command", "wall s", "CPU s", "MiB", "bytes"
    );
    let is_wanted = |name: &str| options.loads.is_empty() || options.loads.iter().any(|wanted| wanted == name);
    for (name, first) in LOADS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let first = options.from.unwrap_or(first);
        for size in [first, 2 * first, 4 * first] {
            let _load = match Load::build(name, size) {
                Ok(load) => load,
                Err(error) => {
                    println!("notice: {error}");
                    break;
                }
            };
            for arguments in COMMANDS {
                let mut command = Command::new(env!("CARGO_BIN_EXE_lspipe"));
                command.args(arguments);
                let bytes = command.output()?.stdout.len();
                let cost = measure::cost(&mut command)?;
                let [wall, cpu] = [cost.wall, cost.cpu].map(|time| time.as_secs_f64());
                let (shown, peak) = (arguments.join(" "), cost.peak_kib as f64 / 1024.0);
                println!("{name:<10} {size:>8}  {shown:<12} {wall:>8.2} {cpu:>8.2} {peak:>8.1} {bytes:>12}");
            }
        }
    }
    Ok(())
}
