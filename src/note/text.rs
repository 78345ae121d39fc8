//! The text of notes that take more than a format string.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Cure, MAX_PIPES, more};
use crate::cli::PipeName;
use crate::escape::quote_name;
use crate::model::{
    CommandName, Gap, HiddenVia, Pid, PipeId, PossibleHolder, ScanLimit, Suspects, UnreadablePart, ViewLimit,
};

/// Maximum number of names that a note suggests.
const MAX_NAMES: usize = 3;

/// Maximum number of possible holders of an end that a note names.
const MAX_HOLDERS: usize = 4;

pub(super) fn not_listed(outside: Option<ViewLimit>) -> &'static str {
    match outside {
        Some(ViewLimit::Hidepid) => {
            ", which is mounted with hidepid and does not show processes of other users: run lspipe as root"
        }
        Some(ViewLimit::PidNamespace) => ", which shows only one PID namespace",
        None => "",
    }
}

pub(super) fn no_pipe(name: &PipeName, process: Option<Pid>, command: &str) -> String {
    match (name, process) {
        (PipeName::Id(id), _) => format!("no process is known to have {id} open"),
        (PipeName::Path(path), _) => {
            let path = quote_path(path);
            format!("no process is known to have {path} open or to be blocked in open(2) of it")
        }
        (PipeName::Inode(inode), Some(pid)) => {
            format!("no open pipe has inode {inode}; for process {pid}: {command} -p {pid}")
        }
        (PipeName::Inode(inode), None) => format!("no process is known to have a pipe with inode {inode} open"),
    }
}

/// `the fd tables of 50 selected processes could not be read (EACCES), such as 6842, 7786: run as root (sudo)`
pub(super) fn unreadable_tables(gap: &Gap, others: &[Pid], file: &Option<String>, cure: &Cure) -> String {
    let (when, errno, cure) = (when(file), errno(gap), what_to_do(file, cure));
    match others {
        [] => format!("the fd table of process {} could not be read{when} ({errno}){cure}", gap.pid),
        [second, rest @ ..] => {
            let (first, count) = (gap.pid, others.len() + 1);
            let such = if rest.is_empty() { "" } else { "such as " };
            format!(
                "the fd tables of {count} selected processes could not be read{when} ({errno}), {such}{first}, {second}{cure}"
            )
        }
    }
}

pub(super) fn in_file(file: &Option<String>) -> String {
    file.as_ref().map_or_else(String::new, |file| format!(" in {file}"))
}

/// The names that a part of a name might have meant, with the expression that matches them.
pub(super) fn similar<'a>(
    part: &[u8],
    names: impl Iterator<Item = &'a CommandName>,
) -> Option<(String, Vec<CommandName>)> {
    // Nothing of it may mean anything in an expression.
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let text =
        std::str::from_utf8(part).ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| is_plain(&byte)))?;
    let names: BTreeSet<&CommandName> = names.collect();
    let such = |is_such: &dyn Fn(&[u8]) -> bool| -> Vec<CommandName> {
        names.iter().filter(|name| is_such(name)).copied().cloned().collect()
    };
    let contains = |name: &[u8], part: &[u8]| name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    [
        (format!("/^{text}/"), such(&|name| name.starts_with(part))),
        (format!("/{text}/"), such(&|name| name.windows(part.len()).any(|window| window == part))),
        (format!("/(?i){text}/"), such(&|name| contains(name, part))),
    ]
    .into_iter()
    .find(|(_, names)| !names.is_empty())
}

/// `; /^slee/ would match sleep`
pub(super) fn would_match(similar: Option<&(String, Vec<CommandName>)>) -> String {
    let Some((pattern, names)) = similar else { return String::new() };
    let mut named: Vec<String> = names.iter().take(MAX_NAMES).map(|name| quote_name(name)).collect();
    named.extend(more(names.len(), MAX_NAMES).map(|more| format!("{more} more names")));
    format!("; {pattern} would match {}", named.join(", "))
}

