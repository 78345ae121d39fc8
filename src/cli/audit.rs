//! The options of `lspipe audit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::{OUTPUT, value};
use crate::findings::Code;
use crate::model::Severity;
use crate::render::Format;

/// The heading of the options that choose findings.
const FINDINGS: &str = "Findings";
/// The heading of the options about findings that are already known.
const BASELINE: &str = "Baseline";

/// What an audit reports, and where to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = FINDINGS)]
pub struct AuditArgs {
    /// Report only findings with these codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = value::word(&Code::ALL, Code::as_str), action = ArgAction::Append)]
    pub only: Vec<Code>,

    /// Suppress findings with these codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = value::word(&Code::ALL, Code::as_str), hide_possible_values = true, action = ArgAction::Append)]
    pub ignore: Vec<Code>,

    /// Report only findings of this severity or higher
    ///
    /// With `info`, or with --only, the text shows each finding; otherwise, findings of severity info are only counted.
    #[arg(long, value_name = "SEVERITY", value_parser = value::word(Severity::ALL, Severity::as_str))]
    pub severity: Option<Severity>,

    /// Set how many pipe ends a process may hold before it is an end-hoard (1024 if not given)
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_ends: Option<u64>,

    /// Report only findings that still hold after this pause
    ///
    /// Scans twice. A finding is reported only if both scans show it for the same threads, in the same wait. If only other processes
    /// could end that wait, the threads must also not have run in between. Other holders of an end, such as the children of a shell,
    /// may come and go.
    #[arg(long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = value::seconds, allow_negative_numbers = true)]
    pub confirm: Option<Duration>,

    /// Explain what this finding means, how it is detected and what to do, without a scan
    #[arg(long, value_name = "CODE", value_parser = value::word(&Code::ALL, Code::as_str), hide_possible_values = true, exclusive = true)]
    pub explain: Option<Code>,

    /// Suppress the findings recorded in this file
    ///
    /// The file is written by --write-baseline. A finding is identified by its code, the commands, users and systemd units of its
    /// processes, and the paths of its FIFOs. It stays suppressed when the processes are restarted, and is reported again if its
    /// severity rises.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = BASELINE)]
    pub baseline: Option<PathBuf>,

    /// Record the current findings in this file, to suppress them with --baseline
    ///
    /// Includes the findings that --baseline suppresses, but not those that --only, --ignore or --severity exclude. The file is
    /// replaced atomically, and the exit status is 0 whatever was found. With --require-complete, the file is written only if
    /// everything could be read.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = BASELINE)]
    pub write_baseline: Option<PathBuf>,

    /// Print one line of JSON for each finding, and a summary line
    #[arg(long, help_heading = OUTPUT)]
    pub ndjson: bool,

    /// Print metrics in the text format of Prometheus
    #[arg(long, help_heading = OUTPUT)]
    pub metrics: bool,

    /// Write the metrics to this file as well, for the textfile collector of `node_exporter`
    ///
    /// The file is replaced atomically.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    pub metrics_file: Option<PathBuf>,

    /// Ask the kernel how large the pipes are, and whether their other sides exist
    ///
    /// As with `lspipe --probe`.
    #[arg(long, help_heading = OUTPUT)]
    pub probe: bool,
}

impl AuditArgs {
    pub(crate) fn wants(&self, code: Code) -> bool {
        (self.only.is_empty() || self.only.contains(&code)) && !self.ignore.contains(&code)
    }

    /// Why nothing would be checked, if `--only` and `--ignore` leave no code.
    pub(super) fn selects_no_code(&self) -> Option<String> {
        let excluded = if self.only.is_empty() { "every code" } else { "every code of '--only <CODE>'" };
        let is_empty = !Code::ALL.iter().any(|code| self.wants(*code));
        is_empty.then(|| {
            format!("'--ignore <CODE>' excludes {excluded}, so nothing would be checked: drop '--ignore <CODE>' or one of its codes")
        })
    }

    /// The format, where `--json` is not given.
    pub(super) const fn format(&self) -> Format {
        if self.metrics {
            Format::Metrics
        } else if self.ndjson {
            Format::Ndjson
        } else {
            Format::Text
        }
    }
}
