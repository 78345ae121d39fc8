//! The subcommands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Args as _, Subcommand, ValueHint};

use super::audit::AuditArgs;
use super::graph::{GRAPH_HELP, GraphArgs};
use super::output::SharedArgs;
use super::selection::SelectionArgs;
use super::{OUTPUT, PIPE_FORMS, value};
use crate::model::Pid;

const WHY_HELP: &str = "\
Exit status: 0 if nothing is wrong, 1 if something was found that is a warning or an error, 2 for a usage error or where it could \
not be found out.";

const DIFF_HELP: &str = "\
Exit status: 0 if nothing differs, 1 if something does, 2 for a usage error or where a report could not be read.";

const AUDIT_HELP: &str = "\
Exit status: 0 if nothing was found that is a warning or an error, or a baseline was written; 1 if something was; 2 for a usage error, \
or where the audit could not be made or written.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
    /// Draw the pipelines: who writes to whom
    ///
    /// Each pipeline from its sources on, with branches, joins and circles, in the direction of the data. Who only holds a copy of an end,
    /// as a shell does of its children's, is drawn apart; what hangs, and who keeps a reader from end of file, is marked. A selection
    /// keeps all that its data come from and go to.
    #[command(max_term_width = 100, after_help = GRAPH_HELP)]
    Graph(GraphArgs),
    /// Compare two saved reports: which pipes and ends came, went or changed
    ///
    /// Reports are saved with --json. A process is the same if it has the same PID and was started at the same time. An end changed if
    /// it is open with other flags, or its process is another program or user now. In the table, + came, - went, ~ changed, and = is as
    /// it was.
    #[command(max_term_width = 100, after_help = DIFF_HELP, args = hidden(&["repeat", "proc", "from"]))]
    Diff {
        /// The earlier report; - is the standard input
        #[arg(value_name = "OLD", value_hint = ValueHint::FilePath)]
        old: PathBuf,

        /// The later report
        #[arg(value_name = "NEW", value_hint = ValueHint::FilePath)]
        new: PathBuf,
    },
    /// Look for what is wrong or about to be, for timers and fleets
    ///
    /// Tells what `lspipe why` would, and more that is worth a look: who shares a pipe and should not, and what is about to run out.
    #[command(max_term_width = 100, after_help = AUDIT_HELP)]
    Audit(AuditArgs),
    /// Show the whole fd table of processes, pipes with their other ends
    #[command(max_term_width = 100)]
    Fds {
        /// The processes
        #[arg(value_name = "PID", required = true, value_delimiter = ',', value_hint = ValueHint::Other, value_parser = value::pid, allow_negative_numbers = true)]
        pids: Vec<Pid>,
    },
}

/// Options that all commands share, for one that refuses these: its help shall not list them.
fn hidden(names: &[&str]) -> Vec<Arg> {
    let shared = SharedArgs::augment_args(clap::Command::new(""));
    let is_named = |arg: &&Arg| names.contains(&arg.get_id().as_str());
    shared.get_arguments().filter(is_named).map(|arg| arg.clone().hide(true)).collect()
}
