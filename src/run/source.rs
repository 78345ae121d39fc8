//! Where the facts of a run come from: a proc root that is looked at, or a saved report, in which what was named is looked up.

use std::path::{Path, PathBuf};

use crate::cli::{PipeName, Request, SelectionArgs};
use crate::error::Error;
use crate::model::Uid;
use crate::observe::proc;
use crate::report_file::{self, Saved};
use crate::select::{PipeMatch, Selection};
use crate::users;

/// Where the facts come from.
pub(super) enum Source {
    /// From a proc root.
    Live(PathBuf),
    /// From a report that was saved.
    Saved {
        /// The file.
        name: String,
        /// What was in it.
        saved: Box<Saved>,
    },
}

/// A selection of which all that it names was looked up.
#[derive(Default)]
pub(super) struct Sought {
    pub(super) selection: Selection,
    /// The name that meant each of the pipes in the selection.
    pub(super) names: Vec<PipeName>,
}

impl Source {
    /// Reads the saved report, if one is to be read: once, since it may come through a pipe.
    pub(super) fn open(options: &Request) -> Result<Self, Error> {
        Ok(match &options.source.from {
            None => Self::Live(options.source.proc.clone()),
            Some(file) => Self::Saved { name: file.name(), saved: Box::new(report_file::read(file)?) },
        })
    }

    /// The file that was read.
    pub(super) fn file(&self) -> Option<&str> {
        match self {
            Self::Live(_) => None,
            Self::Saved { name, .. } => Some(name),
        }
    }

    /// Whether all is there that the rules of an audit judge by.
    pub(super) fn is_of_audit(&self) -> bool {
        match self {
            Self::Live(_) => true,
            Self::Saved { saved, .. } => saved.audited,
        }
    }

    /// Looks up what the selection names: users, and the pipes that paths lead to.
    pub(super) fn resolve(&self, wanted: &SelectionArgs) -> Result<Sought, Error> {
        let (mut names, mut pipes) = (Vec::new(), Vec::new());
        for name in &wanted.pipes {
            for pipe in self.pipes(name)? {
                names.push(name.clone());
                pipes.push(pipe);
            }
        }
        let selection = Selection {
            pids: wanted.pids.clone(),
            descendants: wanted.descendants,
            commands: wanted.commands.clone(),
            users: wanted.users.iter().map(|name| self.user(name)).collect::<Result<_, _>>()?,
            kinds: wanted.kinds.clone(),
            no_reader: wanted.no_reader,
            no_writer: wanted.no_writer,
            pipes,
        };
        Ok(Sought { selection, names })
    }

    fn pipes(&self, name: &PipeName) -> Result<Vec<PipeMatch>, Error> {
        Ok(match (name, self) {
            (PipeName::Id(id), _) => vec![PipeMatch::Id(*id)],
            (PipeName::Inode(inode), _) => vec![PipeMatch::Inode(*inode)],
            (PipeName::Path(path), Self::Live(root)) => vec![PipeMatch::Id(proc::pipe_at(root, path)?)],
            (PipeName::Path(path), Self::Saved { name, saved }) => match saved.pipes_at(path) {
                pipes if pipes.is_empty() => return Err(no_such_path(path, name)),
                pipes => pipes.into_iter().map(PipeMatch::Id).collect(),
            },
        })
    }

    fn user(&self, name: &str) -> Result<Uid, Error> {
        match self {
            Self::Saved { saved, name: file } => match saved.users.of_name(name) {
                Some(uid) => Ok(uid),
                None => name.parse().map(Uid).map_err(|_| no_such_user(name, file)),
            },
            Self::Live(_) => users::user(name),
        }
    }
}

fn no_such_path(path: &Path, file: &str) -> Error {
    let path = path.to_string_lossy().escape_debug().to_string();
    Error::NothingThere(format!(
        "{path}: no process in {file} has a pipe open by that name; a FIFO may have others: its id and inode are sure"
    ))
}

fn no_such_user(name: &str, file: &str) -> Error {
    Error::NothingThere(format!(
        "no user named {name:?} in {file}, which names those only that have a pipe: give a number"
    ))
}
