//! Newtypes for the numbers of the kernel.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::text;

/// Defines a newtype, so that a PID cannot be used as a descriptor.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A process ID, in the PID namespace of the scanned proc file system.
    Pid
}
number! {
    /// A thread ID.
    Tid
}
number! {
    /// A file descriptor number.
    Fd
}
number! {
    /// A user ID.
    Uid
}
number! {
    /// A group ID.
    Gid
}

impl Pid {
    /// The largest possible PID: `PID_MAX_LIMIT`, 2²², in include/linux/threads.h.
    pub const MAX: Self = Self(4 * 1024 * 1024);
}

/// A device number, shown as `major:minor` in decimal, as in /proc/PID/mountinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String", inline))]
pub struct Device {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for Device {
    type Err = NotAPipeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once(':').ok_or(NotAPipeId)?;
        Ok(Self { major: decimal(major)?, minor: decimal(minor)? })
    }
}

text!(Device, "a device, as MAJ:MIN");

/// The text is neither form of a [`PipeId`](super::PipeId).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPipeId;

/// Whether a count is 0, which is left out of JSON.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(crate) const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Parses a number as the kernel writes it: `parse` alone accepts `+5` and `005`.
pub(super) fn decimal<T: FromStr>(text: &str) -> Result<T, NotAPipeId> {
    let canonical = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| canonical).ok_or(NotAPipeId)
}

/// A signal set, in hexadecimal as in the `Sig` lines of `proc_pid_status(5)`.
pub(super) mod signals {
    use serde::{Deserializer, Serializer};

    use crate::model::text::read;

    pub(crate) fn serialize<S: Serializer>(bits: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{bits:016x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        read(deserializer, "a set of signals in hexadecimal", |text| u64::from_str_radix(text, 16).ok())
    }
}
