//! The command line: clap's types, and their way to a [`Request`]. No I/O.

mod audit;
mod command;
mod graph;
mod output;
mod selection;
mod value;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum, ValueHint};

use self::command::Command;
use self::output::{OutputArgs, SharedArgs, format};
use self::selection::SelectionArgs;
use crate::findings::Code;
use crate::options::{Comparison, Options, Question, Request, Source};
use crate::render::Format;
use crate::report_file::ReportFile;

/// Where the kernel shows the processes of this machine.
const PROC_ROOT: &str = "/proc";

const SELECTION: &str = "Selection";
const OUTPUT: &str = "Output";
const SOURCE: &str = "Source";
const OTHER: &str = "Other";

/// List pipes and FIFOs, and the processes on both their ends.
///
/// Each row is a pipe, with its readers and writers as PID,COMMAND,FDmode: `252,grep,0r` is descriptor 0 of process 252,
/// open for reading. `-` means that no process has such an end, `?` that a process which could not be read may have one, and
/// `hidden`, with --probe, that the kernel knows of one that no fd table shows.
#[derive(Debug, Parser)]
#[command(name = "lspipe", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Show only these pipes
    #[arg(value_name = "PIPE", long_help = PIPE_FORMS, value_hint = ValueHint::FilePath)]
    pipes: Vec<OsString>,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    shared: SharedArgs,

    /// Print a man page, a shell completion or the JSON schema
    #[arg(long, value_name = "KIND", exclusive = true, help_heading = OTHER)]
    pub generate: Option<Generate>,
}

const PIPE_FORMS: &str = "\
Show only these pipes

A PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], a bare inode number, the path of a FIFO (any of its names), or /proc/PID/fd/N.";

const AFTER_HELP: &str = "Different selections narrow, several values of one widen. More: lspipe --help, man lspipe.";

const AFTER_LONG_HELP: &str = "\
Examples:
  lspipe                        every pipe, and who is on each end
  lspipe -p 252                 the pipes of process 252, with the processes on their other ends
  lspipe -c grep -c sort        the pipes of these commands
  lspipe --no-writer            pipes whose readers get end of file
  lspipe /run/my.fifo           who has this FIFO open
  lspipe -t --writers PIPE      the PIDs that keep a reader of PIPE from end of file
  lspipe -e | grep O_NONBLOCK   one line for each end
  lspipe -J | jq '.pipes[]'     everything, for machines
  lspipe why                    what hangs on this machine, and what would end it
  lspipe why -p 252             what process 252 waits for, down to whoever is awake at the end
  lspipe audit                  what is wrong though nothing hangs, too; for timers, see lspipe audit --help
  lspipe --probe -p 252         what is in its pipes, and who holds ends that no table shows
  lspipe graph -p 252           where its data come from and go to, drawn
  lspipe fds 252                what `ls -l /proc/252/fd` should have been
  lspipe why -J > hang.json     save what hangs, and ask later: lspipe why -p 252 --from hang.json
  lspipe diff OLD NEW           which pipes and ends came, went or changed between two saved reports

Exit status:
  0  the report was written (for why and audit: nothing worse than an info; for diff: nothing differs)
  1  a selection was given, and nothing matched (for why and audit: a warning or an error; for diff: a difference)
  2  usage error, or the report could not be made or written; with --require-complete also an incomplete scan";

