//! The shapes of the JSON output, schema version 1. They exist to be serialised only: they borrow from the model, and reading a
//! report back is left out on purpose.
//!
//! A name that is no UTF-8 is given lossily in its field, and exactly, in base64, in a field with `_bytes` added.

mod descriptor;
mod drawing;
mod why;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use self::descriptor::{DescriptorView, descriptor_view};
#[cfg(test)]
pub(super) use self::drawing::Graph;
use self::why::{FindingView, WaitView};
use super::Sheet;
use crate::model::{Endpoint, Gap, Opener, Pipe, Process, Side, Suspect, Unread};

/// The version of the schema. Adding a field keeps it.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// A whole report.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "lspipe report"))]
pub(super) struct Report<'a> {
    /// 1; adding a field keeps it.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    host: Host<'a>,
    /// When the scan began: RFC 3339, UTC, to the millisecond.
    taken_at: String,
    scan: Scan,
    /// What could not be read, by PID.
    unreadable: Vec<Unreadable<'a>>,
    /// The processes that hold an end of a listed pipe, or wait to open one, by PID.
    #[cfg_attr(test, schemars(with = "Vec<ProcessView>"))]
    processes: Processes<'a>,
    /// The pipes, by ID.
    #[cfg_attr(test, schemars(with = "Vec<PipeView>"))]
    pipes: Pipes<'a>,
    /// The whole fd tables that were asked for; only from `lspipe fds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptors: Option<Vec<DescriptorView<'a>>>,
    /// Who waits for a pipe or a child, by PID, thread and descriptor; only from `lspipe why`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Vec<WaitView<'a>>>,
    /// What is wrong, the worst first; only from `lspipe why`.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<FindingView<'a>>>,
}

/// One line of `--ndjson`: a pipe, complete in itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Line<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    host: Host<'a>,
    taken_at: String,
    scan: Scan,
    pipe: PipeView<'a>,
}

/// The machine; a field is null where the proc tree does not say.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Host<'a> {
    hostname: Option<&'a str>,
    /// The release of the kernel.
    kernel: Option<&'a str>,
    boot_id: Option<&'a str>,
}

/// How much of the machine was seen.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Scan {
    /// The proc root.
    proc: String,
    /// Whether everything was seen. If not, a pipe may have ends that are not listed.
    complete: bool,
    /// How many processes there were.
    processes: usize,
    /// How many of them could not be read whole.
    unreadable: usize,
    /// How many processes and descriptors went away while the scan looked at them.
    vanished: usize,
    /// Why there may be processes that were not even listed: `pid-namespace` or `hidepid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<&'static str>,
}

/// Something that could not be read.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Unreadable<'a> {
    pid: u32,
    /// The thread, where it is about an fd table of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    #[serde(flatten)]
    command: Command<'a>,
    /// The effective user ID.
    uid: Option<u32>,
    /// What of the process: `fd_table`, `fd_links`, `tasks`, `fd` or `cmdline`.
    what: &'static str,
    /// The name of an errno; `ETIMEDOUT` for a call that gave no answer.
    error: &'a str,
    /// The descriptor, where it is a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<u32>,
    /// How many descriptors are concerned, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    fds: Option<u64>,
    /// Where the mount is that gave no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    mount: Option<String>,
}

/// A process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Process"))]
struct ProcessView<'a> {
    pid: u32,
    ppid: Option<u32>,
    pgid: Option<u32>,
    sid: Option<u32>,
    /// The effective user ID.
    uid: Option<u32>,
    user: Option<&'a str>,
    #[serde(flatten)]
    command: Command<'a>,
    /// The command line, of which the first 128 KiB are read.
    cmdline: Option<Vec<String>>,
    /// Every argument in base64, if any of them is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    cmdline_bytes: Option<Vec<String>>,
    /// The state letter of `proc_pid_stat(5)`.
    state: Option<char>,
    /// RFC 3339, UTC.
    started_at: Option<String>,
    /// Its PID in its own PID namespace, where that is another than the scanned one.
    ns_pid: Option<u32>,
    container: Option<&'a str>,
    /// The systemd unit.
    unit: Option<&'a str>,
}

