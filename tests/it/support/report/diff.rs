//! The strict types of what `diff --json` prints.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Host, Scan, Time, nullable};
use crate::support::promises::assert_ascending;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    pub(crate) schema_version: u32,
    pub(crate) old: Origin,
    pub(crate) new: Origin,
    pub(crate) same_boot: bool,
    pub(crate) summary: Summary,
    pub(crate) pipes: Vec<PipeChange>,
}

/// Where a report comes from.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    pub(crate) host: Host,
    pub(crate) taken_at: Time,
    pub(crate) scan: Scan,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    pub(crate) pipes: Count,
    pub(crate) ends: Count,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) came: usize,
    pub(crate) went: usize,
    pub(crate) changed: usize,
    pub(crate) uncertain: usize,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipeChange {
    pub(crate) change: String,
    pub(crate) certain: bool,
    pub(crate) id: String,
    pub(crate) kind: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) path: Option<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) path_bytes: Option<String>,
    pub(crate) deleted: bool,
    pub(crate) ends: Vec<EndChange>,
}

/// What a change says of an end; its parts stand in one object with that.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndChange {
    pub(crate) change: String,
    pub(crate) certain: bool,
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) started_at: Option<Time>,
    pub(crate) access: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) flags: Option<Vec<String>>,
    pub(crate) command: String,
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) command_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) uid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) user: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) was: Option<EndState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndState {
    pub(crate) access: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) flags: Option<Vec<String>>,
    pub(crate) command: String,
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) command_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) uid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) user: Option<String>,
}

impl Difference {
    /// Reads it, and checks what holds for any.
    #[track_caller]
    pub(crate) fn parse(json: &[u8]) -> Self {
        let difference: Self = serde_json::from_slice(json).unwrap_or_else(|error| {
            panic!("not the JSON of the contract: {error}\n{}", String::from_utf8_lossy(json));
        });
        difference.check();
        difference
    }

    #[track_caller]
    fn check(&self) {
        assert_eq!(self.schema_version, 1);
        let pipes = self.pipes.iter().map(|pipe| (pipe.change.as_str(), pipe.certain));
        let ends = self.pipes.iter().flat_map(|pipe| &pipe.ends).map(|end| (end.change.as_str(), end.certain));
        assert_eq!(self.summary, Summary { pipes: Count::of(pipes), ends: Count::of(ends) });
        let ids: BTreeSet<&str> = self.pipes.iter().map(|pipe| pipe.id.as_str()).collect();
        assert!(ids.len() == self.pipes.len() || !self.same_boot, "a pipe has one row: {:?}", self.pipes);
        for pipe in &self.pipes {
            let keys = pipe.ends.iter().map(|end| (end.pid, end.tid, end.fd, end.change != "went"));
            assert_ascending(keys, "ends");
            assert!(pipe.change == "changed" || !pipe.ends.is_empty(), "{pipe:?}");
            assert!(pipe.change == "changed" || pipe.ends.iter().all(|end| end.change == pipe.change), "{pipe:?}");
            for end in &pipe.ends {
                assert_eq!(end.was.is_some(), end.change == "changed", "{end:?}");
                let now = (&end.access, &end.flags, &end.command, end.uid);
                let is_same = |was: &EndState| (&was.access, &was.flags, &was.command, was.uid) == now;
                assert!(!end.was.as_ref().is_some_and(is_same), "{end:?}");
            }
        }
    }

    /// The row of a pipe, by its ID.
    pub(crate) fn pipe(&self, id: &str) -> Option<&PipeChange> {
        self.pipes.iter().find(|pipe| pipe.id == id)
    }
}

impl Count {
    fn of<'a>(changes: impl Iterator<Item = (&'a str, bool)>) -> Self {
        changes.fold(Self::default(), |mut count, (change, certain)| {
            match change {
                "came" => count.came += 1,
                "went" => count.went += 1,
                "changed" => count.changed += 1,
                _ => panic!("no such change: {change}"),
            }
            count.uncertain += usize::from(!certain);
            count
        })
    }
}

impl EndChange {
    /// `+252,grep,0r`, with what changed as the table has it not.
    pub(crate) fn brief(&self) -> String {
        let sign = match self.change.as_str() {
            "came" => "+",
            "went" => "-",
            _ => "~",
        };
        format!("{sign}{},{},{}{}", self.pid, self.command, self.fd, self.access)
    }
}
