//! The owner and mode of a pipe, the modes of the directories above a FIFO, and the limits of pipe(7).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::read;
use super::{Gid, Uid};

/// The owner and the mode of a pipe's inode; see inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PipeFile {
    /// The owner. For an anonymous pipe: the effective user of the process that created it (`get_pipe_inode` in fs/pipe.c), unless
    /// fchown(2) was called.
    pub owner: Uid,
    /// The group.
    pub group: Gid,
    /// The permission bits with set-user-ID, set-group-ID and sticky: `0o7777` of `st_mode`.
    #[serde(serialize_with = "octal", deserialize_with = "from_octal")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub mode: u16,
    /// What the directories above a FIFO allow; none for an anonymous pipe, and if they could not be examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directories: Option<Directories>,
}

/// What the directories above a FIFO allow, by their modes alone, resolved in the root directory of its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Directories {
    /// Whether the owner of the FIFO may search all of them.
    pub owner: bool,
    /// Whether the members of its group may.
    pub group: bool,
    /// Whether any user may.
    pub others: bool,
    /// Whether any user may rename or remove the next entry of the path: a directory is world-writable and not sticky.
    pub replaceable: bool,
    /// A group, other than root's, that may do so.
    pub group_replaces: Option<Gid>,
    /// The owner of a directory that may do so: neither root nor the owner of the FIFO.
    pub owner_replaces: Option<Uid>,
    /// The owner of a directory, other than root, that may search all of them although others may not.
    pub owner_passes: Option<Uid>,
}

impl Directories {
    /// The union: what two paths to one file allow.
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

/// Maximum number of pages in the pipes of one user; see "/proc files" in pipe(7). 0 means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PipeLimits {
    /// `pipe-user-pages-soft`: above it, new pipes of an unprivileged user are small.
    #[serde(rename = "pipe_user_pages_soft")]
    pub user_pages_soft: Option<u64>,
    /// `pipe-user-pages-hard`: above it, an unprivileged user can create no pipe.
    #[serde(rename = "pipe_user_pages_hard")]
    pub user_pages_hard: Option<u64>,
    /// The page size in bytes.
    pub page_size: Option<u64>,
}

/// The pages that the kernel counts for the pipes of a user: `pipe_bufs` of `struct user_struct`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserPages {
    /// The user that made the pipes, by the real user ID.
    pub uid: Uid,
    /// The number of pages.
    pub pages: u64,
}

/// The bits of a mode as chmod(1) takes them: `0622`.
fn octal<S: Serializer>(mode: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

fn from_octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    read(deserializer, "a mode in octal", |text| u16::from_str_radix(text, 8).ok())
}

/// A class of users, as in a file mode; see inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "class", content = "id", rename_all = "kebab-case")]
pub enum Class {
    /// Any user.
    Others,
    /// The members of the file's group.
    Group(Gid),
    /// The owner of the file.
    Owner(Uid),
    /// The owner of a directory above the file.
    #[serde(rename = "directory-owner")]
    Above(Uid),
}