/// A pipe or FIFO.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Pipe"))]
pub(super) struct PipeView<'a> {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`.
    id: String,
    /// `anonymous` or `fifo`.
    #[cfg_attr(test, schemars(extend("enum" = ["anonymous", "fifo"])))]
    kind: &'static str,
    inode: u64,
    /// `MAJ:MIN`; null for an anonymous pipe in a tree of plain files.
    device: Option<String>,
    /// The name a FIFO was opened by.
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    /// Whether the FIFO has no name left in its file system.
    deleted: bool,
    /// By PID, thread and descriptor. An end that is open for both stands in both lists.
    #[cfg_attr(test, schemars(with = "Vec<End>"))]
    readers: Ends<'a>,
    #[cfg_attr(test, schemars(with = "Vec<End>"))]
    writers: Ends<'a>,
    /// Who is blocked in opening this FIFO, by PID and thread; looked for by `lspipe why`, and where a FIFO is named.
    openers: Vec<OpenerView<'a>>,
    /// Bytes in the pipe; null unless `--probe` asked and the kernel answered.
    queued: Option<u64>,
    /// Bytes that fit into the pipe; null likewise. It may be full with less, if those came in small pieces.
    capacity: Option<u64>,
    /// Whether all its buffers are in use, so that poll(2) tells writers to wait; with `--probe` only, and only where a write end
    /// could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<bool>,
    /// With `--probe`: true if a read end exists that no fd table shows, false if none exists at all; null where `readers` has
    /// any, since nobody counts those that exist, and where the kernel did not say.
    hidden_readers: Option<bool>,
    /// The same of write ends and `writers`. Of a FIFO it may be null where it would be true.
    hidden_writers: Option<bool>,
    /// Who may hold the end that no fd table shows, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_by: Option<Vec<SuspectView>>,
}

/// Somebody who may hold an end that no fd table shows.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Suspect"))]
struct SuspectView {
    /// `scm-rights`: sent over a UNIX socket to this process, and not received yet. `io_uring`: registered with the ring of this
    /// process. `exiting`: this process is stuck in exiting. `autofs`: the kernel. `unreadable`: the fd table of this process could
    /// not be read. `outside`: not to be seen from here.
    #[cfg_attr(test, schemars(extend("enum" = ["scm-rights", "io_uring", "exiting", "autofs", "unreadable", "outside"])))]
    how: &'static str,
    pid: Option<u32>,
    /// The descriptor of the socket or of the ring.
    fd: Option<u32>,
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_bytes: Option<String>,
}

/// An end of a pipe.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct End<'a> {
    pid: u32,
    /// The thread, where the descriptor is in a table that it does not share with its process.
    tid: Option<u32>,
    fd: u32,
    /// `r`, `w` or `rw`.
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    access: &'static str,
    /// Names of fcntl.h; null where they could not be read.
    flags: Option<Vec<&'static str>>,
    #[serde(flatten)]
    command: Command<'a>,
    /// The effective user ID.
    uid: Option<u32>,
    user: Option<&'a str>,
}

/// A thread that is blocked in opening a FIFO, until somebody opens its other side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Opener"))]
struct OpenerView<'a> {
    pid: u32,
    tid: u32,
    /// `r` or `w`; `rw` where that could not be told.
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    access: &'static str,
    #[serde(flatten)]
    command: Command<'a>,
}

/// A command name.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Command<'a> {
    command: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_bytes: Option<String>,
}

/// The processes of a report, made one by one while they are written.
struct Processes<'a>(&'a Sheet<'a>);

impl Serialize for Processes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.graph.processes.values().map(|process| self.0.process_view(process)))
    }
}

/// The pipes of a report, made one by one while they are written.
struct Pipes<'a>(&'a Sheet<'a>);

impl Serialize for Pipes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.graph.pipes.iter().map(|pipe| self.0.pipe_view(pipe)))
    }
}

/// The ends of a side, likewise.
struct Ends<'a>(&'a Sheet<'a>, &'a Pipe, Side);

impl Serialize for Ends<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.side(self.2).map(|end| self.0.end_view(end)))
    }
}

impl<'a> Sheet<'a> {
    pub(super) fn report(&'a self) -> Report<'a> {
        let graph = self.graph;
        let descriptors = || graph.descriptors.iter().map(descriptor_view).collect();
        Report {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            unreadable: graph.coverage.gaps.iter().map(unreadable).collect(),
            processes: Processes(self),
            pipes: Pipes(self),
            descriptors: (!graph.descriptors.is_empty()).then(descriptors),
            waits: self.waits(),
            findings: self.findings(),
        }
    }

    pub(super) fn line(&'a self, pipe: &'a Pipe) -> Line<'a> {
        Line {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            pipe: self.pipe_view(pipe),
        }
    }

