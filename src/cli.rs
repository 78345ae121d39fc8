//! The command line: clap's types, and their way to [`Options`]. No I/O.

mod value;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};

use self::value::{Columns, Commands};
use crate::model::{Pid, PipeKind, Side};
use crate::options::{Color, Options, PipeName, Question, Wanted};
use crate::render::columns::{Column, Subject};
use crate::render::{Format, TableFormat};

/// The columns of the default table.
const PIPE_COLUMNS: [Column; 5] = [Column::Pipe, Column::Kind, Column::Readers, Column::Writers, Column::Name];

/// The columns of `--endpoints`.
const END_COLUMNS: [Column; 11] = [
    Column::Pid,
    Column::Tid,
    Column::User,
    Column::Command,
    Column::Fd,
    Column::Mode,
    Column::Flags,
    Column::Pipe,
    Column::Kind,
    Column::Ends,
    Column::Name,
];

/// What `--probe` adds to either, before the name, which may be long.
const PROBE_COLUMNS: [Column; 2] = [Column::Queued, Column::Capacity];

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
  lspipe --probe -p 252         what is in its pipes, and who holds ends that no table shows
  lspipe fds 252                what `ls -l /proc/252/fd` should have been

Exit status:
  0  the report was written (for why: nothing worse than an info)
  1  a selection was given, and nothing matched (for why: a warning or an error)
  2  usage error, or the report could not be made or written; with --require-complete also an incomplete scan";

const WHY_HELP: &str = "\
Exit status: 0 if nothing is wrong, 1 if something was found that is a warning or an error, 2 for a usage error or where it could \
not be found out.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what blocks on pipes, who could end it, and what nobody will end
    ///
    /// Looks at what every thread waits for, and tells of deadlocks, of readers that get no end of file since somebody still holds the
    /// write end, of full pipes that nobody reads, and of FIFOs that nobody opens from the other side. With a selection, also the
    /// whole chain from who waits to whoever is awake at its end.
    #[command(max_term_width = 100, after_help = WHY_HELP)]
    Why {
        /// Only what has to do with these pipes
        #[arg(value_name = "PIPE", long_help = PIPE_FORMS, value_hint = ValueHint::FilePath)]
        pipes: Vec<OsString>,

        #[command(flatten)]
        selection: SelectionArgs,

        /// Ask the kernel too: how much is in the pipes, and whether their other sides exist
        ///
        /// As with `lspipe --probe`. It proves that nobody is on a side, where processes could not be read, and finds ends that no fd
        /// table shows.
        #[arg(long, help_heading = OUTPUT)]
        probe: bool,
    },
    /// Show the whole fd table of processes, pipes with their other ends
    #[command(max_term_width = 100)]
    Fds {
        /// The processes
        #[arg(value_name = "PID", required = true, value_delimiter = ',', value_hint = ValueHint::Other, value_parser = value::pid, allow_negative_numbers = true)]
        pids: Vec<Pid>,
    },
}

#[derive(Debug, Args)]
#[command(next_help_heading = SELECTION)]
struct SelectionArgs {
    /// Pipes that these processes hold an end of
    #[arg(short, long, value_name = "PID", value_hint = ValueHint::Other, value_delimiter = ',', value_parser = value::pid, allow_negative_numbers = true, action = ArgAction::Append)]
    pid: Vec<Pid>,

    /// With --pid: its children, their children and so on too
    #[arg(long, requires = "pid")]
    descendants: bool,

    /// Pipes that commands of this name, or matching this /REGEX/, hold an end of
    #[arg(short, long, value_name = "NAME", value_hint = ValueHint::Other, value_parser = value::commands, action = ArgAction::Append)]
    command: Vec<Commands>,

    /// Pipes that processes of this user, by name or number, hold an end of
    #[arg(short, long, value_name = "USER", value_delimiter = ',', value_hint = ValueHint::Username, action = ArgAction::Append)]
    user: Vec<String>,

    /// Pipes of this kind
    #[arg(short, long, value_name = "KIND", value_delimiter = ',', value_parser = value::kinds(), action = ArgAction::Append)]
    kind: Vec<PipeKind>,

    /// Pipes that nobody was seen to read
    #[arg(long)]
    no_reader: bool,

    /// Pipes that nobody was seen to write
    #[arg(long)]
    no_writer: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
struct OutputArgs {
    /// Print a row for each end, made for grep and awk
    #[arg(short, long, conflicts_with_all = ["json", "ndjson", "terse"])]
    endpoints: bool,

    /// Show these columns, or with a + these more; see --list-columns
    ///
    /// A column of an end, which are those from PID on in that list, makes a row for each end.
    #[arg(short, long, value_name = "COLUMNS", value_hint = ValueHint::Other, value_parser = value::columns, allow_hyphen_values = true, action = ArgAction::Append, conflicts_with_all = ["json", "ndjson", "terse"])]
    output: Vec<Columns>,

    /// List the columns that --output knows
    #[arg(short = 'H', long)]
    list_columns: bool,

    /// Print a line of JSON for each pipe, complete in itself
    #[arg(long, conflicts_with_all = ["json", "terse"])]
    ndjson: bool,

    /// Print only the PIDs of all that hold an end, one per line
    #[arg(short, long, conflicts_with = "json")]
    terse: bool,

