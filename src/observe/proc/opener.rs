//! What a thread that opens a file may do: by its user, its groups and its capabilities, as `path_resolution(7)` has them. What it waits for
//! is looked up with these rights and no others, since the path is only its word.
//!
//! A necessary condition: an access control list may allow less, and where it allows more, that is not seen.

use std::cell::OnceCell;

use rustix::fs::Statx;

use super::parse::{self, Credentials};
use super::process::ProcessDir;

/// `S_IROTH`, `S_IWOTH` and `S_IXOTH` of inode(7). Those of the group and of the owner are three and six bits further up.
pub(super) const READ: u16 = 0o4;
pub(super) const WRITE: u16 = 0o2;
pub(super) const SEARCH: u16 = 0o1;

/// `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH` of capabilities(7).
const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;

/// The rights of a thread.
pub(super) struct Opener<'a> {
    process: &'a ProcessDir,
    credentials: Credentials,
    /// The users and the groups that its user namespace has, over which its capabilities are good.
    maps: OnceCell<[IdMap; 2]>,
}

impl<'a> Opener<'a> {
    /// None if they cannot be read. `thread` is the directory of the files of the thread, below the process.
    pub(super) fn new(process: &'a ProcessDir, thread: &str) -> Option<Self> {
        let credentials = parse::credentials(&process.text(&format!("{thread}status")))?;
        Some(Self { process, credentials, maps: OnceCell::new() })
    }

    /// Whether it may do this with a file: [`READ`], [`WRITE`], or for a directory [`SEARCH`].
    pub(super) fn may(&self, what: u16, file: &Statx) -> bool {
        let Credentials { user, group, groups, .. } = &self.credentials;
        let mode = if *user == file.stx_uid {
            file.stx_mode >> 6
        } else if *group == file.stx_gid || groups.contains(&file.stx_gid) {
            file.stx_mode >> 3
        } else {
            file.stx_mode
        };
        mode & what != 0 || self.overrides(what, file)
    }

    /// Whether its capabilities are good for that, whatever the mode says (`capable_wrt_inode_uidgid` in kernel/capability.c).
    fn overrides(&self, what: u16, file: &Statx) -> bool {
        let good = if what == WRITE { DAC_OVERRIDE } else { DAC_OVERRIDE | DAC_READ_SEARCH };
        if self.credentials.capabilities & good == 0 {
            return false;
        }
        let map = |name: &str| {
            let (own, of_process) = (std::fs::read(format!("/proc/self/{name}")).ok(), self.process.text(name));
            // Seen from the same namespace, its numbers are ours.
            if own.is_some_and(|own| own == of_process) {
                IdMap::All
            } else {
                IdMap::Ranges(parse::id_map(&of_process))
            }
        };
        let [users, groups] = self.maps.get_or_init(|| ["uid_map", "gid_map"].map(map));
        users.has(file.stx_uid) && groups.has(file.stx_gid)
    }
}

enum IdMap {
    All,
    /// The first ID and how many there are.
    Ranges(Vec<(u32, u32)>),
}

impl IdMap {
    fn has(&self, id: u32) -> bool {
        match self {
            Self::All => true,
            Self::Ranges(ranges) => {
                ranges.iter().any(|(first, count)| id.checked_sub(*first).is_some_and(|place| place < *count))
            }
        }
    }
}
