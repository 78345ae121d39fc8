//! The part of the JSON contract that only an audit reports: the owner of a pipe, and the limits of the machine.

use serde::Deserialize;

use super::report::nullable;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    #[serde(deserialize_with = "nullable")]
    pub(crate) pipe_user_pages_soft: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pipe_user_pages_hard: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) page_size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipeFile {
    pub(crate) owner: u32,
    pub(crate) group: u32,
    /// In octal.
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) directories: Option<Directories>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directories {
    pub(crate) owner: bool,
    pub(crate) group: bool,
    pub(crate) others: bool,
    pub(crate) replaceable: bool,
    pub(crate) group_replaces: Option<u32>,
    pub(crate) owner_replaces: Option<u32>,
    pub(crate) owner_passes: Option<u32>,
}
