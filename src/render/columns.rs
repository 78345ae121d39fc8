//! The columns: their names, what they mean, and what stands in each for a row. No layout here.

mod details;
mod ends;

use std::borrow::Cow;

use self::details::Part;
use self::ends::{EndKey, Ends, Relation, other_ends, peer_ends, side_ends};
use super::fit::{DropPriority, Heading, Wrap};
use super::text::{EscapeContext, TextRole, push_fmt, push_name};
use super::{ReportView, Style};
use crate::judge::side::{self, SideState};
use crate::model::{AccessMode, CommandLine, Descriptor, Endpoint, OpenFlags, Pipe, PipeGraph, Probed, Side};

pub(super) use self::ends::{FirstEnds, push_absent, push_end};

/// The width in characters of the bar of QUEUED.
const BAR: u64 = 5;

/// The width of the numbers of QUEUED before their bar: the largest capacity of an unprivileged user has seven digits.
const NUMBER: usize = 7;

/// The columns that a table drops to fit a terminal, in this order: what the ID implies, facts of the process or the file rather than of
/// the pipe, and then what is the same for most.
const SPARE: [Column; 7] =
    [Column::Kind, Column::User, Column::Type, Column::Polled, Column::Shared, Column::Flags, Column::Capacity];

/// Defines the columns, so that `--list-columns` cannot miss one.
macro_rules! columns {
    ($($name:ident, $heading:literal, $of:ident, $help:literal;)*) => {
        /// A column of a table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Column {
            $(#[doc = concat!("`", $heading, "`: see [`Self::help`].")] $name,)*
        }

        impl Column {
            /// All columns, in the order of `--list-columns`.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The heading, which is the name on the command line too.
            #[must_use]
            pub const fn heading(self) -> &'static str {
                match self { $(Self::$name => $heading,)* }
            }

            /// What it shows, in one line.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }

            /// What it is a fact of.
            #[must_use]
            pub const fn subject(self) -> Subject {
                match self { $(Self::$name => Subject::$of,)* }
            }
        }
    };
}

/// What a column is a fact of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The pipe, in any row.
    Pipe,
    /// An end, or the process that holds it; makes one row per end.
    End,
    /// Any descriptor, in whole fd tables only.
    Descriptor,
}

columns! {
    Pipe, "PIPE", Pipe, "the pipe: pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE] or pty:[MAJ:MIN:N:input|output]";
    Kind, "KIND", Pipe, "anonymous, fifo, unix or pty";
    Readers, "READERS", Pipe, "the read ends, each PID,COMMAND,FDmode; PID,COMMAND,open is a process that is blocked in opening one";
    Writers, "WRITERS", Pipe, "the write ends, in the same form";
    Name, "NAME", Pipe, "the path of a FIFO, as opened by its first holder, and whether it was deleted";
    Inode, "INODE", Pipe, "the inode number";
    Dev, "DEV", Pipe, "the device, MAJ:MIN";
    Deleted, "DELETED", Pipe, "yes if the FIFO has no path left in its file system";
    Queued, "QUEUED", Pipe, "by the kernel or --probe: the number of bytes in the pipe; on a terminal also a bar, which is full when the pipe is";
    Capacity, "CAPACITY", Pipe, "by the kernel or --probe: the number of bytes that fit into the pipe";
    Full, "FULL", Pipe, "by the kernel or --probe: yes if all buffers of the pipe are in use, so that a writer would be blocked";
    Pid, "PID", End, "the process that holds the end";
    Tid, "TID", End, "its thread, if that has an fd table of its own";
    User, "USER", End, "the effective user";
    Uid, "UID", End, "the effective user ID";
    Command, "COMMAND", End, "the command name";
    Cmdline, "CMDLINE", End, "the command line";
    Fd, "FD", End, "the file descriptor";
    Mode, "MODE", End, "the access mode: r, w or rw";
    Flags, "FLAGS", End, "the flags that it is open with, as named in fcntl.h";
    Polled, "POLLED", End, "yes if a thread of the process waits for it, in poll, select or a call on it, or an epoll watches it; ? unknown";
    Peers, "PEERS", End, "the ends of the other side: - none, ? unknown; at most 32, then the number of the rest";
    Shared, "SHARED", End, "the other ends of the same side, in the same form";
    Ppid, "PPID", End, "the parent of the process";
    Pgid, "PGID", End, "its process group";
    Sid, "SID", End, "its session";
    State, "STATE", End, "its state letter, as in ps";
    Started, "STARTED", End, "when the process was started, in UTC";
    Nspid, "NSPID", End, "its PID in its own PID namespace, if that is another";
    Container, "CONTAINER", End, "its container, according to its control group";
    Unit, "UNIT", End, "its systemd unit, according to its control group";
    Type, "TYPE", Descriptor, "the type of the file: REG, DIR, CHR, BLK, FIFO, SOCK, LINK or a_inode";
    Details, "DETAILS", Descriptor, "addresses, state and path of a socket, the process of a pidfd, what an epoll watches, the name of a terminal";
    Target, "TARGET", Descriptor, "what it leads to";
}

