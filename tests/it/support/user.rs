//! Under which user a scene or lspipe runs: as the user that runs the tests, and, where that is root, also as one without privileges.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The user and the group of the name `nobody` on Debian and Fedora; nothing depends on the name.
pub(crate) const NOBODY: u32 = 65534;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// The user that runs the tests.
    Me,
    /// A user without privileges; only root can become `nobody`.
    Nobody,
}

impl User {
    /// Every user that a test can be run as: with and without root's rights, or only without.
    pub(crate) fn all() -> &'static [Self] {
        if is_root() { &[Self::Me, Self::Nobody] } else { &[Self::Me] }
    }

    pub(crate) fn uid(self) -> u32 {
        match self {
            Self::Me => rustix::process::geteuid().as_raw(),
            Self::Nobody => NOBODY,
        }
    }

    /// Makes the command run as this user. The standard library then drops the supplementary groups, too.
    pub(crate) fn apply(self, command: &mut Command) {
        if self == Self::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
    }

    /// Hands a directory over to this user.
    pub(crate) fn own(self, directory: &Path) {
        if self == Self::Nobody {
            chown(directory, Some(NOBODY), Some(NOBODY)).expect("chown as root");
        }
    }
}

/// A user of a test's own, as which nothing else runs: not even the same test in another run beside this one.
pub(crate) fn somebody(of_test: u32) -> u32 {
    60_000 + (std::process::id() * 2 + of_test) % 4000
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether any user may read this file: all folders above it searchable, the file readable by others.
pub(crate) fn is_public(file: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |found| found.mode());
    mode(file) & 0o004 != 0 && file.ancestors().skip(1).all(|folder| mode(folder) & 0o001 != 0)
}
