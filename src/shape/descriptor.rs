//! The shape of a descriptor of any type, for `lspipe fds --json`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Word;

/// A descriptor of any type.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Descriptor<'a> {
    pub(crate) pid: u32,
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    /// `r`, `w` or `rw`; null for `O_PATH`.
    pub(crate) access: Option<Word>,
    /// `REG`, `DIR`, `CHR`, `BLK`, `FIFO`, `SOCK`, `LINK` or `a_inode`.
    #[serde(rename = "type")]
    pub(crate) file_type: Option<Word>,
    pub(crate) flags: Option<Vec<Word>>,
    pub(crate) target: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_bytes: Option<String>,
    /// The ID of the pipe, if it is one: `pipes` tells its ends.
    pub(crate) pipe: Option<String>,
}