impl Column {
    /// Whether `--output` of a report accepts it; that of `fds` accepts all.
    #[must_use]
    pub fn is_selectable(self) -> bool {
        self.subject() != Subject::Descriptor
    }

    /// Whether it is unknown of all of these pipes, since it is not in /proc and the kernel did not say it.
    pub(super) fn is_unknown(self, graph: &PipeGraph) -> bool {
        let is_known = |fact: fn(&Probed) -> bool| graph.probed.values().any(fact);
        let is_known = match self {
            Self::Queued => is_known(|probed| probed.queued.is_some()),
            Self::Capacity => is_known(|probed| probed.capacity.is_some()),
            Self::Full => is_known(|probed| probed.full.is_some()),
            _ => true,
        };
        !is_known && !graph.pipes.is_empty()
    }

    /// Whether it shows more of a process than its command.
    pub(super) fn needs_facts(self) -> bool {
        let cheap = [
            Self::Pid,
            Self::Tid,
            Self::Command,
            Self::Fd,
            Self::Mode,
            Self::Flags,
            Self::Polled,
            Self::Peers,
            Self::Shared,
        ];
        self.subject() == Subject::End && !cheap.contains(&self)
    }

    /// What the layout of a table needs. A column that was `asked_for` by name is never dropped.
    pub(super) fn layout(self, asked_for: bool) -> Heading {
        let wrap = match self {
            Self::Readers | Self::Writers | Self::Peers | Self::Shared => Wrap::Ends,
            Self::Flags => Wrap::Words,
            Self::Name | Self::Cmdline | Self::Details | Self::Target => Wrap::Name,
            _ => Wrap::Never,
        };
        let priority = match SPARE.iter().position(|spare| *spare == self) {
            // That there is no end is information too.
            _ if asked_for || (wrap == Wrap::Ends && self != Self::Shared) => DropPriority::Always,
            Some(place) => DropPriority::Spare(place),
            None => DropPriority::UnlessEmpty,
        };
        Heading { text: self.heading(), wrap, priority }
    }
}

/// What a row is about.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pipe: Option<&'a Pipe>,
    end: Option<&'a Endpoint>,
    descriptor: Option<&'a Descriptor>,
}

impl<'a> Row<'a> {
    pub(super) fn of_pipe(pipe: &'a Pipe) -> Self {
        Self { pipe: Some(pipe), end: None, descriptor: None }
    }

    pub(super) fn of_ends(pipe: &'a Pipe) -> impl Iterator<Item = Self> + Clone {
        pipe.ends.iter().map(move |end| Self { pipe: Some(pipe), end: Some(end), descriptor: None })
    }

    pub(super) fn of_descriptor(graph: &'a PipeGraph, descriptor: &'a Descriptor) -> Self {
        Self { pipe: descriptor.pipe.and_then(|id| graph.pipe(id)), end: None, descriptor: Some(descriptor) }
    }

    fn key(&self) -> Option<EndKey> {
        self.end.map(Endpoint::key).or(self.descriptor.map(Descriptor::key))
    }

    fn access(&self) -> Option<AccessMode> {
        self.end.map_or_else(|| self.descriptor?.access, |end| Some(end.access))
    }

    fn flags(&self) -> Option<OpenFlags> {
        self.end.map_or_else(|| self.descriptor?.flags, |end| end.flags)
    }
}

