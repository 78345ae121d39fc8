//! Whether lspipe has the privileges that a look at any process takes.

use rustix::fs::CWD;
use rustix::thread::CapabilitySet;

use super::root::read_small;

/// Whether we have what a look at any process takes; see ptrace(2), "Ptrace access mode checking". Capabilities of a user
/// namespace are good for its own processes only.
pub(super) fn is_full() -> bool {
    let has = |set| rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(set));
    let reads = has(CapabilitySet::DAC_READ_SEARCH) || has(CapabilitySet::DAC_OVERRIDE);
    has(CapabilitySet::SYS_PTRACE) && reads && !in_user_namespace()
}

/// Whether the user IDs that we see are mapped: in the initial namespace the map is `0 0 4294967295`.
fn in_user_namespace() -> bool {
    let map = read_small(CWD, c"/proc/self/uid_map").unwrap_or_default();
    let map = String::from_utf8_lossy(&map);
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}
