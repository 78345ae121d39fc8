//! What `diff --json` prints.

use serde::Serialize;

use super::difference::Both;
use crate::diff::{self, Change, Count, EndChange, PipeChange};
use crate::model::{CommandName, Endpoint, Fd, Host, PathName, Pid, PipeId, PipeKind, Tid, Time, Uid};
use crate::report::{SCHEMA_VERSION, Scan};
use crate::report_file::Saved;

/// What changed from one saved report to another.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Difference<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    /// The earlier report.
    old: Origin<'a>,
    /// The later report.
    new: Origin<'a>,
    /// Whether both may be of one boot of one machine. If not, no pipe can be in both.
    same_boot: bool,
    summary: Summary,
    /// The pipes that are not as they were, by ID.
    pipes: Vec<ChangedPipe<'a>>,
}

/// Where a report comes from.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Origin<'a> {
    host: &'a Host,
    taken_at: Time,
    scan: Scan,
}

/// How much changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Summary {
    pipes: Count,
    /// Those of pipes that came or went included.
    ends: Count,
}

/// A pipe that is not as it was.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PipeChange"))]
struct ChangedPipe<'a> {
    change: Change,
    /// Whether that is certain: not if one of the reports may not show all that there was.
    certain: bool,
    id: PipeId,
    kind: PipeKind,
    #[serde(flatten, serialize_with = "path_or_null")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    path: Option<&'a PathName>,
    deleted: bool,
    /// The ends that came, went or changed, by PID, thread and descriptor. An end that is open for reading and writing is listed once.
    ends: Vec<ChangedEnd<'a>>,
}

/// An end that is not as it was.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "EndChange"))]
struct ChangedEnd<'a> {
    change: Change,
    /// Whether that is certain: not if the report that lacks it could not read its process, or was saved with a selection and lacks its
    /// whole pipe.
    certain: bool,
    pid: Pid,
    tid: Option<Tid>,
    fd: Fd,
    /// When its process was started.
    started_at: Option<Time>,
    #[serde(flatten)]
    now: EndState<'a>,
    /// What it was, if it changed; else null.
    was: Option<EndState<'a>>,
}

/// How an end is open, and which process holds it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EndState<'a> {
    access: crate::model::AccessMode,
    flags: Option<crate::model::OpenFlags>,
    #[serde(flatten)]
    command: &'a CommandName,
    uid: Option<Uid>,
    user: Option<&'a str>,
}

fn path_or_null<S: serde::Serializer>(path: &Option<&PathName>, serializer: S) -> Result<S::Ok, S::Error> {
    PathName::or_null(&path.cloned(), serializer)
}

impl<'a> Both<'a> {
    pub(super) fn json(&self, difference: &diff::Difference) -> Difference<'a> {
        Difference {
            schema_version: SCHEMA_VERSION,
            old: origin(self.old),
            new: origin(self.new),
            same_boot: difference.same_boot,
            summary: Summary { pipes: difference.pipes(), ends: difference.ends() },
            pipes: difference.pipes.iter().map(|change| self.changed_pipe(change)).collect(),
        }
    }

    fn changed_pipe(&self, change: &PipeChange) -> ChangedPipe<'a> {
        let pipe = self.of(change.change).graph.pipe(change.id);
        ChangedPipe {
            change: change.change,
            certain: change.certain,
            id: change.id,
            kind: change.id.kind(),
            path: pipe.and_then(|pipe| pipe.path.as_ref()),
            deleted: pipe.is_some_and(|pipe| pipe.deleted),
            ends: change.ends.iter().map(|end| self.changed_end(end)).collect(),
        }
    }

    fn changed_end(&self, change: &EndChange) -> ChangedEnd<'a> {
        let saved = self.of(change.change);
        let Endpoint { pid, tid, fd, .. } = change.end;
        ChangedEnd {
            change: change.change,
            certain: change.certain,
            pid,
            tid,
            fd,
            started_at: saved.graph.processes.get(&pid).and_then(|process| process.started_at),
            now: state(saved, &change.end),
            was: change.was.map(|was| state(self.old, &was)),
        }
    }
}

fn state<'a>(saved: &'a Saved, end: &Endpoint) -> EndState<'a> {
    let process = saved.graph.processes.get(&end.pid);
    let uid = process.and_then(|process| process.uid);
    EndState {
        access: end.access,
        flags: end.flags,
        command: process.map_or(CommandName::EMPTY, |process| &process.command),
        uid,
        user: uid.and_then(|uid| saved.users.name(uid)),
    }
}

fn origin(saved: &Saved) -> Origin<'_> {
    Origin { host: &saved.graph.host, taken_at: saved.graph.taken_at, scan: Scan::of(&saved.graph) }
}
