//! The text of notes that take more than a format string.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Cure, MAX_PIPES, more};
use crate::cli::PipeName;
use crate::escape::quote_name;
use crate::model::{Gap, HiddenVia, Pid, PipeId, PossibleHolder, ScanLimit, Suspects, UnreadablePart, ViewLimit};

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

pub(super) fn no_pipe(name: &PipeName, process: Option<Pid>) -> String {
    match (name, process) {
        (PipeName::Id(id), _) => format!("no process is known to have {id} open"),
        (PipeName::Path(path), _) => {
            let path = quote_path(path);
            format!("no process is known to have {path} open or to be blocked in open(2) of it")
        }
        (PipeName::Inode(inode), Some(pid)) => {
            format!("no open pipe has inode {inode}; for the pipes of process {pid}: lspipe -p {pid}")
        }
        (PipeName::Inode(inode), None) => format!("no process is known to have a pipe with inode {inode} open"),
    }
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
pub(super) fn what_to_do(file: &Option<String>, cure: &Cure) -> String {
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
