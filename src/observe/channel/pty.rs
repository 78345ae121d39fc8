//! Pseudoterminals; see pty(7). Each direction is a pipe of its own.

use rustix::fs::FileType;

use super::{Class, Ends, Sizes, WaitPlace};
use crate::model::{AccessMode, Device, PipeId, PtyFlow, Side};

pub(super) const CLASS: Class = Class {
    file_type: FileType::CharacterDevice,
    // The number of a master is not in its inode: see `Terminal`.
    by_file: |_, _, _| None,
    by_mount: |_, _, _| None,
    link_prefix: None,
    // In drivers/tty/tty_io.c and n_tty.c, in the function that many sleep in, and while another thread writes or reads.
    wait_places: &[
        ("wait_woken", WaitPlace::Shared),
        ("n_tty_read", WaitPlace::Shared),
        ("n_tty_write", WaitPlace::Shared),
        ("tty_write", WaitPlace::Shared),
        ("file_tty_write", WaitPlace::Shared),
        ("tty_write_lock", WaitPlace::Shared),
    ],
    sizes: |_| Sizes::default(),
    conclude: |_, _| {},
};

/// One side of a pseudoterminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) struct Terminal {
    /// The device of its devpts, and its number there.
    pub(in crate::observe) devpts: Device,
    pub(in crate::observe) number: u64,
    /// Whether it is the side that a terminal emulator has.
    pub(in crate::observe) is_master: bool,
}

impl Terminal {
    /// The slave reads the input and writes the output, the master the reverse.
    pub(super) fn ends(self, access: AccessMode) -> Ends<(PipeId, AccessMode)> {
        let (read, write) = match self.is_master {
            true => (PtyFlow::Output, PtyFlow::Input),
            false => (PtyFlow::Input, PtyFlow::Output),
        };
        let end = |side: Side, flow, access_of| {
            access.is_on(side).then_some((PipeId::pty(self.devpts, self.number, flow), access_of))
        };
        [end(Side::Read, read, AccessMode::Read), end(Side::Write, write, AccessMode::Write)]
    }
}
