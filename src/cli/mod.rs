//! The command line. clap's types are the options: what `run` takes is made of them. No I/O.

mod audit;
mod command;
pub(crate) mod conflict;
mod output;
mod request;
mod selection;
mod value;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use self::command::Command;
use self::output::TableArgs;
use crate::render::{DrawingFormat, Format};

pub use self::audit::AuditArgs;
pub use self::output::{Color, OutputOptions, SourceOptions};
pub use self::request::{Action, Comparison, Question, Request};
pub use self::selection::{PipeName, SelectionArgs};

const SELECTION: &str = "Selection";
const OUTPUT: &str = "Output";
const SOURCE: &str = "Source";
const OTHER: &str = "Other";

/// List pipes and FIFOs, and the processes on both their ends.
///
/// Each row is a pipe. Its readers and writers are written PID,COMMAND,FDmode: `252,grep,0r` is descriptor 0 of process 252,
/// open for reading. `-` means that no process holds such an end, `?` that a process that could not be read may hold one, and
/// `hidden`, with --probe, that an end exists that is in no fd table.
#[derive(Debug, Parser)]
#[command(name = "lspipe", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    table: TableArgs,

    #[command(flatten)]
    output: OutputOptions,

    #[command(flatten)]
    source: SourceOptions,

    /// Print the man page, a shell completion or the JSON schema
    #[arg(long, value_name = "KIND", exclusive = true, help_heading = OTHER)]
    generate: Option<Generate>,
}

const AFTER_HELP: &str = "\
Options are combined with AND, several values of one option with OR. For more, see lspipe --help and man lspipe.";

const AFTER_LONG_HELP: &str = "\
Examples:
  lspipe                        list all pipes and the processes on their ends
  lspipe -p 252                 list the pipes of process 252 and the processes on their other ends
  lspipe -c grep -c sort        list the pipes of these commands
  lspipe --no-writer            list pipes without a writer, whose readers see EOF
  lspipe /run/my.fifo           list the processes that have this FIFO open
  lspipe -t --writers PIPE      print the PIDs that keep the readers of PIPE from seeing EOF
  lspipe -e | grep O_NONBLOCK   print one line for each end
  lspipe -J | jq '.pipes[]'     print everything as JSON
  lspipe why                    explain what is blocked on pipes and what would unblock it
  lspipe why -p 252             explain what process 252 is waiting for
  lspipe audit                  check all pipes for problems
  lspipe --probe -p 252         show how much data its pipes hold, and whether they have hidden ends
  lspipe graph -p 252           draw where its data comes from and where it goes
  lspipe fds 252                list all descriptors of process 252, and the peers of its pipes
  lspipe why -J > hang.json     save a report, for example for lspipe why -p 252 --from hang.json
  lspipe diff OLD NEW           compare two saved reports

Exit status:
  0  the report was written (why, audit: no warning and no error was found; diff: nothing differs)
  1  a selection was given and nothing matched (why, audit: a warning or an error was found; diff: the reports differ)
  2  usage error, or the report could not be made or written; with --require-complete, also an incomplete scan";

/// What `--generate` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// The man page, in roff
    Man,
    /// Completions for bash
    CompleteBash,
    /// Completions for zsh
    CompleteZsh,
    /// Completions for fish
    CompleteFish,
    /// The JSON Schema of --json
    Schema,
}

impl Cli {
    /// Parses the command line of this process.
    ///
    /// # Errors
    ///
    /// Usage errors; also help and version, which clap returns as errors to be printed.
    pub fn from_command_line() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let cli = Self::from_arg_matches(&matches)?;
        match misplaced(&command, &matches).or_else(|| cli.contradiction(&command, &matches)) {
            Some(problem) => Err(command.error(ErrorKind::ArgumentConflict, problem + "\n")),
            None => Ok(cli),
        }
    }

    /// What makes no sense together, as the message.
    fn contradiction(&self, command: &clap::Command, matches: &clap::ArgMatches) -> Option<String> {
        // A saved report may contain what --probe learned.
        if self.source.from.is_none()
            && let Some(column) = self.table.column_without_probe()
        {
            return Some(format!("the column {} is known only to the kernel: add --probe", column.heading()));
        }
        if let Some((one, other)) = conflict::given_together(command, matches).or_else(|| self.conflicting_values()) {
            return Some(format!("the argument '{one}' cannot be used with '{other}'"));
        }
        match &self.command {
            Some(Command::Audit(audit)) => audit.selects_no_code(),
            _ => None,
        }
    }

    /// Arguments that exclude each other only with certain values; the others are in [`conflict`].
    fn conflicting_values(&self) -> Option<(String, String)> {
        let (one, other) = match &self.command {
            Some(Command::Diff(Comparison { old, new })) if old.is_stdin() && new.is_stdin() => ("-", "-"),
            Some(Command::Graph { format: Some(format), .. }) if self.output.json && *format != DrawingFormat::Json => {
                ("--json", "--format <FORM>")
            }
            _ => return None,
        };
        Some((one.to_owned(), other.to_owned()))
    }

    /// The subcommand that a misspelled word most likely stands for.
    #[must_use]
    pub fn similar_command(word: &str) -> Option<String> {
        if word == "help" {
            return Some("--help".to_owned());
        }
        let command = Self::command();
        let names = command.get_subcommands().map(clap::Command::get_name);
        let similar =
            names.map(|name| (strsim::damerau_levenshtein(name, word), name)).filter(|(steps, _)| *steps <= 1);
        similar.min().map(|(_, name)| name.to_owned())
    }

    /// What the command line asks for.
    #[must_use]
    pub fn into_action(self) -> Action {
        let Self { command, selection, table, output, source, generate } = self;
        if let Some(kind) = generate {
            return Action::Generate(kind);
        }
        let (question, format, probe) = match command {
            None if table.list_columns => return Action::ListColumns,
            None => (Question::Pipes(selection), output.json_or(table.format(&output)), table.probe),
            Some(Command::Why { selection, probe }) => (Question::Why(selection), output.json_or(Format::Text), probe),
            Some(Command::Graph { selection, format }) => {
                let format = if output.json { DrawingFormat::Json } else { format.unwrap_or_default() };
                (Question::Graph(selection), Format::Drawing(format), false)
            }
            Some(Command::Diff(comparison)) => return Action::Compare(comparison, output),
            Some(Command::Audit(AuditArgs { explain: Some(code), .. })) => return Action::Explain(code),
            Some(Command::Audit(audit)) => {
                let (format, probe) = (output.json_or(audit.format()), audit.probe);
                (Question::Audit(audit), format, probe)
            }
            Some(Command::Fds { pids }) => {
                (Question::Tables(pids), output.json_or(Format::Tables { headings: !output.noheadings }), false)
            }
        };
        Action::Report(Box::new(Request { source, question, format, probe, output }))
    }
}

/// The first option of the report that stands before a subcommand, as the message.
fn misplaced(command: &clap::Command, matches: &clap::ArgMatches) -> Option<String> {
    let name = matches.subcommand_name()?;
    let given = |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let arg = command.get_arguments().filter(|arg| !arg.is_global_set()).find(given)?;
    let mut theirs = command.find_subcommand(name)?.get_arguments();
    Some(if theirs.any(|their| their.get_id() == arg.get_id()) {
        format!("the argument '{arg}' must come after '{name}'")
    } else {
        format!("the argument '{arg}' cannot be used with '{name}'")
    })
}
