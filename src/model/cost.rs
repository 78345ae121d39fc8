//! What a look at a machine may cost, as it was asked for.

use std::time::Duration;

/// The limits of `--budget`. They hold for each look: with `--repeat` for each report, with `--confirm` for both scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostLimits {
    /// The time after which no further process is looked at.
    pub time: Duration,
    /// Maximum number of bytes of what processes can make as long as they like, such as command lines and poll sets.
    pub bytes: u64,
}

impl Default for CostLimits {
    /// More than a report of a healthy machine takes.
    fn default() -> Self {
        Self { time: Duration::from_secs(120), bytes: 256 * 1024 * 1024 }
    }
}
