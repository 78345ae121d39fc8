//! The options that choose findings, which `why` and `audit` have in common.

use std::sync::LazyLock;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Id, ValueHint};

use super::{OUTPUT, value};
use crate::findings::{Code, ReportedBy};
use crate::model::Severity;

/// The heading of these options.
pub(super) const FINDINGS: &str = "Findings";

/// The codes that `why` reports.
static OF_WHY: LazyLock<Vec<Code>> =
    LazyLock::new(|| Code::ALL.iter().copied().filter(|code| code.about().reported_by == ReportedBy::Why).collect());

/// Which findings are reported, and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = FINDINGS)]
pub struct FindingArgs {
    /// Report only findings with these codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', ignore_case = true, value_parser = value::word(&Code::ALL, Code::as_str), action = ArgAction::Append)]
    pub only: Vec<Code>,

    /// Suppress findings with these codes
    #[arg(long, value_name = "CODE", value_delimiter = ',', ignore_case = true, value_parser = value::word(&Code::ALL, Code::as_str), hide_possible_values = true, action = ArgAction::Append)]
    pub ignore: Vec<Code>,

    /// Report only findings of this severity or higher
    ///
    /// With `info`, or with --only, the text shows each finding in full; otherwise, it shortens findings of severity info.
    #[arg(long, value_name = "SEVERITY", ignore_case = true, value_parser = value::severity())]
    pub severity: Option<Severity>,

    /// Report only findings that still hold after this pause
    ///
    /// Scans twice. A finding is reported only if both scans show it for the same threads, in the same wait. If only other processes
    /// could end that wait, the threads must also not have run in between. Other holders of an end, such as the children of a shell,
    /// may come and go.
    #[arg(long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = value::seconds, allow_negative_numbers = true)]
    pub confirm: Option<Duration>,

    /// Explain what this finding means, how it is detected and what to do, without a scan; without CODE, list all codes
    #[arg(long, value_name = "CODE", num_args = 0..=1, ignore_case = true, value_parser = value::word(&Code::ALL, Code::as_str), hide_possible_values = true, exclusive = true)]
    pub explain: Option<Option<Code>>,

    /// Print one line of JSON for each finding, and a summary line
    #[arg(long, help_heading = OUTPUT)]
    pub ndjson: bool,
}

impl FindingArgs {
    pub(crate) fn wants(&self, code: Code) -> bool {
        (self.only.is_empty() || self.only.contains(&code)) && !self.ignore.contains(&code)
    }

    /// The lowest severity that is reported.
    pub(crate) fn lowest(&self) -> Severity {
        self.severity.unwrap_or(Severity::Info)
    }

    /// Whether the text has each finding in full, those of severity info, too.
    pub(crate) fn each(&self) -> bool {
        self.severity == Some(Severity::Info) || !self.only.is_empty()
    }

    /// Whether any finding may be left out.
    pub(crate) fn is_filter(&self) -> bool {
        !self.only.is_empty() || !self.ignore.is_empty() || self.lowest() != Severity::Info
    }

    /// Why nothing would be checked, if `--only` and `--ignore` leave no code.
    pub(super) fn selects_no_code(&self, codes: &[Code]) -> Option<String> {
        let excluded = if self.only.is_empty() { "every code" } else { "every code of '--only <CODE>'" };
        let is_empty = !codes.iter().any(|code| self.wants(*code));
        is_empty.then(|| {
            format!("'--ignore <CODE>' excludes {excluded}, so nothing would be checked: drop '--ignore <CODE>' or one of its codes")
        })
    }
}

/// The same for `why`, which reports fewer codes.
#[derive(Debug, Clone, Default)]
pub(super) struct WhyFindingArgs(pub(super) FindingArgs);

impl WhyFindingArgs {
    pub(super) fn selects_no_code(&self) -> Option<String> {
        self.0.selects_no_code(&OF_WHY)
    }
}

impl FromArgMatches for WhyFindingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        FindingArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Args for WhyFindingArgs {
    fn group_id() -> Option<Id> {
        FindingArgs::group_id()
    }

    fn augment_args(command: Command) -> Command {
        of_why(FindingArgs::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        of_why(FindingArgs::augment_args_for_update(command))
    }
}

fn of_why(command: Command) -> Command {
    let codes = |arg: Arg| arg.value_parser(value::word(&OF_WHY, Code::as_str));
    ["only", "ignore", "explain"].into_iter().fold(command, |command, id| command.mut_arg(id, codes))
}