    /// Ask the kernel what is in the pipes, and whether hidden ends exist
    ///
    /// Adds the columns QUEUED and CAPACITY. Takes a duplicate of an end of each pipe that is shown, for microseconds.
    #[arg(long, conflicts_with = "terse")]
    probe: bool,

    /// With --terse: only those that read
    #[arg(long, requires = "terse")]
    readers: bool,

    /// With --terse: only those that write
    #[arg(long, requires = "terse")]
    writers: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = OUTPUT)]
struct SharedArgs {
    /// Print one JSON object
    #[arg(short = 'J', long, global = true)]
    json: bool,

    /// Omit the headings
    #[arg(short, long, global = true)]
    noheadings: bool,

    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: When,

    /// Repeat the report, with this pause
    #[arg(short, long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = value::seconds, allow_negative_numbers = true, global = true)]
    repeat: Option<Duration>,

    /// Show numeric user IDs (looking up names can block)
    #[arg(short = 'l', long, global = true)]
    numeric_uid: bool,

    /// Print no notes on stderr
    #[arg(short, long, global = true)]
    quiet: bool,

    /// Fail with status 2 if anything could not be read
    #[arg(long, global = true)]
    require_complete: bool,

    /// Read another proc file system, or a directory tree like one
    #[arg(long, value_name = "DIR", default_value = "/proc", value_hint = ValueHint::DirPath, global = true, help_heading = SOURCE)]
    proc: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Even into a pipe or file
    Always,
    /// Not at all
    Never,
}

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
        let own = command.get_arguments().filter(|arg| !arg.is_global_set()).find(given).map(ToString::to_string);
        match (matches.subcommand_name(), own) {
            (Some(name), Some(arg)) => {
                let message = format!("the argument '{arg}' cannot be used with '{name}'\n");
                Err(command.error(ErrorKind::ArgumentConflict, message))
            }
            _ => {
                let cli = Self::from_arg_matches(&matches)?;
                match cli.output.unasked() {
                    Some(column) => {
                        let message = format!("only the kernel knows the column {}: add --probe\n", column.heading());
                        Err(command.error(ErrorKind::MissingRequiredArgument, message))
                    }
                    None => Ok(cli),
                }
            }
        }
    }

    /// Whether only the columns are to be listed.
    #[must_use]
    pub fn lists_columns(&self) -> bool {
        self.output.list_columns
    }

    /// What was asked for.
    #[must_use]
    pub fn into_options(self) -> Options {
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
            None => {
                let format = format(&output, &shared);
                (Question::Pipes(selection.wanted(&pipes)), format)
            }
        };
        Options {
            proc_root: shared.proc,
            question,
            format,
            color: match shared.color {
                When::Auto => Color::Auto,
                When::Always => Color::Always,
                When::Never => Color::Never,
            },
            repeat: shared.repeat,
            numeric_uid: shared.numeric_uid,
            quiet: shared.quiet,
            require_complete: shared.require_complete,
            probe: output.probe,
        }
    }
}

impl OutputArgs {
    /// A column that shows what only `--probe` learns, without it.
    fn unasked(&self) -> Option<Column> {
        let mut named = self.output.iter().flat_map(|columns| &columns.columns);
        named.find(|column| column.needs_probe() && !self.probe).copied()
    }
}

impl SelectionArgs {
    fn wanted(self, pipes: &[OsString]) -> Wanted {
        Wanted {
            pids: self.pid,
            descendants: self.descendants,
            commands: self.command.into_iter().flat_map(|commands| commands.0).collect(),
            users: self.user,
            kinds: self.kind,
            no_reader: self.no_reader,
            no_writer: self.no_writer,
            pipes: pipes.iter().map(|pipe| PipeName::from(pipe.as_os_str())).collect(),
        }
    }
}

fn format(output: &OutputArgs, shared: &SharedArgs) -> Format {
    if shared.json {
        return Format::Json;
    }
    if output.ndjson {
        return Format::Ndjson;
    }
    if output.terse {
        let both = output.readers == output.writers;
        let sides = [(Side::Read, output.readers || both), (Side::Write, output.writers || both)];
        return Format::Terse(sides.into_iter().filter(|(_, wanted)| *wanted).map(|(side, _)| side).collect());
    }
    // A column of an end needs a row for each end, also where nobody said so.
    let named = || output.output.iter().flat_map(|columns| &columns.columns);
    let of_ends = output.endpoints || named().any(|column| column.subject() == Subject::End);
    let usual = |columns: &[Column]| {
        let mut columns = columns.to_vec();
        // NAME is the last of both.
        let place = columns.len().saturating_sub(1);
        columns.splice(place..place, PROBE_COLUMNS.into_iter().filter(|_| output.probe));
        columns
    };
    let mut columns: Vec<Column> = if output.output.iter().any(|columns| !columns.append) {
        Vec::new()
    } else if of_ends {
        usual(&END_COLUMNS)
    } else {
        usual(&PIPE_COLUMNS)
    };
    for column in named() {
        if !columns.contains(column) {
            columns.push(*column);
        }
    }
    let table = TableFormat { columns, headings: !shared.noheadings };
    if of_ends { Format::Ends(table) } else { Format::Pipes(table) }
}
