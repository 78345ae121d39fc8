//! Which pipes are shown. Whole pipes are kept, so that a selection never makes an end look absent. Pure, and after the join.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::judge::processes::{NO_THREADS, Processes};
use crate::model::{Gap, Pid, Pipe, PipeGraph, PipeId, PipeKind, Process, ScanLimit, Side, Uid, UnreadablePart};

/// Maximum length of a command name in the kernel: `TASK_COMM_LEN` less its NUL.
const COMMAND_LENGTH: usize = 15;

/// A value of an option that selects by command name.
#[derive(Debug, Clone)]
pub enum CommandPattern {
    /// Any of these names. A longer name than the kernel keeps matches as the kernel truncates it.
    Names(Vec<Vec<u8>>),
    /// Commands that contain a match.
    Regex(Regex),
}

impl CommandPattern {
    fn matches(&self, command: &[u8]) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| command == name.get(..COMMAND_LENGTH).unwrap_or(name)),
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
            Self::Inode(inode) => inode == id.inode(),
        }
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
    /// Pipes of one of these kinds.
    pub kinds: Vec<PipeKind>,
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
            && self.users.is_empty()
            && self.kinds.is_empty()
            && !self.no_reader
            && !self.no_writer
            && self.pipes.is_empty())
    }

    /// Whether it names processes, by ID, command or user.
    pub(crate) fn names_processes(&self) -> bool {
        !(self.pids.is_empty() && self.commands.is_empty() && self.users.is_empty())
    }

    /// Whether it names a process. `family` are the processes that it names by ID.
    fn names(&self, pid: Pid, process: Option<&Process>, family: &BTreeSet<Pid>) -> bool {
        let is_command = |process: &Process| self.commands.iter().any(|command| command.matches(&process.command));
        let is_user = |process: &Process| process.uid.is_some_and(|uid| self.users.contains(&uid));
        (self.pids.is_empty() || family.contains(&pid))
            && (self.commands.is_empty() || process.is_some_and(is_command))
            && (self.users.is_empty() || process.is_some_and(is_user))
    }

    /// Whether one of its pipes may be a FIFO.
    pub(crate) fn may_name_fifo(&self) -> bool {
        self.pipes.iter().any(|pipe| match pipe {
            PipeMatch::Id(id) => id.kind().is_named(),
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
    /// of a process cannot be read and no named process `is_waiting`.
    pub(crate) fn obstacle<'a>(&self, missing: &'a [Missing<'a>], is_waiting: bool) -> Option<&'a Missing<'a>> {
        let all = |is_such: fn(&&Missing<'_>) -> bool, of: usize| {
            let mut such = missing.iter().filter(is_such);
            if such.clone().count() == of { such.next() } else { None }
        };
        let table = || missing.iter().find(|it| matches!(it, Missing::Table(_)) && !is_waiting);
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
    let family = family(graph, selection);
    if selection.commands.is_empty() && selection.users.is_empty() {
        return family;
    }
    let is_named = |process: &&Process| selection.names(process.pid, Some(process), &family);
    graph.processes.values().filter(is_named).map(|process| process.pid).collect()
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

/// Keeps the whole fd tables that were read, the pipes in them, and the processes of both.
#[must_use]
pub(crate) fn select_tables(graph: PipeGraph) -> PipeGraph {
    let pipes = graph.descriptors.iter().filter_map(|descriptor| descriptor.pipe).collect();
    keep(graph, &pipes)
}

/// The pipes that [`select`] would keep.
pub(crate) fn selected<'a>(graph: &'a PipeGraph, selection: &'a Selection) -> impl Iterator<Item = &'a Pipe> {
    let Selection { kinds, no_reader, no_writer, pipes, .. } = selection;
    let family = family(graph, selection);
    let is_named = move |pid: Pid| selection.names(pid, graph.processes.get(&pid), &family);
    graph.pipes.iter().filter(move |pipe| {
        (kinds.is_empty() || kinds.contains(&pipe.id.kind()))
            && (pipes.is_empty() || pipes.iter().any(|wanted| wanted.matches(pipe.id)))
            && !(*no_reader && pipe.on(Side::Read).next().is_some())
            && !(*no_writer && pipe.on(Side::Write).next().is_some())
            && (!selection.names_processes() || Side::BOTH.into_iter().any(|side| pipe.on(side).any(&is_named)))
    })
}

/// The processes that are named by ID, with their descendants if those are meant too.
fn family(graph: &PipeGraph, selection: &Selection) -> BTreeSet<Pid> {
    if selection.descendants {
        Processes::new(graph, &NO_THREADS).with_descendants(&selection.pids)
    } else {
        selection.pids.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests;
