//! What the inode of a pipe says of who may open it, and what the machine allows to those who make pipes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::read;
use super::{Gid, Uid};

/// The owner and the mode of a pipe's inode; see inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PipeFile {
    /// Its owner. That of an anonymous pipe is who made it (`get_pipe_inode` in fs/pipe.c), unless fchown(2) was called.
    pub owner: Uid,
    /// Its group.
    pub group: Gid,
    /// The bits of its permissions, with set-user-ID, set-group-ID and sticky: `0o7777` of `st_mode`.
    #[serde(serialize_with = "octal", deserialize_with = "from_octal")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub mode: u16,
    /// What the directories above a FIFO allow; none for an anonymous pipe, and where they could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directories: Option<Directories>,
}

/// What the directories above a FIFO allow, as whoever holds it sees them, by their modes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Directories {
    /// Whether the owner of the FIFO may search all of them.
    pub owner: bool,
    /// Whether the members of its group may.
    pub group: bool,
    /// Whether everybody may.
    pub others: bool,
    /// Whether everybody may rename or remove an entry of one of them on the way, since it is writable and not sticky.
    pub replaceable: bool,
    /// A group other than root's whose members may do so.
    pub group_replaces: Option<Gid>,
    /// An owner of one of them who is neither root nor the owner of the FIFO, and so may do so.
    pub owner_replaces: Option<Uid>,
    /// An owner of one of them who is not root, and may search all of them, though others may not.
    pub owner_passes: Option<Uid>,
}

impl Directories {
    /// What two paths to one file allow together.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            owner: self.owner || other.owner,
            group: self.group || other.group,
            others: self.others || other.others,
            replaceable: self.replaceable || other.replaceable,
            group_replaces: self.group_replaces.or(other.group_replaces),
            owner_replaces: self.owner_replaces.or(other.owner_replaces),
            owner_passes: self.owner_passes.or(other.owner_passes),
        }
    }
}

/// How many pages the pipes of a user may take; see "/proc files" in pipe(7). A limit of 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PipeLimits {
    /// `pipe-user-pages-soft`: from there on what an unprivileged user makes is small.
    #[serde(rename = "pipe_user_pages_soft")]
    pub user_pages_soft: Option<u64>,
    /// `pipe-user-pages-hard`: from there on an unprivileged user can make none.
    #[serde(rename = "pipe_user_pages_hard")]
    pub user_pages_hard: Option<u64>,
    /// The bytes of a page.
    pub page_size: Option<u64>,
}

/// The bits of a mode as chmod(1) takes them: `0622`.
fn octal<S: Serializer>(mode: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

fn from_octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    read(deserializer, "a mode in octal", |text| u16::from_str_radix(text, 8).ok())
}

/// The users that a mode is for; see inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "class", content = "id", rename_all = "kebab-case")]
pub enum Class {
    /// Any user.
    Others,
    /// The members of the group of the file.
    Group(Gid),
    /// Its owner.
    Owner(Uid),
    /// The owner of a directory above it.
    #[serde(rename = "directory-owner")]
    Above(Uid),
}
