//! Which pipes are shown. Whole pipes are kept, so that a selection never makes an end look absent. Pure, and after the join.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use crate::judge::processes::{NO_THREADS, Processes};
use crate::model::{
    Descriptor, Endpoint, Gap, Pid, Pipe, PipeGraph, PipeId, PipeKind, Process, ScanLimit, Side, Uid, UnreadablePart,
};

/// Maximum length of a command name in the kernel: `TASK_COMM_LEN` less its NUL.
const COMMAND_LENGTH: usize = 15;

/// A value of an option that selects processes: those that it means, or all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<T> {
    /// These.
    Only(T),
    /// None of these; written with a `^` before the value.
    Except(T),
}

impl<T> Choice<T> {
    /// What it means, and what it excludes, each in the order given.
    pub(crate) fn split(choices: Vec<Self>) -> (Vec<T>, Vec<T>) {
        let (mut only, mut except) = (Vec::new(), Vec::new());
        for choice in choices {
            match choice {
                Self::Only(it) => only.push(it),
                Self::Except(it) => except.push(it),
            }
        }
        (only, except)
    }
}

impl<T> From<T> for Choice<T> {
    fn from(it: T) -> Self {
        Self::Only(it)
    }
}

/// A value of an option that selects by command name.
#[derive(Debug, Clone)]
pub enum CommandPattern {
    /// Any of these names. A longer name than the kernel keeps matches as the kernel truncates it.
    Names(Vec<Vec<u8>>),
    /// Commands that contain a match.
    Regex(Regex),
}

impl CommandPattern {
    /// The names, none of a pattern.
    pub(crate) fn names(&self) -> &[Vec<u8>] {
        if let Self::Names(names) = self { names } else { &[] }
    }

    /// Whether the kernel calls a command of this name so.
    pub(crate) fn is_name_of(name: &[u8], command: &[u8]) -> bool {
        command == name.get(..COMMAND_LENGTH).unwrap_or(name)
    }

    /// Whether a process of this name is meant.
    pub(crate) fn matches(&self, command: &[u8]) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| Self::is_name_of(name, command)),
            Self::Regex(regex) => regex.is_match(&String::from_utf8_lossy(command)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipeMatch {
    Id(PipeId),
    /// On any device.
    Inode(u64),
}

impl PipeMatch {
    pub(crate) fn matches(self, id: PipeId) -> bool {
        match self {
            Self::Id(wanted) => wanted == id,
            // That of a terminal is no inode.
            Self::Inode(inode) => inode == id.inode() && id.kind() != PipeKind::Pty,
        }
    }
}

/// Processes that a selection excludes, whatever else it names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exclusion {
    /// With their descendants, if those of the selected processes are meant.
    pub pids: Vec<Pid>,
    pub commands: Vec<CommandPattern>,
    pub users: Vec<Uid>,
}

impl Exclusion {
    fn is_empty(&self) -> bool {
        self.pids.is_empty() && self.commands.is_empty() && self.users.is_empty()
    }

    /// Whether it excludes a process. `family` are those that it names by ID.
    fn has(&self, pid: Pid, process: Option<&Process>, family: &BTreeSet<Pid>) -> bool {
        let is_such = |process: &Process| {
            self.commands.iter().any(|command| command.matches(&process.command))
                || process.uid.is_some_and(|uid| self.users.contains(&uid))
        };
        family.contains(&pid) || process.is_some_and(is_such)
    }
}

/// A selection. Its parts are combined with AND, the values of each part with OR; an empty part selects everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Pipes with an end held by one of these processes.
    pub pids: Vec<Pid>,
    /// Whether `pids` means their descendants too.
    pub descendants: bool,
    /// Pipes with an end held by such a command.
    pub commands: Vec<CommandPattern>,
    /// Pipes with an end held by one of these users.
    pub users: Vec<Uid>,
    /// The processes that are none of those above.
    pub except: Exclusion,
    /// Pipes of one of these kinds.
    pub kinds: Vec<PipeKind>,
    /// Whether only pipes in the sense of pipe(7) are shown where it names neither a kind nor a pipe, as in a list.
    pub pipes_only: bool,
    /// Pipes that not one process alone holds both sides of.
    pub between: bool,
    /// Pipes of which no read end was seen.
    pub no_reader: bool,
    /// Pipes of which no write end was seen.
    pub no_writer: bool,
    /// These pipes.
    pub pipes: Vec<PipeMatch>,
}

impl Selection {
    /// Whether it selects everything.
    #[must_use]
    pub(crate) fn is_everything(&self) -> bool {
        self.pids.is_empty() && !self.narrows_beyond_pids()
    }

    /// Whether anything else than `pids` narrows it.
    pub(crate) fn narrows_beyond_pids(&self) -> bool {
        !(self.commands.is_empty()
            && self.except.is_empty()
            && self.users.is_empty()
            && self.kinds.is_empty()
            && !self.between
            && !self.no_reader
            && !self.no_writer
            && self.pipes.is_empty())
    }

