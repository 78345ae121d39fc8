//! What `diff --json` prints.

use serde::Serialize;

use super::difference::Both;
use crate::diff::{self, Change, Count, EndChange, PipeChange};
use crate::model::{AccessMode, CommandName, Endpoint, OpenFlags, PathName, PipeId, PipeKind, Time, Uid};
use crate::report::{End, Origin, SCHEMA_VERSION};

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
    #[serde(flatten, serialize_with = "PathName::or_null")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    path: Option<PathName>,
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
    #[serde(flatten)]
    now: End<&'a Endpoint, &'a CommandName, Option<&'a str>>,
    /// When its process was started.
    started_at: Option<Time>,
    /// What it was, if it changed; else null.
    was: Option<EndState<'a>>,
}

/// How an end is open, and which process holds it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EndState<'a> {
    access: AccessMode,
    flags: Option<OpenFlags>,
    #[serde(flatten)]
    command: &'a CommandName,
    uid: Option<Uid>,
    user: Option<&'a str>,
}

impl<'a> Both<'a> {
    pub(super) fn json(&self, difference: &'a diff::Difference) -> Difference<'a> {
        Difference {
            schema_version: SCHEMA_VERSION,
            old: self.old.origin(),
            new: self.new.origin(),
            same_boot: difference.same_boot,
            summary: Summary { pipes: difference.pipes(), ends: difference.ends() },
            pipes: difference.pipes.iter().map(|change| self.changed_pipe(change)).collect(),
        }
    }

    fn changed_pipe(&self, change: &'a PipeChange) -> ChangedPipe<'a> {
        let pipe = self.of(change.change).graph.pipe(change.id);
        ChangedPipe {
            change: change.change,
            certain: change.certain,
            id: change.id,
            kind: change.id.kind(),
            path: pipe.and_then(|pipe| pipe.path.clone()),
            deleted: pipe.is_some_and(|pipe| pipe.deleted),
            ends: change.ends.iter().map(|end| self.changed_end(end)).collect(),
        }
    }

    fn changed_end(&self, change: &'a EndChange) -> ChangedEnd<'a> {
        let view = self.of(change.change);
        ChangedEnd {
            change: change.change,
            certain: change.certain,
            now: view.end(&change.end),
            started_at: view.graph.processes.get(&change.end.pid).and_then(|process| process.started_at),
            was: change.was.as_ref().map(|was| {
                let End { end, command, uid, user } = self.old.end(was);
                EndState { access: end.access, flags: end.flags, command, uid, user }
            }),
        }
    }
}
