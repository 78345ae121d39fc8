//! The shapes of what an audit judges by, and no other report tells: whose a pipe is, and what the machine allows.

use serde::Serialize;

use crate::model::{Directories, PipeFile, PipeLimits, Process};

/// What only `lspipe audit` tells of a process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ProcessFacts {
    /// How many descriptors it may have, by its soft limit; only from `lspipe audit`, as what follows, and absent where it is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    fd_limit: Option<u64>,
    /// How many descriptors its fd table has.
    #[serde(skip_serializing_if = "Option::is_none")]
    fds: Option<u64>,
    /// The inode of its PID namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<u64>,
}

/// The owner and the mode of a pipe.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "File"))]
pub(super) struct FileView {
    /// The user ID of its owner: for an anonymous pipe, who made it.
    owner: u32,
    /// The group ID.
    group: u32,
    /// The bits of its mode, in octal: `0622`.
    mode: String,
    /// What the directories above a FIFO allow; absent where they could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    directories: Option<DirectoriesView>,
}

/// What the directories above a FIFO allow, by their modes, seen from whoever holds it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Directories"))]
struct DirectoriesView {
    /// Whether the owner of the FIFO may search all of them.
    owner: bool,
    /// Whether its group may.
    group: bool,
    /// Whether everybody may.
    others: bool,
    /// Whether everybody may put another file in its place.
    replaceable: bool,
}

/// How many pages the pipes of a user may take; 0 is no limit.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Limits"))]
pub(super) struct LimitsView {
    pipe_user_pages_soft: Option<u64>,
    pipe_user_pages_hard: Option<u64>,
    /// The bytes of a page.
    page_size: Option<u64>,
}

pub(super) fn process_facts(process: &Process) -> ProcessFacts {
    ProcessFacts { fd_limit: process.fd_limit, fds: process.fds, pid_namespace: process.pid_namespace }
}

pub(super) fn file_view(file: &PipeFile) -> FileView {
    FileView {
        owner: file.owner.0,
        group: file.group.0,
        mode: format!("{:04o}", file.mode),
        directories: file.directories.map(|Directories { owner, group, others, replaceable }| DirectoriesView {
            owner,
            group,
            others,
            replaceable,
        }),
    }
}

pub(super) fn limits_view(limits: &PipeLimits) -> Option<LimitsView> {
    let PipeLimits { user_pages_soft, user_pages_hard, page_size } = *limits;
    (*limits != PipeLimits::default()).then_some(LimitsView {
        pipe_user_pages_soft: user_pages_soft,
        pipe_user_pages_hard: user_pages_hard,
        page_size,
    })
}
