//! The shape of what `diff --json` prints.

use std::borrow::Cow;

use serde::Serialize;

use super::{Command, Host, Scan, Word};

/// What changed from one saved report to another.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Difference<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    pub(crate) schema_version: u32,
    /// The earlier report.
    pub(crate) old: Origin<'a>,
    /// The later report.
    pub(crate) new: Origin<'a>,
    /// Whether both may be of one boot of one machine. If not, no pipe can be in both.
    pub(crate) same_boot: bool,
    pub(crate) summary: Summary,
    /// The pipes that are not as they were, by ID.
    pub(crate) pipes: Vec<PipeChange<'a>>,
}

/// Where a report comes from.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Origin<'a> {
    pub(crate) host: Host<'a>,
    pub(crate) taken_at: String,
    pub(crate) scan: Scan<'a>,
}

/// How much changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Summary {
    pub(crate) pipes: Count,
    /// Those of pipes that came or went included.
    pub(crate) ends: Count,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Count {
    pub(crate) came: usize,
    pub(crate) went: usize,
    pub(crate) changed: usize,
    /// Of how many of these it is not certain.
    pub(crate) uncertain: usize,
}

/// A pipe that is not as it was.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PipeChange<'a> {
    /// `came`, `went`, or `changed`: it has other ends or another name.
    #[cfg_attr(test, schemars(extend("enum" = ["came", "went", "changed"])))]
    pub(crate) change: Word,
    /// Whether that is certain: not if one of the reports may not show all that there was.
    pub(crate) certain: bool,
    pub(crate) id: String,
    pub(crate) kind: Word,
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    pub(crate) deleted: bool,
    /// The ends that came, went or changed, by PID, thread and descriptor. One that is open for both stands here once.
    pub(crate) ends: Vec<EndChange<'a>>,
}

/// An end that is not as it was.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EndChange<'a> {
    #[cfg_attr(test, schemars(extend("enum" = ["came", "went", "changed"])))]
    pub(crate) change: Word,
    /// Whether that is certain: not if the report that lacks it could not read its process, or was saved with a selection and lacks its
    /// whole pipe.
    pub(crate) certain: bool,
    pub(crate) pid: u32,
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    /// When its process was started.
    pub(crate) started_at: Option<String>,
    #[serde(flatten)]
    pub(crate) now: EndState<'a>,
    /// What it was, if it changed; else null.
    pub(crate) was: Option<EndState<'a>>,
}

/// How an end is open, and who holds it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EndState<'a> {
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    pub(crate) access: Word,
    pub(crate) flags: Option<Vec<Word>>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    pub(crate) uid: Option<u32>,
    pub(crate) user: Option<Cow<'a, str>>,
}
