//! From the model to the shapes of the JSON.

mod audit;
mod facts;
mod graph;
mod why;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use self::facts::{limits, pipe_file, process_facts};
use super::ReportView;
use crate::model::{
    AccessMode, Descriptor, Endpoint, FileType, Gap, OpenFlags, Opener, Pid, Pipe, PossibleHolder, Process, Side,
    UnreadablePart, ViewLimit,
};
use crate::shape::{self, Command, Host, Line, PossibleEnds, Report, SCHEMA_VERSION, Scan, exact};

/// A list whose items are made one by one while they are written: all together they may be large.
pub(super) struct Each<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

impl<'a> ReportView<'a> {
    pub(super) fn report(&'a self) -> Report<'a, impl Serialize, impl Serialize> {
        let graph = self.graph;
        let hidden = || graph.hidden.anywhere().map(|it| suspect(&it)).collect();
        let descriptors = || graph.descriptors.iter().map(descriptor).collect();
        Report {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            unreadable: graph.coverage.gaps.iter().map(unreadable).collect(),
            processes: Each(|| graph.processes.values().map(|process| self.process_view(process))),
            pipes: Each(|| graph.pipes.iter().map(|pipe| self.pipe_view(pipe))),
            ancestors: self.told.map(|_| self.ancestors()),
            hidden: self.told.map(|_| hidden()).filter(|hidden: &Vec<_>| !hidden.is_empty()),
            limits: limits(&graph.limits),
            descriptors: (!graph.descriptors.is_empty()).then(descriptors),
            threads: self.threads(),
            waits: self.waits(),
            findings: self.findings(),
            audit: self.audit(),
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

    pub(super) fn host(&self) -> Host<'a> {
        let host = &self.graph.host;
        let text = |fact: &'a Option<String>| fact.as_deref().map(Cow::Borrowed);
        Host {
            hostname: text(&host.hostname),
            kernel: text(&host.kernel),
            boot_id: text(&host.boot_id),
            booted_at: host.booted_at.map(|time| format!("{time:.3}")),
        }
    }

    pub(super) fn taken_at(&self) -> String {
        format!("{:.3}", self.graph.taken_at)
    }

    pub(super) fn scan(&self) -> Scan<'a> {
        let coverage = &self.graph.coverage;
        Scan {
            proc: coverage.proc_root.to_string_lossy(),
            complete: coverage.is_complete(),
            processes: coverage.processes,
            unreadable: coverage.unreadable(),
            vanished: coverage.vanished,
            outside: coverage.outside.map(|outside| ViewLimit::as_str(outside).into()),
            selected: self.graph.selected,
            pid: coverage.scanner.map(|pid| pid.0),
        }
    }

    /// Who stands above the processes without a pipe of its own: by this it is known who descends from whom.
    fn ancestors(&self) -> Vec<shape::Ancestor> {
        let graph = self.graph;
        let above: BTreeSet<Pid> = graph.processes.keys().flat_map(|pid| graph.ancestors(*pid)).collect();
        let others = above.into_iter().filter(|pid| !graph.processes.contains_key(pid));
        let known = others.filter_map(|pid| Some((pid, (*graph.parents.get(&pid)?)?)));
        known.map(|(pid, parent)| shape::Ancestor { pid: pid.0, ppid: parent.0 }).collect()
    }

    fn process_view(&self, process: &'a Process) -> shape::Process<'a> {
        let cmdline = process.cmdline.as_ref();
        let inexact = cmdline.filter(|cmdline| std::str::from_utf8(&cmdline.0).is_err());
        let lossy = |argument: &[u8]| String::from_utf8_lossy(argument).into_owned();
        shape::Process {
            pid: process.pid.0,
            ppid: process.ppid,
            pgid: process.pgid,
            sid: process.sid,
            uid: process.uid.map(|uid| uid.0),
            user: process.uid.and_then(|uid| self.users.name(uid)).map(Cow::Borrowed),
            command: Command::of(&process.command),
            cmdline: cmdline.map(|cmdline| cmdline.arguments().map(lossy).collect()),
            cmdline_bytes: inexact.map(|cmdline| cmdline.arguments().map(shape::base64).collect()),
            state: process.state,
            started_at: process.started_at.map(|time| format!("{time:.3}")),
            ns_pid: process.ns_pid,
            container: process.container.as_deref().map(Cow::Borrowed),
            unit: process.unit.as_deref().map(Cow::Borrowed),
            facts: process_facts(process),
        }
    }

    fn pipe_view(&self, pipe: &'a Pipe) -> shape::Pipe<'a> {
        let probed = self.graph.probed(pipe.id);
        let suspects = || self.graph.suspects(pipe).iter().map(suspect).collect();
        shape::Pipe {
            id: pipe.id.to_string(),
            kind: pipe.id.kind().as_str().into(),
            inode: pipe.id.inode(),
            device: self.graph.device(pipe.id).map(|device| device.to_string()),
            path: pipe.path.as_deref().map(String::from_utf8_lossy),
            path_bytes: pipe.path.as_deref().and_then(exact),
            deleted: pipe.deleted,
            readers: pipe.side(Side::Read).map(|end| self.end_view(end)).collect(),
            writers: pipe.side(Side::Write).map(|end| self.end_view(end)).collect(),
            openers: pipe.openers.iter().map(opener).collect(),
            queued: probed.queued,
            capacity: probed.capacity,
            full: probed.full,
            hidden_readers: self.graph.hides(pipe, Side::Read),
            hidden_writers: self.graph.hides(pipe, Side::Write),
            hidden_by: self.graph.hides_any(pipe).then(suspects),
            file: pipe.file.as_ref().map(pipe_file),
        }
    }

    fn end_view(&self, end: &Endpoint) -> shape::End<'a> {
        let process = self.graph.processes.get(&end.pid);
        let uid = process.and_then(|process| process.uid);
        shape::End {
            pid: end.pid.0,
            tid: end.tid.map(|tid| tid.0),
            fd: end.fd.0,
            access: AccessMode::as_str(end.access).into(),
            flags: end.flags.map(flags),
            command: Command::of(process.map_or(&[], |process| &process.command)),
            uid: uid.map(|uid| uid.0),
            user: uid.and_then(|uid| self.users.name(uid)).map(Cow::Borrowed),
        }
    }
}

fn flags(flags: OpenFlags) -> Vec<shape::Word> {
    flags.names().map(Cow::Borrowed).collect()
}

fn descriptor(descriptor: &Descriptor) -> shape::Descriptor<'_> {
    shape::Descriptor {
        pid: descriptor.pid.0,
        tid: descriptor.tid.map(|tid| tid.0),
        fd: descriptor.fd.0,
        access: descriptor.access.map(|access| AccessMode::as_str(access).into()),
        file_type: descriptor.file_type.map(|file_type| FileType::as_str(file_type).into()),
        flags: descriptor.flags.map(flags),
        target: descriptor.target.as_deref().map(String::from_utf8_lossy),
        target_bytes: descriptor.target.as_deref().and_then(exact),
        pipe: descriptor.pipe.map(|pipe| pipe.to_string()),
    }
}

fn opener(opener: &Opener) -> shape::Opener<'_> {
    shape::Opener {
        pid: opener.task.pid.0,
        tid: opener.task.tid.0,
        access: opener.access.as_str().into(),
        command: Command::of(&opener.command),
    }
}

fn unreadable(gap: &Gap) -> shape::Unreadable<'_> {
    shape::Unreadable {
        pid: gap.pid.0,
        tid: gap.tid.map(|tid| tid.0),
        command: Command::of(&gap.command),
        uid: gap.uid.map(|uid| uid.0),
        what: gap.what.as_str().into(),
        error: Cow::Borrowed(&gap.error),
        fd: if let UnreadablePart::Fd(fd) = gap.what { Some(fd.0) } else { None },
        fds: gap.fds,
        mount: gap.mount.as_ref().map(|mount| mount.to_string_lossy()),
        may_hold: Some(PossibleEnds {
            read: gap.may_hold.read,
            write: gap.may_hold.write,
            anonymous: gap.may_hold.anonymous,
        }),
    }
}

fn suspect(suspect: &PossibleHolder) -> shape::PossibleHolder {
    let command = suspect.command.as_deref();
    shape::PossibleHolder {
        how: suspect.how.as_str().into(),
        pid: suspect.pid.map(|pid| pid.0),
        fd: suspect.fd.map(|fd| fd.0),
        command: command.map(|command| String::from_utf8_lossy(command).into_owned()),
        command_bytes: command.and_then(exact),
    }
}
