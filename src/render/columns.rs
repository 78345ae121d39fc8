//! The columns: their names, what they mean, and what stands in each for a row. No layout here.

use super::fit::{DropPriority, Heading, Wrap};
use super::text::{Place, TextRole, push_fmt, push_name};
use super::{ReportView, Style};
use crate::judge::side::{self, SideState};
use crate::model::{
    AccessMode, CommandLine, Descriptor, Endpoint, Fd, Opener, Pid, Pipe, PipeGraph, Process, Side, Tid, Uid,
};

/// How many other ends the ENDS column names. With all of them the output would grow with the square of the ends.
const MOST_ENDS: usize = 32;

/// How many characters wide the bar of QUEUED is.
const BAR: u64 = 5;

/// The width that numbers of QUEUED are set to before their bar: the largest capacity of an unprivileged user has seven digits.
const NUMBER: usize = 7;

/// Without what a table that is too wide does first: what the ID says too, facts that are no more of the pipe than of the process or
/// file, and then what is the same for most.
const SPARE: [Column; 5] = [Column::Kind, Column::User, Column::Type, Column::Flags, Column::Capacity];

/// What tells an end from the others of its pipe.
type EndKey = (Pid, Option<Tid>, Fd);

/// Defines the columns, so that the list that `--list-columns` prints cannot miss one.
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

            /// What it shows, in a line.
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
    /// The pipe: may stand in any row.
    Pipe,
    /// An end, or the process that holds it: makes a row for each end.
    End,
    /// Any descriptor: for the whole fd table of a process only.
    Descriptor,
}

columns! {
    Pipe, "PIPE", Pipe, "the pipe: pipe:[INODE] or fifo:[MAJ:MIN:INODE]";
    Kind, "KIND", Pipe, "anonymous or fifo";
    Readers, "READERS", Pipe, "the read ends, each PID,COMMAND,FDmode; PID,COMMAND,open is a process that is blocked in opening one";
    Writers, "WRITERS", Pipe, "the write ends, in the same form";
    Name, "NAME", Pipe, "the path of a FIFO, as opened by its first holder, and whether it was deleted";
    Inode, "INODE", Pipe, "the inode number";
    Dev, "DEV", Pipe, "the device, MAJ:MIN";
    Deleted, "DELETED", Pipe, "yes if the FIFO has no path left in its file system";
    Queued, "QUEUED", Pipe, "with --probe: the number of bytes in the pipe; on a terminal also a bar, which is full when the pipe is";
    Capacity, "CAPACITY", Pipe, "with --probe: the number of bytes that fit into the pipe";
    Pid, "PID", End, "the process that holds the end";
    Tid, "TID", End, "its thread, if that has an fd table of its own";
    User, "USER", End, "the effective user";
    Uid, "UID", End, "the effective user ID";
    Command, "COMMAND", End, "the command name";
    Cmdline, "CMDLINE", End, "the command line";
    Fd, "FD", End, "the file descriptor";
    Mode, "MODE", End, "the access mode: r, w or rw";
    Flags, "FLAGS", End, "the flags that it is open with, as named in fcntl.h";
    Ends, "ENDS", End, "the ends of the other side (- none, ? unknown), then others of this side; at most 32, then the number of the rest";
    Ppid, "PPID", End, "the parent of the process";
    Pgid, "PGID", End, "its process group";
    Sid, "SID", End, "its session";
    State, "STATE", End, "its state letter, as in ps";
    Started, "STARTED", End, "when the process was started, in UTC";
    Nspid, "NSPID", End, "its PID in its own PID namespace, if that is another";
    Container, "CONTAINER", End, "its container, according to its control group";
    Unit, "UNIT", End, "its systemd unit, according to its control group";
    Type, "TYPE", Descriptor, "the type of the file: REG, DIR, CHR, BLK, FIFO, SOCK, LINK or a_inode";
    Target, "TARGET", Descriptor, "what it leads to";
}

impl Column {
    /// Whether `--output` takes it.
    #[must_use]
    pub fn is_selectable(self) -> bool {
        self.subject() != Subject::Descriptor
    }

    /// Whether it shows what only `--probe` learns.
    #[must_use]
    pub fn needs_probe(self) -> bool {
        matches!(self, Self::Queued | Self::Capacity)
    }