    /// Whether it names processes, by ID, command or user, or excludes some.
    pub(crate) fn names_processes(&self) -> bool {
        !(self.pids.is_empty() && self.commands.is_empty() && self.users.is_empty() && self.except.is_empty())
    }

    /// Whether the IDs of processes alone say which it names.
    pub(crate) fn is_of_pids(&self) -> bool {
        self.commands.is_empty() && self.users.is_empty() && self.except.is_empty() && !self.descendants
    }

    /// Whether names of commands are all that it says.
    pub(crate) fn is_of_commands(&self) -> bool {
        let Self { pids, users, except, pipes, .. } = self;
        pids.is_empty() && users.is_empty() && except.is_empty() && pipes.is_empty() && !self.narrows_pipes()
    }

    /// Whether it says something about pipes, and not only about processes.
    pub(crate) fn narrows_pipes(&self) -> bool {
        !self.kinds.is_empty() || self.no_reader || self.no_writer
    }

    /// Whether a pipe is of a kind that it names, and lacks the sides that it wants missing.
    pub(crate) fn allows(&self, pipe: &Pipe) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&pipe.id.kind()))
            && !(self.no_reader && pipe.on(Side::Read).next().is_some())
            && !(self.no_writer && pipe.on(Side::Write).next().is_some())
    }

    /// Whether it names a process. `family` are the processes that it names by ID.
    fn names(&self, pid: Pid, process: Option<&Process>, [family, excluded]: &[BTreeSet<Pid>; 2]) -> bool {
        let is_command = |process: &Process| self.commands.iter().any(|command| command.matches(&process.command));
        let is_user = |process: &Process| process.uid.is_some_and(|uid| self.users.contains(&uid));
        (self.pids.is_empty() || family.contains(&pid))
            && (self.commands.is_empty() || process.is_some_and(is_command))
            && (self.users.is_empty() || process.is_some_and(is_user))
            && !self.except.has(pid, process, excluded)
    }

    /// Whether one of its pipes may be a FIFO.
    pub(crate) fn may_name_fifo(&self) -> bool {
        self.pipes.iter().any(|pipe| match pipe {
            PipeMatch::Id(id) => id.kind() == PipeKind::Fifo,
            PipeMatch::Inode(_) => true,
        })
    }

    /// What it names and the graph lacks: processes, then fd tables, then pipes.
    pub(crate) fn missing_from<'a>(&self, graph: &'a PipeGraph) -> Vec<Missing<'a>> {
        // What of a table found room is there.
        let is_table = |gap: &Gap| {
            matches!(gap.what, UnreadablePart::FdTable | UnreadablePart::FdLinks)
                && gap.limit() != Some(ScanLimit::Size)
        };
        let is_there = |wanted: &PipeMatch| graph.pipes.iter().any(|pipe| wanted.matches(pipe.id));
        let processes = self.pids.iter().filter(|pid| !graph.parents.contains_key(pid));
        let tables = graph.coverage.gaps.iter().filter(|gap| is_table(gap) && self.pids.contains(&gap.pid));
        let pipes = self.pipes.iter().enumerate().filter(|(_, wanted)| !is_there(wanted));
        let pipes = pipes.map(|(place, _)| Missing::Pipe(place));
        processes.copied().map(Missing::Process).chain(tables.map(Missing::Table)).chain(pipes).collect()
    }

    /// What makes it misleading to report that nothing is wrong: none of the named processes exists, or none of the pipes, or the fd table
    /// of a process cannot be read and there `is_answer` without it.
    pub(crate) fn obstacle<'a>(&self, missing: &'a [Missing<'a>], is_answer: bool) -> Option<&'a Missing<'a>> {
        let all = |is_such: fn(&&Missing<'_>) -> bool, of: usize| {
            let mut such = missing.iter().filter(is_such);
            if such.clone().count() == of { such.next() } else { None }
        };
        let table = || missing.iter().find(|it| matches!(it, Missing::Table(_)) && !is_answer);
        all(|it| matches!(it, Missing::Process(_)), self.pids.len())
            .or_else(|| all(|it| matches!(it, Missing::Pipe(_)), self.pipes.len()))
            .or_else(table)
    }
}

/// What a selection names and a report cannot show.
pub(crate) enum Missing<'a> {
    /// A process that does not exist.
    Process(Pid),
    /// The fd table of a process, which could not be read.
    Table(&'a Gap),
    /// A pipe that no process is known to have open, by its place in [`Selection::pipes`].
    Pipe(usize),
}

/// The processes that a selection names by ID, command or user; none where it names none.
#[must_use]
pub(crate) fn selected_processes(graph: &PipeGraph, selection: &Selection) -> BTreeSet<Pid> {
    let families = families(graph, selection);
    if selection.commands.is_empty() && selection.users.is_empty() && selection.except.is_empty() {
        let [family, _] = families;
        return family;
    }
    let is_named = |process: &&Process| selection.names(process.pid, Some(process), &families);
    graph.processes.values().filter(is_named).map(|process| process.pid).collect()
}

