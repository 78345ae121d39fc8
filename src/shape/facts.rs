//! The shapes of what an audit judges by, and no other report tells: whose a pipe is, and what the machine allows.

use serde::{Deserialize, Serialize};

/// What only `lspipe audit` tells of a process.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProcessFacts {
    /// How many descriptors it may have, by its soft limit; only from `lspipe audit`, as what follows, and absent where it is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fd_limit: Option<u64>,
    /// How many descriptors its fd table has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fds: Option<u64>,
    /// The inode of its PID namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid_namespace: Option<u64>,
}

/// The owner and the mode of a pipe.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PipeFile {
    /// The user ID of its owner: for an anonymous pipe, who made it.
    pub(crate) owner: u32,
    /// The group ID.
    pub(crate) group: u32,
    /// The bits of its mode, in octal: `0622`.
    pub(crate) mode: String,
    /// What the directories above a FIFO allow; absent where they could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directories: Option<Directories>,
}

/// What the directories above a FIFO allow, by their modes, seen from whoever holds it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Directories {
    /// Whether the owner of the FIFO may search all of them.
    pub(crate) owner: bool,
    /// Whether its group may.
    pub(crate) group: bool,
    /// Whether everybody may.
    pub(crate) others: bool,
    /// Whether everybody may put another file in its place.
    pub(crate) replaceable: bool,
    /// A group other than root's whose members may do so.
    pub(crate) group_replaces: Option<u32>,
    /// An owner of one of them who is neither root nor the owner of the FIFO, and so may do so.
    pub(crate) owner_replaces: Option<u32>,
    /// An owner of one of them who is not root, and may search all of them, though others may not.
    pub(crate) owner_passes: Option<u32>,
}

/// How many pages the pipes of a user may take; 0 is no limit.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Limits {
    pub(crate) pipe_user_pages_soft: Option<u64>,
    pub(crate) pipe_user_pages_hard: Option<u64>,
    /// The bytes of a page.
    pub(crate) page_size: Option<u64>,
}