    /// Whether it shows more of a process than its command.
    #[must_use]
    pub(super) fn needs_facts(self) -> bool {
        let cheap = [Self::Pid, Self::Tid, Self::Command, Self::Fd, Self::Mode, Self::Flags, Self::Ends];
        self.subject() == Subject::End && !cheap.contains(&self)
    }

    /// What the layout of a table has to know of it. None of the columns is left out that somebody asked for by their names.
    pub(super) fn layout(self, asked_for: bool) -> Heading {
        let wrap = match self {
            Self::Readers | Self::Writers | Self::Ends => Wrap::Ends,
            Self::Flags => Wrap::Words,
            Self::Name | Self::Command | Self::Cmdline | Self::Target => Wrap::Name,
            _ => Wrap::Never,
        };
        let worth = match (self, SPARE.iter().position(|spare| *spare == self)) {
            _ if asked_for => DropPriority::Always,
            // That there is none is told too.
            (Self::Readers | Self::Writers | Self::Ends, _) => DropPriority::Always,
            (_, Some(place)) => DropPriority::Spare(place),
            (_, None) => DropPriority::UnlessEmpty,
        };
        Heading { text: self.heading(), wrap, worth }
    }
}

/// What a row is about.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) pipe: Option<&'a Pipe>,
    pub(super) end: Option<&'a Endpoint>,
    pub(super) descriptor: Option<&'a Descriptor>,
}