/// What stands in a cell.
enum Cell<'a> {
    Unknown,
    Number(u64),
    /// Safe to print.
    Text(Cow<'a, str>),
    Name(Cow<'a, [u8]>),
    /// Wraps at its blanks.
    Words(Vec<u8>),
    Queued(u64, Probed),
    Ends(Ends<'a>),
    /// Between blanks, or where a cell is one field, commas.
    Parts(Vec<Part<'a>>),
}

impl<'a> ReportView<'a> {
    /// Writes the cell of a column, `-` where there is nothing. Returns whether there is something.
    pub(super) fn cell(
        &self,
        column: Column,
        row: &Row<'a>,
        first_ends: &FirstEnds<'a>,
        style: &Style,
        text: &mut String,
    ) -> bool {
        let start = text.len();
        if let Some(cell) = self.value(column, row, first_ends) {
            cell.write(self.graph, style, text);
        }
        let is_filled = text.len() > start;
        if !is_filled {
            style.push(TextRole::Faint, text, "-");
        }
        is_filled
    }

    /// Appends the field of a column in comma-separated values, which is empty where there is nothing. White space stays in it, and a
    /// spreadsheet takes no name for a formula.
    pub(super) fn field(&self, column: Column, row: &Row<'a>, first_ends: &FirstEnds<'a>, text: &mut String) {
        let mut push = |name: &[u8]| match name.split_first() {
            Some((first @ (b'=' | b'+' | b'-' | b'@'), rest)) => {
                push_fmt(text, format_args!("\\x{first:02x}"));
                push_name(text, rest, EscapeContext::Line);
            }
            _ => push_name(text, name, EscapeContext::Line),
        };
        match self.value(column, row, first_ends) {
            Some(Cell::Name(name)) => push(&name),
            Some(Cell::Words(words)) => push(&words),
            Some(Cell::Parts(parts)) => details::push(&parts, " ", EscapeContext::Line, text),
            Some(cell) => cell.write(self.graph, &Style::default(), text),
            None => {}
        }
    }

    /// None where there is nothing, as far as is known.
    fn value(&self, column: Column, row: &Row<'a>, first_ends: &FirstEnds<'a>) -> Option<Cell<'a>> {
        let graph = self.graph;
        let process = || graph.processes.get(&row.key()?.0);
        Some(match column {
            Column::Pipe => Cell::shown(row.pipe?.id),
            Column::Kind => Cell::word(row.pipe?.id.kind().as_str()),
            Column::Readers => Cell::Ends(side_ends(graph, row.pipe?, Side::Read)),
            Column::Writers => Cell::Ends(side_ends(graph, row.pipe?, Side::Write)),
            Column::Name => Cell::Name(path_name(row.pipe?, row.pipe?.deleted)?),
            Column::Inode => Cell::Number(row.pipe?.id.inode()),
            Column::Dev => Cell::shown(graph.device(row.pipe?.id)?),
            Column::Deleted => Cell::word(if row.pipe?.deleted { "yes" } else { "" }),
            Column::Queued => {
                let probed = graph.probed(row.pipe?.id);
                Cell::known(probed.queued, |queued| Cell::Queued(queued, probed))
            }
            Column::Capacity => Cell::known(graph.probed(row.pipe?.id).capacity, Cell::Number),
            Column::Full => {
                let word = |full| Cell::word(if full { "yes" } else { "no" });
                Cell::known(graph.probed(row.pipe?.id).full, word)
            }
            Column::Pid => Cell::Number(row.key()?.0.0.into()),
            Column::Tid => Cell::Number(row.key()?.1?.0.into()),
            Column::Fd => Cell::Number(row.key()?.2.0.into()),
            Column::Mode => match (row.access(), row.flags()) {
                (Some(access), _) => Cell::word(access.as_str()),
                // O_PATH has none.
                (None, Some(_)) => return None,
                (None, None) => Cell::Unknown,
            },
            Column::Flags => {
                let names = |flags: OpenFlags| Cell::Text(flags.names().collect::<Vec<_>>().join(",").into());
                Cell::known(row.flags(), names)
            }
            Column::Polled => {
                let polled = match row.descriptor {
                    Some(descriptor) => descriptor.polled,
                    None => graph.polled.get(&row.key()?).copied(),
                };
                Cell::known(polled, |polled| Cell::word(if polled { "yes" } else { "" }))
            }
            Column::Peers => match row.pipe {
                Some(pipe) => Cell::Ends(related_ends(graph, pipe, row, first_ends, Relation::Peer)?),
                None if side::may_be_end(graph, row.descriptor?) => Cell::Unknown,
                None => return None,
            },
            Column::Shared => Cell::Ends(related_ends(graph, row.pipe?, row, first_ends, Relation::Shared)?),
            Column::User => match process()?.uid.map(|uid| (uid, self.users.name(uid)))? {
                (_, Some(name)) => Cell::name(name.as_bytes()),
                (uid, None) => Cell::Number(uid.0.into()),
            },
            Column::Uid => Cell::Number(process()?.uid?.0.into()),
            Column::Command => Cell::name(&process()?.command),
            Column::Cmdline => {
                let arguments: Vec<&[u8]> = process()?.cmdline.as_ref().map(CommandLine::arguments)?.collect();
                Cell::Words(arguments.join(&b' '))
            }
            Column::Ppid => Cell::Number(process()?.ppid?.into()),
            Column::Pgid => Cell::Number(process()?.pgid?.into()),
            Column::Sid => Cell::Number(process()?.sid?.into()),
            Column::State => Cell::Name(process()?.state?.to_string().into_bytes().into()),
            Column::Started => Cell::Text(format!("{:.0}", process()?.started_at?).into()),
            Column::Nspid => Cell::Number(process()?.ns_pid?.into()),
            Column::Container => Cell::name(process()?.container.as_deref()?.as_bytes()),
            Column::Unit => Cell::name(process()?.unit.as_deref()?.as_bytes()),
            Column::Type => Cell::known(row.descriptor?.file_type, |file_type| Cell::word(file_type.as_str())),
            Column::Details => Cell::Parts(details::parts(row.descriptor?, row.pipe)?),
            Column::Target => match (&row.descriptor?.target, row.descriptor?.pipe) {
                (Some(target), _) => Cell::name(target),
                (None, pipe) => Cell::known(pipe, Cell::shown),
            },
        })
    }
}

impl<'a> Cell<'a> {
    fn known<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Unknown, cell)
    }

    fn shown(value: impl std::fmt::Display) -> Self {
        Self::Text(value.to_string().into())
    }

    const fn word(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }

    const fn name(name: &'a [u8]) -> Self {
        Self::Name(Cow::Borrowed(name))
    }

    fn write(&self, graph: &PipeGraph, style: &Style, text: &mut String) {
        match self {
            Self::Unknown => push_absent(SideState::Unknown, style, text),
            Self::Queued(queued, probed) if style.is_fitted() => {
                push_fmt(text, format_args!("{queued:>NUMBER$}"));
                push_bar(text, *queued, probed, style);
            }
            Self::Number(number) | Self::Queued(number, _) => push_fmt(text, format_args!("{number}")),
            Self::Text(words) => text.push_str(words),
            Self::Name(name) => push_name(text, name, style.context()),
            Self::Words(words) if style.is_fitted() => push_name(text, words, EscapeContext::Line),
            Self::Words(words) => push_name(text, words, EscapeContext::Word),
            Self::Ends(ends) => ends.write(graph, style, text),
            Self::Parts(parts) if style.is_fitted() => details::push(parts, " ", EscapeContext::Cell, text),
            Self::Parts(parts) => details::push(parts, ",", EscapeContext::Item, text),
        }
    }
}

