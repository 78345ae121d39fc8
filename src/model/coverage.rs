//! What a scan could not read, and which pipe ends may be there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize, Serializer};

use super::transfer;
use super::words::words;
use super::{CommandName, Device, Fd, Pid, Side, Tid, Uid};

/// The part of a process that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum UnreadablePart {
    /// Its fd table: not even the descriptor numbers are known.
    FdTable,
    /// The links in /proc/PID/fd: the descriptor numbers are known, their files are not.
    FdLinks,
    /// The list of its threads, some of which may have an fd table of their own.
    Tasks,
    /// A single descriptor: its file system does not answer, or answers its own user only.
    Fd {
        /// The descriptor number.
        fd: Fd,
    },
    /// Its command line.
    Cmdline,
}

/// The ends that may be in what could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PossibleEnds {
    /// A read end.
    pub read: bool,
    /// A write end.
    pub write: bool,
    /// An end of an anonymous pipe; false if all of those were identified in another way.
    pub anonymous: bool,
    /// The file system of the FIFOs that may be there; none if they may be of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

impl PossibleEnds {
    /// Any end at all.
    pub const ANYTHING: Self = Self { read: true, write: true, anonymous: true, device: None };
    /// For reports of older versions, which lack the field.
    const fn anything() -> Self {
        Self::ANYTHING
    }

    /// No end.
    pub const NOTHING: Self = Self { read: false, write: false, anonymous: false, device: None };

    /// The union of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if other == Self::NOTHING {
            return self;
        }
        if self == Self::NOTHING {
            return other;
        }
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
            anonymous: self.anonymous || other.anonymous,
            device: self.device.filter(|device| other.device == Some(*device)),
        }
    }

    /// Whether they include an end of an anonymous pipe or, with a device, of a FIFO on that file system, on that side.
    pub(crate) fn cover(self, device: Option<Device>, side: Side) -> bool {
        let may_be_it = match device {
            Some(device) => self.device.is_none_or(|only| only == device),
            None => self.anonymous,
        };
        may_be_it
            && match side {
                Side::Read => self.read,
                Side::Write => self.write,
            }
    }
}

/// Something that the scan could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    /// The process.
    pub pid: Pid,
    /// The thread, if it has an fd table of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    /// The command; empty if it could not be read.
    #[serde(flatten)]
    pub command: CommandName,
    /// The effective user ID.
    pub uid: Option<Uid>,
    /// The part that could not be read.
    #[serde(flatten)]
    pub what: UnreadablePart,
    /// The name of the errno, for example `EACCES`. `ETIMEDOUT`: the call did not return in time. Where nothing was called: `ETIME` if the
    /// time of `--budget` was used up, `ENOMEM` if its size was, `ECANCELED` if too many calls before had not returned, `EAGAIN` if no
    /// thread could be started for it.
    pub error: String,
    /// The number of descriptors concerned, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds: Option<u64>,
    /// The mount that did not answer, for `ETIMEDOUT`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "lossy")]
    pub mount: Option<PathBuf>,
    /// The ends that may be there.
    #[serde(default = "PossibleEnds::anything")]
    pub may_hold: PossibleEnds,
}

impl Gap {
    /// Whether the call did not return in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.error == "ETIMEDOUT"
    }

    /// Whether access was denied.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.error.as_str(), "EACCES" | "EPERM")
    }

    /// Which limit of the scan left this out, if one did.
    #[must_use]
    pub fn limit(&self) -> Option<ScanLimit> {
        match self.error.as_str() {
            "ETIME" => Some(ScanLimit::Time),
            "ENOMEM" => Some(ScanLimit::Size),
            "ECANCELED" => Some(ScanLimit::HungCalls),
            "EAGAIN" => Some(ScanLimit::Threads),
            _ => None,
        }
    }

    /// Whether the file system of the descriptors answers its own user only: a FUSE that is mounted without `allow_other`.
    #[must_use]
    pub fn is_private_mount(&self) -> bool {
        self.is_denied() && self.may_hold.device.is_some()
    }

    /// Whether the scan reached its own limit of open files.
    #[must_use]
    pub fn is_file_limit(&self) -> bool {
        self.error == "EMFILE"
    }
}

words! {
    /// Why there may be processes that /proc does not list.
    pub enum ViewLimit {
        /// The proc file system is that of a PID namespace: processes outside it are not listed.
        PidNamespace = "pid-namespace",
        /// The proc file system is mounted with `hidepid`, and the scan is not exempt.
        Hidepid = "hidepid",
    }
}

