//! What `--version` prints: the version, the commit that it is built from, if known, and the version of the JSON schema.

use std::sync::LazyLock;

use crate::report::SCHEMA_VERSION;

/// Set by build.rs; empty if the commit is not known.
const COMMIT: &str = env!("LSPIPE_COMMIT");

static LONG: LazyLock<String> = LazyLock::new(|| {
    let commit = if COMMIT.is_empty() { String::new() } else { format!("{COMMIT}, ") };
    format!("{} ({commit}schema {SCHEMA_VERSION})", env!("CARGO_PKG_VERSION"))
});

/// The long form, of `--version`. The short one, of `-V`, is the version alone.
pub(super) fn long_version() -> &'static str {
    &LONG
}