impl ReportView<'_> {
    /// Writes the cell of a column; `-` where there is nothing.
    pub(super) fn cell(&self, column: Column, row: &Row<'_>, style: &Style, text: &mut String) {
        let start = text.len();
        self.fill(column, row, style, text);
        if text.len() == start {
            faint(style, text);
        }
    }

    fn fill(&self, column: Column, row: &Row<'_>, style: &Style, text: &mut String) {
        match column.subject() {
            Subject::Pipe => {
                if let Some(pipe) = row.pipe {
                    self.fill_of_pipe(column, pipe, style, text);
                }
            }
            Subject::End | Subject::Descriptor => self.fill_of_end(column, row, style, text),
        }
    }

    fn fill_of_pipe(&self, column: Column, pipe: &Pipe, style: &Style, text: &mut String) {
        match column {
            Column::Pipe => show(text, Some(pipe.id)),
            Column::Kind => text.push_str(pipe.id.kind().as_str()),
            Column::Readers => self.side(pipe, Side::Read, style, text),
            Column::Writers => self.side(pipe, Side::Write, style, text),
            Column::Name => {
                if let Some(path) = &pipe.path {
                    push_name(text, path, style.place());
                    if pipe.deleted {
                        push_name(text, b" (deleted)", style.place());
                    }
                }
            }
            Column::Inode => show(text, Some(pipe.id.inode())),
            Column::Dev => show(text, self.graph.device(pipe.id)),
            Column::Deleted if pipe.deleted => text.push_str("yes"),
            Column::Queued => self.queued(pipe, style, text),
            Column::Capacity => match self.graph.probed(pipe.id).capacity {
                Some(capacity) => show(text, Some(capacity)),
                None => unsure(style, text),
            },
            _ => {}
        }
    }

    fn fill_of_end(&self, column: Column, row: &Row<'_>, style: &Style, text: &mut String) {
        let Some((pid, tid, fd)) = row.end.map(Endpoint::key).or(row.descriptor.map(Descriptor::key)) else {
            return;
        };
        let access = row.end.map(|end| end.access).or(row.descriptor.and_then(|descriptor| descriptor.access));
        let flags = row.end.map_or_else(|| row.descriptor.and_then(|descriptor| descriptor.flags), |end| end.flags);
        match column {
            Column::Pid => show(text, Some(pid)),
            Column::Tid => show(text, tid),
            Column::Fd => show(text, Some(fd)),
            Column::Mode => match (access, flags) {
                (Some(access), _) => text.push_str(access.as_str()),
                // O_PATH has none.
                (None, Some(_)) => {}
                (None, None) => unsure(style, text),
            },
            Column::Flags => match flags {
                Some(flags) => push_list(text, flags.names(), ","),
                None => unsure(style, text),
            },
            Column::Ends => match (row.pipe, row.descriptor) {
                (Some(pipe), _) => self.other_ends(pipe, (pid, tid, fd), style, text),
                (None, Some(Descriptor { pipe: None, target: None, .. })) => unsure(style, text),
                // No end of it was seen, which this descriptor may be nevertheless.
                (None, Some(Descriptor { pipe: Some(id), .. }))
                    if Side::BOTH.into_iter().any(|side| side::may_hide(&self.graph.coverage, id.kind(), side)) =>
                {
                    unsure(style, text);
                }
                (None, _) => {}
            },
            Column::Type => match row.descriptor.and_then(|descriptor| descriptor.file_type) {
                Some(file_type) => text.push_str(file_type.as_str()),
                None => unsure(style, text),
            },
            Column::Target => match row.descriptor.map(|it| (&it.target, it.pipe)) {
                Some((Some(target), _)) => push_name(text, target, style.place()),
                Some((None, Some(pipe))) => show(text, Some(pipe)),
                _ => unsure(style, text),
            },
            _ => {
                if let Some(process) = self.graph.processes.get(&pid) {
                    self.fill_of_process(column, process, style, text);
                }
            }
        }
    }

    fn fill_of_process(&self, column: Column, process: &Process, style: &Style, text: &mut String) {
        match column {
            Column::User => self.user(process.uid, text),
            Column::Uid => show(text, process.uid),
            Column::Command => push_name(text, &process.command, style.place()),
            Column::Cmdline => {
                let separator = if style.width.is_some() { " " } else { "\\x20" };
                for (index, argument) in process.cmdline.iter().flat_map(CommandLine::arguments).enumerate() {
                    text.push_str(if index == 0 { "" } else { separator });
                    push_name(text, argument, style.place());
                }
            }
            Column::Ppid => show(text, process.ppid),
            Column::Pgid => show(text, process.pgid),
            Column::Sid => show(text, process.sid),
            Column::State => {
                let letter = process.state.map_or_else(String::new, String::from);
                push_name(text, letter.as_bytes(), style.place());
            }
            Column::Started => show(text, process.started_at.map(|time| format!("{time:.0}"))),
            Column::Nspid => show(text, process.ns_pid),
            Column::Container => push_name(text, process.container.as_deref().unwrap_or("").as_bytes(), style.place()),
            Column::Unit => push_name(text, process.unit.as_deref().unwrap_or("").as_bytes(), style.place()),
            _ => {}
        }
    }

    /// The bytes in a pipe; on a terminal, with how full that makes it.
    fn queued(&self, pipe: &Pipe, style: &Style, text: &mut String) {
        let probed = self.graph.probed(pipe.id);
        let Some(queued) = probed.queued else {
            return unsure(style, text);
        };
        if style.width.is_none() {
            return show(text, Some(queued));
        }
        push_fmt(text, format_args!("{queued:>NUMBER$}"));
        push_bar(text, queued, probed.capacity, probed.full);
    }

    /// The ends of a side; what stands for none where there is none to be seen.
    fn side(&self, pipe: &Pipe, side: Side, style: &Style, text: &mut String) {
        let ends: Vec<&Endpoint> = pipe.side(side).collect();
        let openers: Vec<&Opener> = pipe.openers.iter().filter(|opener| opener.access.is_on(side)).collect();
        if ends.is_empty() && openers.is_empty() {
            return self.absent(pipe, &[side], style, text);
        }
        self.ends(&ends, 0, style, text);
        for (index, opener) in openers.into_iter().enumerate() {
            text.push_str(if index == 0 && ends.is_empty() { "" } else { style.separator(pipe.ends.len()) });
            push_fmt(text, format_args!("{}", opener.task.pid));
            if !opener.task.is_leader() {
                push_fmt(text, format_args!("/{}", opener.task.tid));
            }
            text.push(',');
            push_name(text, &opener.command, Place::Item);
            text.push_str(",open");
        }
    }

    /// The ends of the other side, or what stands for none, and then the other ends of the same side. Looks no further than it
    /// shows: of a pipe with many ends, each has a row of its own.
    fn other_ends(&self, pipe: &Pipe, key: EndKey, style: &Style, text: &mut String) {
        let own = pipe.ends.iter().find(|end| end.key() == key);
        let across: &[Side] = match own.map(|end| end.access) {
            Some(AccessMode::Read) => &[Side::Write],
            Some(AccessMode::Write) => &[Side::Read],
            Some(AccessMode::ReadWrite) | None => &Side::BOTH,
        };
        let is_across = |end: &&Endpoint| across.iter().any(|side| end.access.is_on(*side));
        let is_other = |end: &&Endpoint| end.key() != key;
        let mut shown: Vec<&Endpoint> = pipe.ends.iter().filter(is_across).filter(is_other).take(MOST_ENDS).collect();
        let none_across = shown.is_empty();
        let room = MOST_ENDS - shown.len();
        shown.extend(pipe.ends.iter().filter(|end| !is_across(end)).filter(is_other).take(room));
        if none_across {
            self.absent(pipe, across, style, text);
            text.push_str(if shown.is_empty() { "" } else { style.separator(shown.len()) });
        }
        let others = pipe.ends.len() - usize::from(own.is_some());
        self.ends(&shown, others - shown.len(), style, text);
    }

    /// What stands for the ends of these sides where none was seen: `hidden` where the kernel says that there is one, `-` where there
    /// is none, which the kernel knows better than the scan, and `?` where there may be one.
    pub(super) fn absent(&self, pipe: &Pipe, sides: &[Side], style: &Style, text: &mut String) {
        let states = || sides.iter().map(|side| (side::state(self.graph, pipe, *side), *side));
        let may_hide = |(state, side)| match state {
            SideState::Hidden | SideState::Unknown => true,
            // The end of the row itself.
            SideState::Seen => side::may_hide(&self.graph.coverage, pipe.id.kind(), side),
            SideState::None => false,
        };
        if states().any(|(state, _)| state == SideState::Hidden) {
            hidden(style, text);
        } else if states().any(may_hide) {
            unsure(style, text);
        } else {
            faint(style, text);
        }
    }

    /// The ends of a cell, and how many more there are.
    fn ends(&self, ends: &[&Endpoint], more: usize, style: &Style, text: &mut String) {
        let separator = style.separator(ends.len());
        for (index, end) in ends.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { separator });
            push_end(self.graph, end, text);
        }
        if more > 0 {
            push_fmt(text, format_args!("{separator}+{more}"));
        }
    }

    fn user(&self, uid: Option<Uid>, text: &mut String) {
        match uid.and_then(|uid| self.users.name(uid)) {
            Some(name) => push_name(text, name.as_bytes(), Place::Word),
            None => show(text, uid),
        }
    }
}