words! {
    /// Where the ends of a scan come from.
    pub enum Backend {
        /// A walk of the fd tables in /proc.
        Proc = "proc",
        /// The kernel itself, by a BPF iterator over its open files.
        Bpf = "bpf",
    }
}

/// Earlier versions had no other.
impl Default for Backend {
    fn default() -> Self {
        Self::Proc
    }
}

/// A limit of the scan itself, beyond which it left processes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScanLimit {
    /// The time of `--budget`.
    Time,
    /// The size of `--budget`.
    Size,
    /// The number of calls that did not return.
    HungCalls,
    /// No thread could be started.
    Threads,
}

/// What the scan covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The proc root that was scanned.
    #[serde(with = "transfer::path")]
    pub proc_root: PathBuf,
    /// Where the ends come from.
    pub backend: Backend,
    /// The number of processes that were looked at.
    pub processes: usize,
    /// The number of processes and descriptors that disappeared during the scan.
    pub vanished: usize,
    /// What could not be read, ordered by PID.
    pub gaps: Vec<Gap>,
    /// Which ends may be in any of them, once that was asked.
    #[serde(skip)]
    pub union: UnionOfGaps,
    /// Why there may be processes that /proc does not list.
    pub outside: Option<ViewLimit>,
    /// Whether the scan had both capabilities that give access to every process, so that more privileges would not help.
    pub privileged: bool,
    /// Whether the PIDs are those of the caller's PID namespace, so that system calls can use them.
    pub own_pids: bool,
    /// The scanning process, if the PIDs are those of its own PID namespace.
    pub scanner: Option<Pid>,
}

/// Which ends may be in any of the gaps, remembered: it is asked of each side of each pipe.
#[derive(Debug, Default)]
pub struct UnionOfGaps(Mutex<Option<(Asked, Sides)>>);

/// The gaps that were asked about: their place and number.
type Asked = (usize, usize);

/// The sides, read and write, of which an end may be in any of the gaps.
#[derive(Debug, Default)]
struct Sides {
    anonymous: [bool; 2],
    /// Of FIFOs on any file system.
    named: [bool; 2],
    of_device: BTreeMap<Device, [bool; 2]>,
}

impl Sides {
    fn of(gaps: &[Gap]) -> Self {
        let mut all = Self::default();
        for ends in gaps.iter().map(|gap| gap.may_hold) {
            let named = match ends.device {
                Some(device) => all.of_device.entry(device).or_default(),
                None => &mut all.named,
            };
            *named = [named[0] | ends.read, named[1] | ends.write];
            if ends.anonymous {
                all.anonymous = [all.anonymous[0] | ends.read, all.anonymous[1] | ends.write];
            }
        }
        all
    }

    fn cover(&self, device: Option<Device>, side: Side) -> bool {
        let index = usize::from(side == Side::Write);
        match device {
            None => self.anonymous[index],
            Some(device) => self.named[index] || self.of_device.get(&device).is_some_and(|sides| sides[index]),
        }
    }
}

impl Clone for UnionOfGaps {
    /// To be found again: the copy has gaps of its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// It says nothing that the gaps do not say.
impl PartialEq for UnionOfGaps {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for UnionOfGaps {}

impl Coverage {
    /// Whether a gap may hold an end of an anonymous pipe or, with a device, of a FIFO on that file system, on that side.
    #[must_use]
    pub fn gaps_cover(&self, device: Option<Device>, side: Side) -> bool {
        let asked = (self.gaps.as_ptr().addr(), self.gaps.len());
        let mut union = self.union.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Gaps may have come since.
        let known = union.take().filter(|(known, _)| *known == asked);
        let (_, sides) = union.insert(known.unwrap_or_else(|| (asked, Sides::of(&self.gaps))));
        sides.cover(device, side)
    }

    /// What could not be read of a process.
    pub fn gaps_of(&self, pid: Pid) -> impl Iterator<Item = &Gap> {
        let first = self.gaps.partition_point(|gap| gap.pid < pid);
        self.gaps.iter().skip(first).take_while(move |gap| gap.pid == pid)
    }

    /// Whether nothing was missed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty() && self.outside.is_none()
    }

    /// The number of processes that could not be read completely; `gaps` may have several entries for one.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.gaps.chunk_by(|a, b| a.pid == b.pid).count()
    }
}

/// A path as text, lossily where it is not UTF-8.
fn lossy<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(std::path::Path::to_string_lossy).serialize(serializer)
}