/// `3 sockets and a terminal`; not both are 0.
pub(super) fn sockets_and_terminals(sockets: usize, terminals: usize) -> String {
    let counted =
        |count: usize, noun: &str| (count > 0).then(|| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
    let words = [counted(sockets, "socket"), counted(terminals, "terminal descriptor")];
    words.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

pub(super) fn of_host(name: &Option<String>) -> String {
    name.as_ref().map_or_else(String::new, |name| format!(" of {}", quote_name(name.as_bytes())))
}

pub(super) fn unread(gap: &Gap) -> String {
    let (pid, command) = (gap.pid, known(&[name_or_nothing(&gap.command)]));
    let part = match gap.what {
        UnreadablePart::Fd { fd } => format!("descriptor {fd}"),
        UnreadablePart::Cmdline => "the command line".to_owned(),
        UnreadablePart::FdTable | UnreadablePart::FdLinks | UnreadablePart::Tasks => "the fd table".to_owned(),
    };
    if gap.is_timeout() {
        let mount = gap.mount.as_deref().map_or_else(String::new, |mount| format!(" on {}", quote_path(mount)));
        format!("process {pid}{command}: {part}{mount} did not answer and is left out; its file system may be dead")
    } else {
        format!("process {pid}{command}: {part} could not be read ({})", errno(gap))
    }
}

/// One short line: a person reads it below each report.
pub(super) fn incomplete(
    unreadable: usize,
    processes: usize,
    only: &Option<(Pid, CommandName)>,
    file: &Option<String>,
    cure: &Cure,
) -> String {
    let which = match only {
        Some((pid, _)) if *pid == Pid(1) => " (PID 1)".to_owned(),
        Some((pid, command)) => known(&[format!("PID {pid}"), name_or_nothing(command)]),
        None => String::new(),
    };
    let (which_of, they) = match unreadable {
        1 => ("1 process".to_owned(), "it"),
        _ => (format!("{unreadable} of {processes} processes"), "they"),
    };
    // PID 1 of a container or a virtual machine is often out of reach, and nothing can be done about it.
    let cure = match cure {
        Cure::SecurityModule if file.is_none() && unreadable == 1 => String::new(),
        cure if file.is_none() => format!("; {cure}"),
        _ => String::new(),
    };
    format!("{which_of} could not be read{}{which}: ? marks ends {they} may hold{cure}", when(file))
}

pub(super) fn were_left_out(left_out: usize, processes: usize, limit: ScanLimit, file: &Option<String>) -> String {
    let (verb, when) = (if left_out == 1 { "was" } else { "were" }, when(file));
    let what = match limit {
        ScanLimit::Size => format!("{verb} not read whole{when}"),
        _ => format!("{verb} not looked at{when} and may hold ends that are not shown (?)"),
    };
    format!("{left_out} of {processes} processes {what}: {}", cause(limit))
}

pub(super) const fn cause(limit: ScanLimit) -> &'static str {
    match limit {
        ScanLimit::Time => "the time limit of the scan was reached (--budget)",
        ScanLimit::Size => "the size limit of the scan was reached (--budget)",
        ScanLimit::HungCalls => "too many calls did not return before; the file systems of other processes may be dead",
        ScanLimit::Threads => {
            "no thread could be started for them; raise the limit of processes, such as `ulimit -u` or TasksMax= of systemd"
        }
    }
}

pub(super) fn private_mounts(gap: &Gap, fds: u64, file: &Option<String>) -> String {
    let first = match gap.what {
        UnreadablePart::Fd { fd } => {
            format!("descriptor {fd} of process {}{}", gap.pid, known(&[quote_name(&gap.command)]))
        }
        _ => format!("a descriptor of process {}{}", gap.pid, known(&[quote_name(&gap.command)])),
    };
    let others = match fds {
        0 | 1 => "may be an end of a FIFO: its file system answers only its own user".to_owned(),
        fds => format!("and {} more may be ends of FIFOs: their file systems answer only their own users", fds - 1),
    };
    let cure = if file.is_none() { "; run lspipe as that user" } else { "" };
    format!("{first} {others} ({}, as of FUSE without allow_other){cure}", errno(gap))
}

pub(super) fn outside(limit: ViewLimit, own_pids: bool, is_saved: bool) -> String {
    let (what, cure) = match limit {
        ViewLimit::PidNamespace if own_pids => ("shows only one PID namespace: ends held outside it", "on the host"),
        // Our own is another, which may show more.
        ViewLimit::PidNamespace => {
            ("shows only one PID namespace: ends held outside it", "without --proc, or on the host")
        }
        ViewLimit::Hidepid => ("is mounted with hidepid: ends held by processes of other users", "as root"),
    };
    let (proc, cure) = match is_saved {
        true => ("the proc of this report", String::new()),
        false => ("this proc", format!("; run lspipe {cure}")),
    };
    format!("{proc} {what} are not seen and shown as ?{cure}")
}

/// The first of these pipes, with the number of the others.
pub(super) fn first_pipes(pipes: &[PipeId]) -> String {
    let mut named: Vec<String> = pipes.iter().take(MAX_PIPES).map(ToString::to_string).collect();
    named.extend(more(pipes.len(), MAX_PIPES).map(|more| format!("{more} more pipes")));
    named.join(", ")
}

/// `that of process 70 (postgres), …, or process 1 (init), which could not be read`
pub(super) fn possible_holders(holders: &Suspects) -> String {
    let count = holders.named.len() + holders.omitted();
    // The first of many unreadable processes is no more likely than the others.
    if count > 1 && holders.named.iter().all(|holder| holder.how == HiddenVia::Unreadable) {
        return format!("one of {count} processes that could not be read");
    }
    let mut named: Vec<String> = holders.named.iter().take(MAX_HOLDERS).map(possible_holder).collect();
    named.extend(more(count, MAX_HOLDERS).map(|more| format!("one of {more} others")));
    named.join(", or ")
}

fn possible_holder(holder: &PossibleHolder) -> String {
    let command = name_or_nothing(holder.command.as_deref().unwrap_or_default());
    let pid = holder.pid.map_or_else(String::new, |pid| pid.to_string());
    let fd = holder.fd.map_or_else(String::new, |fd| format!("fd {fd}"));
    let process = format!("process {pid}{}", known(&[command, fd]));
    match holder.how {
        HiddenVia::ScmRights => format!("one in flight to {process}: sent to its socket and not received yet"),
        HiddenVia::IoUring => format!("one registered with the io_uring of {process}"),
        HiddenVia::Exiting => format!("{process}, which is stuck in exiting"),
        HiddenVia::Autofs => "the kernel, which uses it to serve an autofs mount".to_owned(),
        HiddenVia::Unreadable => format!("{process}, which could not be read"),
        HiddenVia::Outside => "a process that cannot be seen from here".to_owned(),
    }
}

/// ` (cat, fd 3)`, without the facts that are empty.
pub(super) fn known(facts: &[String]) -> String {
    let facts: Vec<&str> = facts.iter().map(String::as_str).filter(|fact| !fact.is_empty()).collect();
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) }
}

pub(super) fn when(file: &Option<String>) -> String {
    file.as_ref().map_or_else(String::new, |file| format!(" when {file} was saved"))
}

/// Nothing of a saved report.
fn what_to_do(file: &Option<String>, cure: &Cure) -> String {
    if file.is_none() { format!(": {cure}") } else { String::new() }
}

/// Escaped, since a saved report may hold anything in its place.
pub(super) fn errno(gap: &Gap) -> String {
    quote_name(gap.error.as_bytes())
}

pub(super) fn name_or_nothing(name: &[u8]) -> String {
    if name.is_empty() { String::new() } else { quote_name(name) }
}

pub(super) fn quote_path(path: &Path) -> String {
    quote_name(path.as_os_str().as_bytes())
}