/// The ends of the other side or of the same side of an end; none for no others of the same side.
fn related_ends<'a>(
    graph: &'a PipeGraph,
    pipe: &'a Pipe,
    row: &Row<'a>,
    first_ends: &FirstEnds<'a>,
    relation: Relation,
) -> Option<Ends<'a>> {
    let is_channel = row.descriptor.is_some() && !pipe.id.kind().is_pipe();
    let related = if is_channel { peer_ends } else { other_ends };
    let ends = related(graph, pipe, row.key()?, first_ends, relation);
    (relation == Relation::Peer || !ends.is_empty()).then_some(ends)
}

/// The path of a FIFO, marked if it `is_deleted`.
pub(super) fn path_name(pipe: &Pipe, is_deleted: bool) -> Option<Cow<'_, [u8]>> {
    let path = pipe.path.as_deref()?;
    Some(if is_deleted { [path, b" (deleted)"].concat().into() } else { path.into() })
}

/// Appends a bar of up to [`BAR`] characters, in eighths of one. It is whole only if the pipe is full, which does not follow from the
/// number of bytes: a few small packets may fill it.
fn push_bar(text: &mut String, queued: u64, probed: &Probed, style: &Style) {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let whole = BAR * 8;
    let eighths = match (probed.full, probed.capacity) {
        (Some(true), _) => whole,
        (_, Some(capacity)) if queued > 0 && capacity > 0 => {
            (queued.saturating_mul(whole) / capacity).clamp(1, whole - 1)
        }
        _ => return,
    };
    let mut bar: String = (0..eighths / 8).map(|_| '█').collect();
    bar.push_str(usize::try_from(eighths % 8).ok().and_then(|part| PARTS.get(part)).copied().unwrap_or_default());
    text.push(' ');
    if eighths == whole { style.push(TextRole::Full, text, &bar) } else { text.push_str(&bar) }
}
