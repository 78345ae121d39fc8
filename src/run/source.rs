//! Where the facts of a run come from: a machine that is observed, or a saved report. What was named is looked up there.

use std::collections::BTreeMap;

use super::{Error, Started};
use crate::cli::{PipeName, Question, Request, SelectionArgs};
use crate::findings::Diagnosis;
use crate::findings::confirm::{diagnosis, follow_up};
use crate::model::{Pid, Process, Uid};
use crate::observe::proc::OtherFiles;
use crate::observe::{Depth, Observation, Observer};
use crate::report_file::{self, Saved};
use crate::select::{Choice, Exclusion, PipeMatch, Selection};
use crate::users::user;

/// Where the facts come from.
pub(super) enum Source {
    Live(Observer),
    Saved {
        /// How messages call the file.
        name: String,
        saved: Box<Saved>,
    },
}

impl Source {
    /// Reads the saved report, if one is to be read: once, since it may come through a pipe.
    pub(super) fn open(request: &Request, started: &Started) -> Result<Self, Error> {
        Ok(match &request.source.from {
            None => {
                let source = &request.source;
                let backend = source.backend.backend();
                let observer = Observer::new(&source.proc, &started.helper, started.pid, source.budget, backend);
                Self::Live(observer.holding_named(source.repeat.is_none()))
            }
            Some(file) => Self::Saved { name: file.name(), saved: Box::new(report_file::read(file)?) },
        })
    }

    fn saved(&self) -> Option<&Saved> {
        if let Self::Saved { saved, .. } = self { Some(saved) } else { None }
    }

    /// The name of the saved report in messages.
    pub(super) fn file(&self) -> Option<&str> {
        if let Self::Saved { name, .. } = self { Some(name) } else { None }
    }

    /// Whether all waits are in it: a saved report may be that of another question.
    pub(super) fn has_waits(&self) -> bool {
        self.saved().is_none_or(|saved| saved.has_all_of_why())
    }

    /// Whether all facts are in it that the rules of an audit depend on.
    pub(super) fn has_audit_facts(&self) -> bool {
        self.saved().is_none_or(|saved| saved.audit.is_some())
    }

    /// How many sockets and terminals these processes have open, where that was not looked at.
    pub(super) fn other_files(&self, pids: &[Pid]) -> OtherFiles {
        match self {
            Self::Live(observer) => observer.other_files(pids),
            Self::Saved { .. } => OtherFiles::default(),
        }
    }

    /// Every process by its command, user and parent: of a saved report, those in it.
    pub(super) fn named_processes(&self) -> Result<BTreeMap<Pid, Process>, Error> {
        Ok(match self {
            Self::Live(observer) => observer.named_processes()?,
            Self::Saved { saved, .. } => saved.graph.processes.clone(),
        })
    }

    /// The facts for a list.
    pub(super) fn look(&mut self, depth: &Depth) -> Result<Observation, Error> {
        match self {
            Self::Live(observer) => Ok(observer.look(depth)?),
            Self::Saved { saved, .. } => Ok(observation(saved)),
        }
    }

    /// The facts for claims, with what they prove.
    pub(super) fn diagnose(&mut self, depth: &Depth) -> Result<(Observation, Diagnosis), Error> {
        Ok(match self {
            Self::Live(observer) => {
                let seen = observer.look_twice(depth, follow_up)?;
                let diagnosis = diagnosis(&seen);
                (seen, diagnosis)
            }
            Self::Saved { saved, .. } => (observation(saved), saved.diagnosis.clone().unwrap_or_default()),
        })
    }

    /// Looks up what the question names: users, and the pipes that paths lead to. Returns also the name of each pipe.
    pub(super) fn resolve(&mut self, question: &Question) -> Result<(Selection, Vec<PipeName>), Error> {
        let wanted = match question {
            Question::Pipes(wanted) | Question::Why(wanted) | Question::Graph(wanted) => wanted.clone(),
            Question::Tables(filter) => SelectionArgs { filter: filter.clone(), ..SelectionArgs::default() },
            Question::Audit(wanted) => wanted.selection.clone(),
        };
        let (mut names, mut pipes) = (Vec::new(), Vec::new());
        for name in &wanted.pipes {
            for pipe in self.pipes(name)? {
                names.push(name.clone());
                pipes.push(pipe);
            }
        }
        let wanted = wanted.filter;
        let uids = |names: Vec<String>| names.iter().map(|name| self.user(name)).collect::<Result<_, Error>>();
        let (pids, except_pids) = Choice::split(wanted.pids);
        let (commands, except_commands) = Choice::split(wanted.commands);
        let (users, except_users) = Choice::split(wanted.users);
        let selection = Selection {
            pids,
            descendants: wanted.descendants,
            commands,
            users: uids(users)?,
            except: Exclusion { pids: except_pids, commands: except_commands, users: uids(except_users)? },
            kinds: wanted.kinds.iter().flat_map(|name| name.kinds()).copied().collect(),
            pipes_only: matches!(question, Question::Pipes(_)),
            between: wanted.between,
            no_reader: wanted.no_reader,
            no_writer: wanted.no_writer,
            pipes,
        };
        Ok((selection, names))
    }

    fn pipes(&mut self, name: &PipeName) -> Result<Vec<PipeMatch>, Error> {
        Ok(match (name, self) {
            (PipeName::Id(id), _) => vec![PipeMatch::Id(*id)],
            (PipeName::Inode(inode), _) => vec![PipeMatch::Inode(*inode)],
            (PipeName::Path(path), Self::Live(observer)) => {
                observer.pipes_at(path)?.into_iter().map(PipeMatch::Id).collect()
            }
            (PipeName::Path(path), Self::Saved { name, saved }) => match saved.pipes_at(path) {
                pipes if pipes.is_empty() => {
                    return Err(Error::NoSuchPath { path: path.clone(), file: name.clone() });
                }
                pipes => pipes.into_iter().map(PipeMatch::Id).collect(),
            },
        })
    }

    fn user(&self, name: &str) -> Result<Uid, Error> {
        match self {
            Self::Saved { saved, name: file } => {
                let uid = saved.users.of_name(name).or_else(|| name.parse().ok().map(Uid));
                uid.ok_or_else(|| Error::NoSavedUser { user: name.to_owned(), file: file.clone() })
            }
            Self::Live(_) => Ok(user(name)?),
        }
    }
}

fn observation(saved: &Saved) -> Observation {
    Observation { graph: saved.graph.clone(), threads: saved.groups.clone(), first: None, probe: None }
}
