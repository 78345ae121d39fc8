//! The options of `lspipe audit`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

use super::findings::FINDINGS;
use super::{FindingArgs, OUTPUT, SelectionArgs, value};
use crate::findings::Code;
use crate::model::Severity;
use crate::render::Format;

/// The heading of the options about findings that are already known.
const BASELINE: &str = "Baseline";

/// What an audit reports, and where to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = FINDINGS)]
pub struct AuditArgs {
    /// What the reported findings concern; the scan is that of the whole machine.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Which findings are reported, and how.
    #[command(flatten)]
    pub findings: FindingArgs,

    /// Exit with status 1 only for findings of this severity or higher, or with one of these codes (warning if not given)
    #[arg(long, value_name = "SEVERITY,CODE", value_hint = ValueHint::Other, value_delimiter = ',', value_parser = value::fail_on, action = ArgAction::Append, help_heading = FINDINGS)]
    pub fail_on: Vec<FailOn>,

    /// Set how many pipe ends a process may hold before it is an end-hoard (1024 if not given)
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = value::count, allow_negative_numbers = true, help_heading = FINDINGS)]
    pub max_ends: Option<u64>,

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

/// Findings for which the exit status is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// Those of this severity, and worse ones.
    Severity(Severity),
    /// Those with this code.
    Code(Code),
}

impl AuditArgs {
    /// Whether a finding that is reported makes the exit status 1.
    pub(crate) fn fails_on(&self, severity: Severity, code: Code) -> bool {
        let is_such = |fail_on: &FailOn| match fail_on {
            FailOn::Severity(lowest) => severity.is_at_least(*lowest),
            FailOn::Code(wanted) => code == *wanted,
        };
        if self.fail_on.is_empty() { severity.is_at_least(Severity::Warning) } else { self.fail_on.iter().any(is_such) }
    }

    /// Why nothing would be checked, if `--only` and `--ignore` leave no code.
    pub(super) fn selects_no_code(&self) -> Option<String> {
        self.findings.selects_no_code(Code::ALL)
    }

    /// The format, where `--json` is not given.
    pub(super) const fn format(&self) -> Format {
        if self.metrics {
            Format::Metrics
        } else if self.findings.ndjson {
            Format::Ndjson
        } else {
            Format::Text
        }
    }
}