/// `252,grep,0r`, as lsof and lsfd write it. A thread that has the end for itself follows the PID: `252/260,grep,0r`.
pub(super) fn push_end(graph: &PipeGraph, end: &Endpoint, text: &mut String) {
    push_fmt(text, format_args!("{}", end.pid));
    if let Some(tid) = end.tid {
        push_fmt(text, format_args!("/{tid}"));
    }
    text.push(',');
    if let Some(process) = graph.processes.get(&end.pid) {
        push_name(text, &process.command, Place::Item);
    }
    push_fmt(text, format_args!(",{}{}", end.fd, end.access.as_str()));
}

/// Appends a value if there is one.
fn show(text: &mut String, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        push_fmt(text, format_args!("{value}"));
    }
}

fn push_list<'a>(text: &mut String, words: impl Iterator<Item = &'a str>, separator: &str) {
    for (index, word) in words.enumerate() {
        text.push_str(if index == 0 { "" } else { separator });
        text.push_str(word);
    }
}

fn faint(style: &Style, text: &mut String) {
    if style.color {
        TextRole::Faint.push(text, "-");
    } else {
        text.push('-');
    }
}

fn unsure(style: &Style, text: &mut String) {
    if style.color {
        TextRole::Warning.push(text, "?");
    } else {
        text.push('?');
    }
}

fn hidden(style: &Style, text: &mut String) {
    if style.color {
        TextRole::Warning.push(text, "hidden");
    } else {
        text.push_str("hidden");
    }
}

/// Appends a bar of up to [`BAR`] characters, in eighths of one. It is whole only if the pipe is full, which its bytes do not tell:
/// a few small packets may fill it.
fn push_bar(text: &mut String, queued: u64, capacity: Option<u64>, full: Option<bool>) {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let whole = BAR * 8;
    let eighths = match (full, capacity) {
        (Some(true), _) => whole,
        (_, Some(capacity)) if queued > 0 && capacity > 0 => {
            (queued.saturating_mul(whole) / capacity).clamp(1, whole - 1)
        }
        _ => return,
    };
    text.push(' ');
    text.extend((0..eighths / 8).map(|_| '█'));
    text.push_str(usize::try_from(eighths % 8).ok().and_then(|part| PARTS.get(part)).copied().unwrap_or_default());
}
