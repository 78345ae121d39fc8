//! The options of `lspipe audit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::output::SharedArgs;
use super::{OUTPUT, value};
use crate::findings::{Code, Thresholds};
use crate::model::Severity;
use crate::options::Audit;
use crate::render::Format;

/// The heading of what says which findings count.
const FINDINGS: &str = "Findings";
/// The heading of what is known already.
const BASELINE: &str = "Baseline";

#[derive(Debug, Args)]
#[command(next_help_heading = FINDINGS)]
pub(super) struct AuditArgs {
    /// Only findings of these codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = value::codes(), action = ArgAction::Append)]
    only: Vec<Code>,

    /// No findings of these codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = value::codes(), hide_possible_values = true, action = ArgAction::Append)]
    ignore: Vec<Code>,

    /// Only findings that are at least so bad
    ///
    /// With `info`, or with --only, the text tells every finding, where it would else count those that are only worth knowing.
    #[arg(long, value_name = "SEVERITY", value_parser = value::severities())]
    severity: Option<Severity>,

    /// How many pipe ends a process may hold before it is a hoard (1024 if not given)
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = clap::value_parser!(u64).range(1..))]
    max_ends: Option<u64>,

    /// Only findings that still stand after so long
    ///
    /// Looks twice, with this pause. A finding counts if it is there both times, about the same threads, which have not been started
    /// anew and wait for the same; where only others could end such a wait, they have not run in between either. Beside those, others may
    /// come and go that hold an end, too, as the children of a shell do.
    #[arg(long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = value::seconds, allow_negative_numbers = true)]
    confirm: Option<Duration>,

    /// Print what such a finding means, how it is known and what to do, and look at nothing
    #[arg(long, value_name = "CODE", value_parser = value::codes(), hide_possible_values = true, exclusive = true)]
    pub(super) explain: Option<Code>,

    /// Leave out the findings that this file knows
    ///
    /// The file is what --write-baseline made. A finding is known by its code, the commands, users and systemd units of its processes,
    /// and the paths of its FIFOs, so that it stays known when they are started anew, unless its severity is worse then.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = BASELINE)]
    baseline: Option<PathBuf>,

    /// Write the findings into a file, as those to be known from now on
    ///
    /// All that stand now, also those that --baseline knows; not those that --only, --ignore or --severity leave out. The file is
    /// replaced as a whole, and the exit status is then 0 whatever was found. With --require-complete, nothing is written unless all
    /// could be read.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = BASELINE)]
    write_baseline: Option<PathBuf>,

    /// Print a line of JSON for each finding, and one for the whole
    #[arg(long, help_heading = OUTPUT)]
    ndjson: bool,

    /// Print metrics, in the text format of Prometheus
    #[arg(long, conflicts_with = "ndjson", help_heading = OUTPUT)]
    metrics: bool,

    /// Write the metrics into a file as well, for the textfile collector of `node_exporter`
    ///
    /// The file is replaced as a whole, so that nobody reads half of it.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    metrics_file: Option<PathBuf>,

    /// Ask the kernel too: how large the pipes are, and whether their other sides exist
    ///
    /// As with `lspipe --probe`.
    #[arg(long, help_heading = OUTPUT)]
    pub(super) probe: bool,
}

impl AuditArgs {
    /// Options that exclude each other, and whether both are given: those that all commands share may stand before ours.
    pub(super) fn conflicts(&self, shared: &SharedArgs) -> [(bool, (&'static str, &'static str)); 5] {
        let (json, repeat) = (shared.json, shared.repeat.is_some());
        [
            (self.ndjson && json, ("--ndjson", "--json")),
            (self.metrics && json, ("--metrics", "--json")),
            (self.metrics && repeat, ("--metrics", "--repeat <SECONDS>")),
            (self.write_baseline.is_some() && repeat, ("--write-baseline <FILE>", "--repeat <SECONDS>")),
            (self.confirm.is_some() && shared.from.is_some(), ("--confirm <SECONDS>", "--from <FILE>")),
        ]
    }

    pub(super) const fn format(&self, json: bool) -> Format {
        match () {
            () if self.metrics => Format::Metrics,
            () if self.ndjson => Format::Ndjson,
            () if json => Format::Json,
            () => Format::Telling,
        }
    }
}

impl From<AuditArgs> for Audit {
    fn from(args: AuditArgs) -> Self {
        Self {
            only: args.only,
            ignore: args.ignore,
            severity: args.severity,
            thresholds: Thresholds { max_ends: args.max_ends },
            confirm: args.confirm,
            baseline: args.baseline,
            write_baseline: args.write_baseline,
            metrics_file: args.metrics_file,
        }
    }
}
