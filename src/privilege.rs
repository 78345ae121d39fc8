//! The rights that we have beyond those of our user: the capabilities that setcap(8) gave to the program file, or the user and group of a
//! file that is set-user-ID or set-group-ID. They are there to look at processes. Whatever the caller names, or a process claims, is looked
//! up without them.

use std::fs;

use rustix::process::{getegid, geteuid, getgid, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_res_gid, set_thread_res_uid,
};

/// Runs `work` with no more rights than our user has, in this thread and in those that it starts. Root keeps its capabilities: it may read
/// any file.
pub(crate) fn without_capabilities<T>(work: impl FnOnce() -> T) -> T {
    let _lowered = Lowered::new();
    work()
}

/// What a thread had before its rights were lowered, which it gets back in the end.
struct Lowered {
    /// None if there was nothing to lower.
    sets: Option<CapabilitySets>,
    ids: Option<(rustix::process::Uid, rustix::process::Gid)>,
}

impl Lowered {
    fn new() -> Self {
        if getuid().is_root() {
            return Self { sets: None, ids: None };
        }
        let ids = (geteuid(), getegid());
        let ids = Some(ids).filter(|ids| *ids != (getuid(), getgid()));
        let sets = capabilities(None).ok().filter(|sets| !sets.effective.is_empty());
        // In this order: to change them back may take capabilities, which a change of the user ID clears. To lower needs none.
        if ids.is_some() {
            let _ = set_thread_res_gid(None, getgid(), None);
            let _ = set_thread_res_uid(None, getuid(), None);
        }
        if let Some(sets) = sets {
            let _ = set_capabilities(None, CapabilitySets { effective: CapabilitySet::empty(), ..sets });
        }
        Self { sets, ids }
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        // Where this fails less is seen, which the report says.
        if let Some((user, group)) = self.ids {
            let _ = set_thread_res_uid(None, user, None);
            let _ = set_thread_res_gid(None, group, None);
        }
        if let Some(sets) = self.sets {
            let _ = set_capabilities(None, sets);
        }
    }
}

/// Whether we have what loading a BPF program for tracing takes, see capabilities(7). In a user namespace that is not enough.
pub(crate) fn may_load_tracing_programs() -> bool {
    let is_enough = |set: CapabilitySet| {
        set.contains(CapabilitySet::SYS_ADMIN) || set.contains(CapabilitySet::BPF | CapabilitySet::PERFMON)
    };
    capabilities(None).is_ok_and(|sets| is_enough(sets.effective))
}

/// Whether we have what a look at any process takes; see ptrace(2), "Ptrace access mode checking". Capabilities of a user
/// namespace are good for its own processes only.
pub(crate) fn sees_all_processes() -> bool {
    let has = |set| capabilities(None).is_ok_and(|sets| sets.effective.contains(set));
    let reads = has(CapabilitySet::DAC_READ_SEARCH) || has(CapabilitySet::DAC_OVERRIDE);
    has(CapabilitySet::SYS_PTRACE) && reads && is_in_initial_namespace()
}

/// Whether our user namespace is the initial one, as far as `/proc` says: IDs are not mapped there.
pub(crate) fn is_in_initial_namespace() -> bool {
    let uid_map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}
