//! The options that select. Names in them are looked up later.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

use super::{SELECTION, value};
use crate::model::{Pid, PipeId, PipeKind};
use crate::select::{Choice, CommandPattern};

const PIPE_HELP: &str = "\
Show only these pipes

A PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE] or pty:[MAJ:MIN:N:input|output], each also without brackets, socket:[INODE] as \
in /proc/PID/fd, an inode number, /proc/PID/fd/N, or the path of a FIFO, of a bound UNIX socket or of a terminal (any of its names). A socket or terminal means both of its \
directions.";

const COMMAND_HELP: &str = "\
Show only pipes held by commands of this name or matching this /REGEX/, or with ^NAME by others

A NAME is that of the process as in ps -o comm, and matches as a whole; several are separated by commas. The part of a name matches as \
/^PART/.";

const KIND_HELP: &str = "\
Show only pipes of this kind: anonymous, fifo, unix (a direction of connected UNIX sockets), pty (a direction of a pseudoterminal) or all

By default, the report shows anonymous pipes and FIFOs; fds, why and graph follow all kinds.";

/// What to show; everything if nothing is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = SELECTION)]
pub struct SelectionArgs {
    /// Show only these pipes
    #[arg(value_name = "PIPE", long_help = PIPE_HELP, value_hint = ValueHint::FilePath, help_heading = None::<&str>, value_parser = value::pipe())]
    pub pipes: Vec<PipeName>,

    /// By what else.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Which processes and which kinds of pipes to show; all if nothing is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = SELECTION)]
pub struct FilterArgs {
    /// Show only pipes held by these processes, or with ^PID by others
    #[arg(short, long = "pid", value_name = "PID", value_hint = ValueHint::Other, value_delimiter = ',', value_parser = value::chosen_pid, allow_negative_numbers = true, action = ArgAction::Append)]
    pub pids: Vec<Choice<Pid>>,

    /// Include the descendants of the processes given with --pid
    #[arg(long, requires = "pids")]
    pub descendants: bool,

    /// Show only pipes held by commands of this name or matching this /REGEX/, or with ^NAME by others
    #[arg(short, long = "command", value_name = "NAME", value_hint = ValueHint::Other, long_help = COMMAND_HELP, value_parser = value::chosen_command, action = ArgAction::Append)]
    pub commands: Vec<Choice<CommandPattern>>,

    /// Show only pipes held by processes of this user, given by name or number, or with ^USER by others
    #[arg(short, long = "user", value_name = "USER", value_delimiter = ',', value_hint = ValueHint::Username, value_parser = value::chosen_user, allow_negative_numbers = true, action = ArgAction::Append)]
    pub users: Vec<Choice<String>>,

    /// Show only pipes of this kind
    #[arg(short, long = "kind", value_name = "KIND", long_help = KIND_HELP, value_delimiter = ',', ignore_case = true, value_parser = value::word(&KindName::ALL, KindName::as_str), action = ArgAction::Append)]
    pub kinds: Vec<KindName>,

    /// Leave out pipes within one process, such as those by which threads wake each other
    ///
    /// A pipe is left out if one process holds both its sides and no other process holds an end of it.
    #[arg(long)]
    pub between: bool,

    /// Show only pipes without a visible read end
    #[arg(long)]
    pub no_reader: bool,

    /// Show only pipes without a visible write end
    #[arg(long)]
    pub no_writer: bool,
}

impl FilterArgs {
    /// Whether it says which processes.
    pub(super) fn names_processes(&self) -> bool {
        !(self.pids.is_empty() && self.commands.is_empty() && self.users.is_empty())
    }
}

/// A KIND of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindName {
    /// One kind.
    Only(PipeKind),
    /// Every kind.
    All,
}

impl KindName {
    const ALL: [Self; 5] = [
        Self::Only(PipeKind::Anonymous),
        Self::Only(PipeKind::Fifo),
        Self::Only(PipeKind::Unix),
        Self::Only(PipeKind::Pty),
        Self::All,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Only(kind) => kind.as_str(),
            Self::All => "all",
        }
    }

    /// The kinds that it means.
    pub(crate) const fn kinds(self) -> &'static [PipeKind] {
        match self {
            Self::Only(PipeKind::Anonymous) => &[PipeKind::Anonymous],
            Self::Only(PipeKind::Fifo) => &[PipeKind::Fifo],
            Self::Only(PipeKind::Unix) => &[PipeKind::Unix],
            Self::Only(PipeKind::Pty) => &[PipeKind::Pty],
            Self::All => PipeKind::ALL,
        }
    }
}

/// A PIPE of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipeName {
    /// `pipe:[INODE]` or the ID of another kind, also without brackets, which a shell would expand.
    Id(PipeId),
    /// A bare number.
    Inode(u64),
    /// The path of a FIFO, a socket or a terminal, or `/proc/PID/fd/N`.
    Path(PathBuf),
}

impl From<&OsStr> for PipeName {
    fn from(name: &OsStr) -> Self {
        let text = name.to_str();
        let id = |text: &str| {
            let bracketed = |text: &str| text.split_once(':').map(|(kind, rest)| format!("{kind}:[{rest}]"));
            // As /proc names any socket, and the column TARGET.
            let text = text.strip_prefix("socket:").map_or_else(|| text.to_owned(), |rest| format!("unix:{rest}"));
            text.parse().ok().or_else(|| bracketed(&text)?.parse().ok())
        };
        if let Some(id) = text.and_then(id) {
            Self::Id(id)
        } else if let Some(inode) = text.and_then(|text| text.parse().ok()) {
            Self::Inode(inode)
        } else {
            Self::Path(name.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Device, PtyFlow};

    #[test]
    fn pipes_have_names_with_and_without_brackets() {
        let device = Device { major: 0, minor: 26 };
        for (name, id) in [
            ("pipe:[7]", PipeId::anonymous(7)),
            ("pipe:7", PipeId::anonymous(7)),
            ("unix:7", PipeId::unix(7)),
            ("socket:[7]", PipeId::unix(7)),
            ("socket:7", PipeId::unix(7)),
            ("fifo:0:26:7", PipeId::fifo(device, 7)),
            ("pty:0:26:3:input", PipeId::pty(device, 3, PtyFlow::Input)),
        ] {
            assert_eq!(PipeName::from(OsStr::new(name)), PipeName::Id(id), "{name}");
        }
        assert_eq!(PipeName::from(OsStr::new("7")), PipeName::Inode(7));
        for path in ["pipe:", "pipe:x", "unix:[7", "socket:[7", "tcp:7", "./pipe:7", "fifo:7"] {
            assert_eq!(PipeName::from(OsStr::new(path)), PipeName::Path(path.into()), "{path}");
        }
    }
}