/// Of these processes, those that a selection names, with descendants where those are meant.
#[must_use]
pub(crate) fn chosen(processes: &BTreeMap<Pid, Process>, selection: &Selection) -> BTreeSet<Pid> {
    let parent = |pid: &Pid| processes.get(pid).and_then(|process| process.ppid).map(Pid);
    let family_of = |wanted: &[Pid]| -> BTreeSet<Pid> {
        let is_of = |pid: Pid| {
            // No line of parents is longer than there are processes.
            let mut line = std::iter::successors(Some(pid), parent).take(processes.len() + 1);
            wanted.contains(&pid) || (selection.descendants && line.any(|pid| wanted.contains(&pid)))
        };
        let unknown = wanted.iter().copied().filter(|pid| !processes.contains_key(pid));
        unknown.chain(processes.keys().copied().filter(|pid| is_of(*pid))).collect()
    };
    let families = [family_of(&selection.pids), family_of(&selection.except.pids)];
    let [family, _] = &families;
    let others = family.iter().copied().filter(|pid| !processes.contains_key(pid));
    let named = processes.iter().filter(|(pid, process)| selection.names(**pid, Some(process), &families));
    others.chain(named.map(|(pid, _)| *pid)).collect()
}

/// Keeps the selected pipes, and the processes that hold an end of one of them.
#[must_use]
pub(crate) fn select(graph: PipeGraph, selection: &Selection) -> PipeGraph {
    let pipes = selected(&graph, selection).map(|pipe| pipe.id).collect();
    keep(graph, &pipes)
}

/// Keeps these pipes, and the processes that hold an end of one of them or have an fd table in the graph.
#[must_use]
pub(crate) fn keep(mut graph: PipeGraph, pipes: &BTreeSet<PipeId>) -> PipeGraph {
    let before = graph.pipes.len();
    graph.pipes.retain(|pipe| pipes.contains(&pipe.id));
    graph.selected |= graph.pipes.len() < before;
    let mut holders: BTreeSet<Pid> = graph.descriptors.iter().map(|descriptor| descriptor.pid).collect();
    holders.extend(Side::BOTH.iter().flat_map(|side| graph.pipes.iter().flat_map(|pipe| pipe.on(*side))));
    graph.processes.retain(|pid, _| holders.contains(pid));
    graph
}

/// Keeps the fd tables that were read, the pipes in them, and the processes of both; of the tables, if the selection says something about
/// pipes, the ends of such.
#[must_use]
pub(crate) fn select_tables(mut graph: PipeGraph, selection: &Selection) -> PipeGraph {
    if selection.narrows_pipes() {
        let allowed = graph.pipes.iter().filter(|pipe| selection.allows(pipe));
        let keys: BTreeSet<_> = allowed.flat_map(|pipe| pipe.ends.iter().map(Endpoint::key)).collect();
        graph.descriptors.retain(|descriptor| keys.contains(&descriptor.key()));
    }
    let mut pipes: BTreeSet<PipeId> = graph.descriptors.iter().filter_map(|descriptor| descriptor.pipe).collect();
    // A socket or terminal is an end of a second one.
    let keys: BTreeSet<_> = graph.descriptors.iter().map(Descriptor::key).collect();
    let channels = graph.pipes.iter().filter(|pipe| !pipe.id.kind().is_pipe());
    pipes.extend(channels.filter(|pipe| pipe.ends.iter().any(|end| keys.contains(&end.key()))).map(|pipe| pipe.id));
    keep(graph, &pipes)
}

/// The pipes that [`select`] would keep.
pub(crate) fn selected<'a>(graph: &'a PipeGraph, selection: &'a Selection) -> impl Iterator<Item = &'a Pipe> {
    let Selection { kinds, pipes_only, between, pipes, .. } = selection;
    let families = families(graph, selection);
    let is_named = move |pid: Pid| selection.names(pid, graph.processes.get(&pid), &families);
    graph.pipes.iter().filter(move |pipe| {
        let is_usual = !pipes_only || !pipes.is_empty() || !kinds.is_empty() || pipe.id.kind().is_pipe();
        is_usual
            && selection.allows(pipe)
            && (pipes.is_empty() || pipes.iter().any(|wanted| wanted.matches(pipe.id)))
            && !(*between && is_within_one(pipe))
            && (!selection.names_processes() || Side::BOTH.into_iter().any(|side| pipe.on(side).any(&is_named)))
    })
}

/// Whether one process holds both sides, and no other an end.
fn is_within_one(pipe: &Pipe) -> bool {
    let first = pipe.on(Side::Read).next();
    let mut all = Side::BOTH.into_iter().flat_map(|side| pipe.on(side));
    first.is_some() && pipe.on(Side::Write).next().is_some() && all.all(|pid| Some(pid) == first)
}

/// The processes that are named by ID, and those that are excluded, with their descendants if those are meant too.
fn families(graph: &PipeGraph, selection: &Selection) -> [BTreeSet<Pid>; 2] {
    [&selection.pids, &selection.except.pids].map(|pids| {
        if selection.descendants && !pids.is_empty() {
            Processes::new(graph, &NO_THREADS).with_descendants(pids)
        } else {
            pids.iter().copied().collect()
        }
    })
}

#[cfg(test)]
mod tests;
