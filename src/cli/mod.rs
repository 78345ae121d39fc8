//! The command line. clap's types are the options: what `run` takes is made of them. No I/O.

mod audit;
mod command;
pub(crate) mod conflict;
mod findings;
mod habits;
mod output;
mod request;
mod selection;
mod usage;
mod value;
mod version;
mod words;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use self::command::{Command, FdsProcess};
use self::findings::WhyFindingArgs;
use self::output::TableArgs;
use crate::findings::Code;
use crate::render::columns::Column;
use crate::render::{DrawingFormat, Format};
use crate::select::Choice;

pub use self::audit::{AuditArgs, FailOn};
pub use self::findings::FindingArgs;
pub use self::output::{BackendName, Color, OutputOptions, SourceOptions};
pub use self::request::{Action, Comparison, Question, Request};
pub use self::selection::{FilterArgs, KindName, PipeName, SelectionArgs};
pub use self::usage::Refusal;

const SELECTION: &str = "Selection";
const OUTPUT: &str = "Output";
const SOURCE: &str = "Source";
const OTHER: &str = "Other";

/// List pipes and FIFOs, and the processes on both their ends.
///
/// Each row is a pipe. Its readers and writers are written PID,COMMAND,FDmode: `252,grep,0r` is descriptor 0 of process 252,
/// open for reading. `-` means that no process holds such an end, `?` that a process that could not be read may hold one, and
/// `hidden` that the kernel counts an end that is in no fd table.
#[derive(Debug, Parser)]
#[command(name = "lspipe", version, long_version = version::long_version(), propagate_version = true, args_override_self = true, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
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
  lspipe why --only deadlock    report only deadlocks
  lspipe audit                  check all pipes for problems
  lspipe --probe -p 252         show how much data its pipes hold, and whether they have hidden ends
  lspipe graph -p 252           draw where its data comes from and where it goes
  lspipe fds 252                list all descriptors of process 252, and the peers of its pipes
  lspipe --csv -o PID,COMMAND,FD,PIPE > ends.csv
                                save these columns for a spreadsheet
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
    /// Usage errors; also what asks for a help or the version.
    pub fn from_command_line() -> Result<Self, Refusal> {
        Self::parsed(std::env::args_os().collect())
    }

    fn parsed(typed: Vec<OsString>) -> Result<Self, Refusal> {
        let mut command = Self::command();
        command.build();
        let mut words = words::tidied(&command, &typed);
        let (mut cli, matches) = loop {
            let matches = command.try_get_matches_from_mut(&words);
            match matches.and_then(|matches| Ok((Self::from_arg_matches(&matches)?, matches))) {
                Ok(parsed) => break parsed,
                Err(error) if error.kind() == ErrorKind::DisplayVersion => {
                    // Under the name of the program, also after a subcommand.
                    let is_long = error.to_string().trim_end().ends_with(version::long_version());
                    let text = if is_long { command.render_long_version() } else { command.render_version() };
                    return Err(Refusal::Text(text.into()));
                }
                Err(error) if !error.use_stderr() => return Err(Refusal::Text(error.render())),
                Err(error) if usage::without_harmless(&error, &mut words) => {}
                Err(error) => return Err(Refusal::Usage(usage::message(&error, &command, &words))),
            }
        };
        if let Some(Command::Help { topic }) = &cli.command {
            let topic = topic.clone().unwrap_or_default();
            return cli.help(&topic, &command, typed);
        }
        cli.contradiction(&command, &matches).map_or(Ok(()), |problem| Err(Refusal::Usage(problem)))?;
        let usual = std::env::var_os(BackendName::VARIABLE).filter(|usual| !usual.is_empty());
        if let Some(usual) = usual.filter(|_| cli.may_choose_backend() && !is_given("backend", &matches)) {
            let usual = usual.to_string_lossy();
            let wrong = |_| {
                let variable = BackendName::VARIABLE;
                Refusal::Usage(format!("invalid value '{usual}' of {variable}: it is none of auto, proc, bpf"))
            };
            cli.source.backend = BackendName::from_str(&usual, false).map_err(wrong)?;
        }
        Ok(cli)
    }

    /// The help of a command; the explanation of a finding is left to [`into_action`](Self::into_action).
    fn help(self, topic: &str, command: &clap::Command, typed: Vec<OsString>) -> Result<Self, Refusal> {
        if topic.is_empty() || command.find_subcommand(topic).is_some() {
            let words = typed.into_iter().take(1).chain((!topic.is_empty()).then(|| topic.into()));
            return Self::parsed(words.chain(["--help".into()]).collect());
        }
        if topic.parse::<Code>().is_ok() {
            return Ok(self);
        }
        let similar = Self::similar_command(topic).map(|known| format!("; did you mean `lspipe help {known}`?"));
        let hint = similar.unwrap_or_else(|| "; try 'lspipe help'".to_owned());
        Err(Refusal::Usage(format!("no command and no finding {topic:?}{hint}")))
    }

    /// Whether there is more than one: of a saved report and of another proc there is not.
    fn may_choose_backend(&self) -> bool {
        let SourceOptions { from, proc, .. } = &self.source;
        let looks = self.generate.is_none() && !matches!(self.command, Some(Command::Diff(_)));
        looks && from.is_none() && *proc == SourceOptions::default().proc
    }

    /// What makes no sense together, as the message.
    fn contradiction(&self, command: &clap::Command, matches: &clap::ArgMatches) -> Option<String> {
        if let Some((one, other)) = conflict::given_together(command, matches).or_else(|| self.conflicting_values()) {
            return Some(format!("the argument '{one}' cannot be used with '{other}'"));
        }
        match &self.command {
            Some(Command::Diff(Comparison { old, new })) if old.is_stdin() && new.is_stdin() => {
                Some("only one of OLD and NEW can be standard input".to_owned())
            }
            Some(Command::Fds { table, .. }) if table.list_columns => None,
            Some(Command::Fds { processes, filter, .. }) => {
                let pids = processes.iter().filter(|process| matches!(process, FdsProcess::Pid(_))).count();
                if processes.is_empty() && !filter.names_processes() {
                    Some("fds needs a process: give a PID, --pid, --command or --user".to_owned())
                } else {
                    let is_mixed = pids > 0 && pids < processes.len();
                    is_mixed.then(|| "give PIDs or names of commands, not both".to_owned())
                }
            }
            Some(Command::Audit(audit)) => audit.selects_no_code(),
            Some(Command::Why { findings, .. }) => findings.selects_no_code(),
            _ => None,
        }
    }

    /// Arguments that exclude each other only with certain values; the others are in [`conflict`].
    fn conflicting_values(&self) -> Option<(String, String)> {
        let (one, other) = match &self.command {
            _ if self.source.backend == BackendName::Bpf && !self.may_choose_backend() => {
                ("--backend bpf", "--proc <DIR>")
            }
            Some(Command::Graph { format: Some(format), .. }) if self.output.json && *format != DrawingFormat::Json => {
                ("--json", "--format <FORM>")
            }
            _ => return None,
        };
        Some((one.to_owned(), other.to_owned()))
    }

    /// The subcommand that a misspelled word most likely stands for.
    fn similar_command(word: &str) -> Option<String> {
        let command = Self::command();
        let names = command.get_subcommands().map(clap::Command::get_name);
        let similar =
            names.map(|name| (strsim::damerau_levenshtein(name, word), name)).filter(|(steps, _)| *steps <= 1);
        similar.min().map(|(_, name)| name.to_owned())
    }

    /// That nothing exists at a path that was given as PIPE, if it seems to be a word that was meant otherwise.
    #[must_use]
    pub fn no_such_word(question: &Question, path: &str) -> Option<String> {
        let (name, is_report) = (question.command(), matches!(question, Question::Pipes(_)));
        let is_command = Self::command().find_subcommand(path).is_some();
        let Some(similar) = Self::similar_command(path) else { return Self::no_such_name(question, path) };
        Some(match similar {
            help if help == "help" && is_command => format!("no such pipe or FIFO: {path:?}; for help: {name} --help"),
            known if is_report && is_command => {
                format!("no such pipe or FIFO: {path:?}; the command comes first: lspipe {known}")
            }
            known if is_report => format!("no such pipe, FIFO or command: {path:?}; did you mean `lspipe {known}`?"),
            _ if is_command => format!("no such pipe or FIFO: {path:?}"),
            _ => return Self::no_such_name(question, path),
        })
    }

    /// That there is no pipe of a word that may be the name of a process.
    fn no_such_name(question: &Question, path: &str) -> Option<String> {
        // Nothing of it means anything in a shell, nor to --command.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let is_name = !path.starts_with(['-', '.']) && path.bytes().all(is_plain);
        let name = if matches!(question, Question::Pipes(_)) { "lspipe why" } else { question.command() };
        is_name.then(|| {
            format!("no such pipe or FIFO: {path:?}; for processes of this name: {name} -c {path}; {}", value::FORMS)
        })
    }

    /// What the command line asks for.
    #[must_use]
    pub fn into_action(self) -> Action {
        let Self { command, selection, table, output, source, generate } = self;
        if let Some(kind) = generate {
            return Action::Generate(kind);
        }
        let mut of_why = FindingArgs::default();
        let (question, format, probe) = match command {
            None if table.list_columns => return Action::ListColumns(Column::is_selectable, output),
            Some(Command::Fds { table, .. }) if table.list_columns => return Action::ListColumns(|_| true, output),
            None => (Question::Pipes(selection), output.json_or(table.format(&output)), table.probe),
            Some(Command::Help { topic }) => {
                return Action::Explain(topic.and_then(|topic| topic.parse().ok()), output);
            }
            Some(Command::Why { findings: WhyFindingArgs(FindingArgs { explain: Some(code), .. }), .. }) => {
                return Action::Explain(code, output);
            }
            Some(Command::Why { selection, findings: WhyFindingArgs(findings), probe }) => {
                of_why = findings;
                let format = if of_why.ndjson { Format::Ndjson } else { Format::Text };
                (Question::Why(selection), output.json_or(format), probe)
            }
            Some(Command::Graph { selection, format }) => {
                let format = if output.json { DrawingFormat::Json } else { format.unwrap_or_default() };
                (Question::Graph(selection), Format::Drawing(format), false)
            }
            Some(Command::Diff(comparison)) => return Action::Compare(comparison, output),
            Some(Command::Audit(AuditArgs { findings: FindingArgs { explain: Some(code), .. }, .. })) => {
                return Action::Explain(code, output);
            }
            Some(Command::Audit(audit)) => {
                let (format, probe) = (output.json_or(audit.format()), audit.probe);
                (Question::Audit(audit), format, probe)
            }
            Some(Command::Fds { processes, mut filter, table }) => {
                for process in processes {
                    match process {
                        FdsProcess::Pid(pid) => filter.pids.push(Choice::Only(pid)),
                        FdsProcess::Command(command) => filter.commands.push(Choice::Only(command)),
                    }
                }
                (Question::Tables(filter), output.json_or(table.format(&output)), false)
            }
        };
        Action::Report(Box::new(Request { source, question, findings: of_why, format, probe, output }))
    }
}

/// Whether an option that all commands share is on the command line.
fn is_given(id: &str, matches: &clap::ArgMatches) -> bool {
    let of_command = matches.subcommand().map(|(_, of_command)| of_command);
    std::iter::once(matches).chain(of_command).any(|matches| matches.value_source(id) == Some(ValueSource::CommandLine))
}