/// What `--generate` makes.
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
    /// Reads the command line of this process.
    ///
    /// # Errors
    ///
    /// For help and version too: it is clap's way to say what to print.
    pub fn from_command_line() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let given = |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
        let own = command.get_arguments().filter(|arg| !arg.is_global_set()).find(given);
        match (matches.subcommand_name(), own) {
            (Some(name), Some(arg)) => {
                let theirs = command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
                let message = if theirs.map(clap::Arg::get_id).any(|id| id == arg.get_id()) {
                    format!("the argument '{arg}' belongs behind '{name}'\n")
                } else {
                    format!("the argument '{arg}' cannot be used with '{name}'\n")
                };
                Err(command.error(ErrorKind::ArgumentConflict, message))
            }
            _ => {
                let cli = Self::from_arg_matches(&matches)?;
                // A report may have been saved with --probe.
                if cli.shared.from.is_none()
                    && let Some(column) = cli.output.unasked()
                {
                    let message = format!("only the kernel knows the column {}: add --probe\n", column.heading());
                    return Err(command.error(ErrorKind::MissingRequiredArgument, message));
                }
                if let Some((one, other)) = cli.conflict() {
                    let message = format!("the argument '{one}' cannot be used with '{other}'\n");
                    return Err(command.error(ErrorKind::ArgumentConflict, message));
                }
                Ok(cli)
            }
        }
    }

    /// The subcommand that a word is most likely to stand for, if it looks like one.
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

    /// Whether only the columns are to be listed.
    #[must_use]
    pub fn lists_columns(&self) -> bool {
        self.output.list_columns
    }

    /// The finding that is to be explained, if that is all that was asked for.
    #[must_use]
    pub const fn explains(&self) -> Option<Code> {
        match &self.command {
            Some(Command::Audit(audit)) => audit.explain,
            _ => None,
        }
    }

    /// Two options that exclude each other, wherever they stand: those that all commands share may stand before or behind one.
    fn conflict(&self) -> Option<(&'static str, &'static str)> {
        const FROM: &str = "--from <FILE>";
        const PROC: &str = "--proc <DIR>";
        const REPEAT: &str = "--repeat <SECONDS>";
        let shared = &self.shared;
        let from = shared.from.is_some();
        let probe = match &self.command {
            Some(Command::Why { probe, .. }) => *probe,
            Some(Command::Audit(audit)) => audit.probe,
            _ => self.output.probe,
        };
        let mut pairs = vec![
            (from && shared.proc != Path::new(PROC_ROOT), (FROM, PROC)),
            (from && shared.repeat.is_some(), (FROM, REPEAT)),
            (from && probe, (FROM, "--probe")),
        ];
        if let Some(Command::Diff { old, new }) = &self.command {
            let stdin = Path::new("-");
            pairs.extend([
                (from, (FROM, "diff")),
                (shared.proc != Path::new(PROC_ROOT), (PROC, "diff")),
                (shared.repeat.is_some(), (REPEAT, "diff")),
                (old == stdin && new == stdin, ("-", "-")),
            ]);
        }
        if let Some(Command::Graph(graph)) = &self.command {
            pairs.push((shared.json && graph.is_of_no_json(), ("--json", "--format <FORM>")));
        }
        if let Some(Command::Audit(audit)) = &self.command {
            pairs.extend(audit.conflicts(shared));
        }
        pairs.into_iter().find(|(both, _)| *both).map(|(_, pair)| pair)
    }

    /// What was asked for.
    #[must_use]
    pub fn into_request(self) -> Request {
        let Self { command, pipes, selection, mut output, shared, .. } = self;
        let (question, format) = match command {
            Some(Command::Fds { pids }) => {
                let format = if shared.json { Format::Json } else { Format::Tables { headings: !shared.noheadings } };
                (Question::Tables(pids), format)
            }
            Some(Command::Why { pipes, selection, probe }) => {
                output.probe = probe;
                let format = if shared.json { Format::Json } else { Format::Telling };
                (Question::Why(selection.wanted(&pipes)), format)
            }
            Some(Command::Graph(graph)) => {
                let format = Format::Drawing(graph.form(shared.json));
                (Question::Graph(graph.selection.wanted(&graph.pipes)), format)
            }
            Some(Command::Audit(audit)) => {
                output.probe = audit.probe;
                let format = audit.format(shared.json);
                (Question::Audit(audit.into()), format)
            }
            Some(Command::Diff { old, new }) => {
                return Request::Compare(Comparison {
                    old: ReportFile::named(old),
                    new: ReportFile::named(new),
                    json: shared.json,
                    headings: !shared.noheadings,
                    color: shared.color.into(),
                    numeric_uid: shared.numeric_uid,
                    quiet: shared.quiet,
                    require_complete: shared.require_complete,
                });
            }
            None => {
                let format = format(&output, &shared);
                (Question::Pipes(selection.wanted(&pipes)), format)
            }
        };
        Request::Answer(Box::new(Options {
            source: match shared.from {
                Some(file) => Source::Saved(ReportFile::named(file)),
                None => Source::Proc(shared.proc),
            },
            question,
            format,
            color: shared.color.into(),
            repeat: shared.repeat,
            numeric_uid: shared.numeric_uid,
            quiet: shared.quiet,
            require_complete: shared.require_complete,
            probe: output.probe,
        }))
    }
}
