//! The options that select. Names in them are looked up later.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

use super::{SELECTION, value};
use crate::model::{Pid, PipeId, PipeKind};
use crate::select::CommandPattern;

const PIPE_HELP: &str = "\
Show only these pipes

A PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], an inode number, the path of a FIFO (any of its names), or /proc/PID/fd/N.";

/// What to show; everything if nothing is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = SELECTION)]
pub struct SelectionArgs {
    /// Show only these pipes
    #[arg(value_name = "PIPE", long_help = PIPE_HELP, value_hint = ValueHint::FilePath, help_heading = None::<&str>, value_parser = clap::value_parser!(PipeName))]
    pub pipes: Vec<PipeName>,

    /// Show only pipes held by these processes
    #[arg(short, long = "pid", value_name = "PID", value_hint = ValueHint::Other, value_delimiter = ',', value_parser = value::pid, allow_negative_numbers = true, action = ArgAction::Append)]
    pub pids: Vec<Pid>,

    /// Include the descendants of the processes given with --pid
    #[arg(long, requires = "pids")]
    pub descendants: bool,

    /// Show only pipes held by commands of this name, or matching this /REGEX/
    #[arg(short, long = "command", value_name = "NAME", value_hint = ValueHint::Other, value_parser = value::command, action = ArgAction::Append)]
    pub commands: Vec<CommandPattern>,

    /// Show only pipes held by processes of this user, given by name or number
    #[arg(short, long = "user", value_name = "USER", value_delimiter = ',', value_hint = ValueHint::Username, action = ArgAction::Append)]
    pub users: Vec<String>,

    /// Show only pipes of this kind
    #[arg(short, long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = value::word(PipeKind::ALL, PipeKind::as_str), action = ArgAction::Append)]
    pub kinds: Vec<PipeKind>,

    /// Show only pipes without a visible read end
    #[arg(long)]
    pub no_reader: bool,

    /// Show only pipes without a visible write end
    #[arg(long)]
    pub no_writer: bool,
}

/// A PIPE of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipeName {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`.
    Id(PipeId),
    /// A bare number.
    Inode(u64),
    /// The path of a FIFO, or `/proc/PID/fd/N`.
    Path(PathBuf),
}

impl From<&OsStr> for PipeName {
    fn from(name: &OsStr) -> Self {
        let text = name.to_str();
        if let Some(id) = text.and_then(|text| text.parse().ok()) {
            Self::Id(id)
        } else if let Some(inode) = text.and_then(|text| text.parse().ok()) {
            Self::Inode(inode)
        } else {
            Self::Path(name.into())
        }
    }
}