    fn host(&self) -> Host<'a> {
        let host = &self.graph.host;
        Host { hostname: host.hostname.as_deref(), kernel: host.kernel.as_deref(), boot_id: host.boot_id.as_deref() }
    }

    fn taken_at(&self) -> String {
        format!("{:.3}", self.graph.taken_at)
    }

    fn scan(&self) -> Scan {
        let coverage = &self.graph.coverage;
        Scan {
            proc: coverage.proc_root.to_string_lossy().into_owned(),
            complete: coverage.is_complete(),
            processes: coverage.processes,
            unreadable: coverage.unreadable(),
            vanished: coverage.vanished,
            outside: coverage.outside.map(crate::model::Outside::as_str),
        }
    }

    fn process_view(&self, process: &'a Process) -> ProcessView<'a> {
        let cmdline = process.cmdline.as_ref();
        let inexact = cmdline.filter(|cmdline| std::str::from_utf8(&cmdline.0).is_err());
        let lossy = |argument: &[u8]| String::from_utf8_lossy(argument).into_owned();
        ProcessView {
            pid: process.pid.0,
            ppid: process.ppid,
            pgid: process.pgid,
            sid: process.sid,
            uid: process.uid.map(|uid| uid.0),
            user: process.uid.and_then(|uid| self.users.name(uid)),
            command: command(&process.command),
            cmdline: cmdline.map(|cmdline| cmdline.arguments().map(lossy).collect()),
            cmdline_bytes: inexact.map(|cmdline| cmdline.arguments().map(|it| STANDARD.encode(it)).collect()),
            state: process.state,
            started_at: process.started_at.map(|time| format!("{time:.3}")),
            ns_pid: process.ns_pid,
            container: process.container.as_deref(),
            unit: process.unit.as_deref(),
        }
    }

    fn pipe_view(&'a self, pipe: &'a Pipe) -> PipeView<'a> {
        let probed = self.graph.probed(pipe.id);
        let suspects = || self.graph.suspects(pipe).iter().map(suspect_view).collect();
        PipeView {
            id: pipe.id.to_string(),
            kind: pipe.id.kind().as_str(),
            inode: pipe.id.inode(),
            device: self.graph.device(pipe.id).map(|device| device.to_string()),
            path: pipe.path.as_ref().map(|path| String::from_utf8_lossy(path).into_owned()),
            path_bytes: pipe.path.as_deref().and_then(exact),
            deleted: pipe.deleted,
            readers: Ends(self, pipe, Side::Read),
            writers: Ends(self, pipe, Side::Write),
            openers: pipe.openers.iter().map(opener_view).collect(),
            queued: probed.queued,
            capacity: probed.capacity,
            full: probed.full,
            hidden_readers: self.graph.hides(pipe, Side::Read),
            hidden_writers: self.graph.hides(pipe, Side::Write),
            hidden_by: self.graph.hides_any(pipe).then(suspects),
        }
    }

    fn end_view(&self, end: &Endpoint) -> End<'a> {
        let process = self.graph.processes.get(&end.pid);
        let uid = process.and_then(|process| process.uid);
        End {
            pid: end.pid.0,
            tid: end.tid.map(|tid| tid.0),
            fd: end.fd.0,
            access: end.access.as_str(),
            flags: end.flags.map(|flags| flags.names().collect()),
            command: command(process.map_or(&[], |process| &process.command)),
            uid: uid.map(|uid| uid.0),
            user: uid.and_then(|uid| self.users.name(uid)),
        }
    }
}

fn opener_view(opener: &Opener) -> OpenerView<'_> {
    OpenerView {
        pid: opener.task.pid.0,
        tid: opener.task.tid.0,
        access: opener.access.as_str(),
        command: command(&opener.command),
    }
}

fn unreadable(gap: &Gap) -> Unreadable<'_> {
    Unreadable {
        pid: gap.pid.0,
        tid: gap.tid.map(|tid| tid.0),
        command: command(&gap.command),
        uid: gap.uid.map(|uid| uid.0),
        what: gap.what.as_str(),
        error: &gap.error,
        fd: if let Unread::Fd(fd) = gap.what { Some(fd.0) } else { None },
        fds: gap.fds,
        mount: gap.mount.as_ref().map(|mount| mount.to_string_lossy().into_owned()),
    }
}

fn suspect_view(suspect: &Suspect) -> SuspectView {
    let command = suspect.command.as_deref();
    SuspectView {
        how: suspect.how.as_str(),
        pid: suspect.pid.map(|pid| pid.0),
        fd: suspect.fd.map(|fd| fd.0),
        command: command.map(|command| String::from_utf8_lossy(command).into_owned()),
        command_bytes: command.and_then(exact),
    }
}

fn command(name: &[u8]) -> Command<'_> {
    Command { command: String::from_utf8_lossy(name), command_bytes: exact(name) }
}

/// The bytes of a name in base64, where its text cannot give them.
fn exact(name: &[u8]) -> Option<String> {
    std::str::from_utf8(name).is_err().then(|| STANDARD.encode(name))
}
