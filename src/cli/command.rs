//! The subcommands.

use clap::{Arg, Args as _, Subcommand, ValueHint};

use super::findings::WhyFindingArgs;
use super::output::FdsTableArgs;
use super::{AuditArgs, Comparison, FilterArgs, OUTPUT, SelectionArgs, SourceOptions, value};
use crate::model::Pid;
use crate::render::DrawingFormat;
use crate::select::CommandPattern;

const WHY_HELP: &str = "\
Exit status: 0 if no warning and no error was found, 1 if one was found, 2 for a usage error or if the processes could not be examined.";

const GRAPH_HELP: &str = "\
Examples:
  lspipe graph                                 draw all pipelines of this machine
  lspipe graph -p 252                          draw where its data comes from and where it goes
  lspipe graph --format dot | dot -Tsvg > pipes.svg

Exit status: 0 if the drawing was written, 1 if a selection was given and nothing matched, 2 for a usage error or if the drawing \
could not be made or written.";

const DIFF_HELP: &str = "\
Exit status: 0 if the reports do not differ, 1 if they differ, 2 for a usage error or if a report could not be read.";

const AUDIT_HELP: &str = "\
Exit status: 0 if no warning and no error was found, or if a baseline was written; 1 if a warning or an error was found; 2 for a usage \
error, or if the audit could not be made or written.";

const FDS_HELP: &str = "\
Examples:
  lspipe fds 252                               list all descriptors of process 252
  lspipe fds -c postgres -u postgres           list those of all such processes
  lspipe fds -p 252 -k fifo,unix               list those of its FIFOs and UNIX sockets
  lspipe fds 252 -o FD,DETAILS,TARGET          show these columns; for all of them, lspipe fds -H
  lspipe fds 252 --csv > fds.csv               save the list for a spreadsheet

Exit status: 0 if the list was written, 1 if no such process exists, 2 for a usage error or if the descriptors could not be read.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explain what is blocked on pipes and what would unblock it
    ///
    /// Examines what every thread is waiting for. Reports deadlocks, readers that will not see EOF because another process still holds
    /// the write end, full pipes that no process reads, and FIFOs that no process opens from the other side. With a selection, also
    /// shows what each selected process waits for, down to the processes that are not blocked. Without one, notices are one line each.
    #[command(max_term_width = 100, after_help = WHY_HELP)]
    Why {
        #[command(flatten)]
        selection: SelectionArgs,

        #[command(flatten)]
        findings: WhyFindingArgs,

        /// Ask the kernel how much data the pipes hold, and whether their other sides exist
        ///
        /// As with `lspipe --probe`. This proves that a side has no holder even where processes could not be read, and finds ends that
        /// are in no fd table.
        #[arg(long, help_heading = OUTPUT)]
        probe: bool,
    },
    /// Draw pipelines: which process writes to which
    ///
    /// Draws each pipeline from its sources, with branches, joins and cycles, in the direction of the data. Processes that only hold a
    /// copy of an end, such as a shell that holds the output of its children, are listed separately. Blocked processes, and processes
    /// that keep a reader from seeing EOF, are marked. A selection keeps everything that its data comes from or goes to.
    #[command(max_term_width = 100, after_help = GRAPH_HELP)]
    Graph {
        #[command(flatten)]
        selection: SelectionArgs,

        /// Choose the output format (tree if not given); --json is --format json
        #[arg(long, value_name = "FORM", help_heading = OUTPUT)]
        format: Option<DrawingFormat>,
    },
    /// Compare two saved reports and list the pipes and ends that differ
    ///
    /// Reports are saved with --json. A process is the same if it has the same PID and start time. An end has changed if its flags
    /// differ, or if its process now runs another program or as another user. In the table, + marks what is new, - what is gone, ~ what
    /// has changed, and = what is unchanged.
    #[command(max_term_width = 100, after_help = DIFF_HELP, args = refused_by_diff())]
    Diff(Comparison),
    /// Check all pipes for problems
    ///
    /// Reports what `lspipe why` reports, and also risks that block nothing yet: ends shared across users, containers or sessions, FIFOs
    /// open to other users, and limits that are nearly reached. For timers and fleets. With a selection, the scan is the same, and only
    /// findings about what is selected are reported.
    #[command(max_term_width = 100, after_help = AUDIT_HELP)]
    Audit(AuditArgs),
    /// Show all descriptors of processes, and the peers of their pipes
    ///
    /// Each row is a descriptor. DETAILS says what a file without a path is: the protocol, addresses and state of a socket, the path of a UNIX
    /// socket or of its peer, the process of a pidfd, the descriptors that an epoll watches. POLLED says whether the process waits for it.
    /// The processes are given by PID, name, or user. --kind, --no-reader and --no-writer leave the descriptors of such pipes.
    #[command(max_term_width = 100, after_help = FDS_HELP)]
    Fds {
        /// Show the descriptors of these processes: PID, /proc/PID, or the name of a command
        #[arg(value_name = "PID", value_delimiter = ',', value_hint = ValueHint::Other, value_parser = value::fds_process, allow_negative_numbers = true)]
        processes: Vec<FdsProcess>,

        #[command(flatten)]
        filter: FilterArgs,

        #[command(flatten)]
        table: FdsTableArgs,
    },
    /// Print the help of a command, or explain a finding
    #[command(max_term_width = 100)]
    Help {
        /// A command, or the code of a finding
        #[arg(value_name = "COMMAND", value_hint = ValueHint::Other)]
        topic: Option<String>,
    },
}

/// A process of `fds`.
#[derive(Debug, Clone)]
pub(super) enum FdsProcess {
    Pid(Pid),
    Command(CommandPattern),
}

/// The shared options that mean nothing to `diff`, so that its help does not list them.
fn refused_by_diff() -> Vec<Arg> {
    let options = SourceOptions::augment_args(clap::Command::new(""));
    options.get_arguments().map(|arg| arg.clone().hide(true)).collect()
}
