//! The options that select.

use std::ffi::OsString;

use clap::{ArgAction, Args, ValueHint};

use super::SELECTION;
use super::value::{self, Commands};
use crate::model::{Pid, PipeKind};
use crate::options::{PipeName, Wanted};

#[derive(Debug, Args)]
#[command(next_help_heading = SELECTION)]
pub(super) struct SelectionArgs {
    /// Pipes that these processes hold an end of
    #[arg(short, long, value_name = "PID", value_hint = ValueHint::Other, value_delimiter = ',', value_parser = value::pid, allow_negative_numbers = true, action = ArgAction::Append)]
    pub(super) pid: Vec<Pid>,

    /// With --pid: its children, their children and so on too
    #[arg(long, requires = "pid")]
    pub(super) descendants: bool,

    /// Pipes that commands of this name, or matching this /REGEX/, hold an end of
    #[arg(short, long, value_name = "NAME", value_hint = ValueHint::Other, value_parser = value::commands, action = ArgAction::Append)]
    pub(super) command: Vec<Commands>,

    /// Pipes that processes of this user, by name or number, hold an end of
    #[arg(short, long, value_name = "USER", value_delimiter = ',', value_hint = ValueHint::Username, action = ArgAction::Append)]
    pub(super) user: Vec<String>,

    /// Pipes of this kind
    #[arg(short, long, value_name = "KIND", value_delimiter = ',', value_parser = value::kinds(), action = ArgAction::Append)]
    pub(super) kind: Vec<PipeKind>,

    /// Pipes that nobody was seen to read
    #[arg(long)]
    pub(super) no_reader: bool,

    /// Pipes that nobody was seen to write
    #[arg(long)]
    pub(super) no_writer: bool,
}

impl SelectionArgs {
    pub(super) fn wanted(self, pipes: &[OsString]) -> Wanted {
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
