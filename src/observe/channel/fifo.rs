//! FIFOs; see fifo(7). In the kernel a pipe like any other, but on the device of the file system that has its name.

use super::{Class, Polled, WaitPlace, pipe};
use crate::model::{AccessMode, PipeId, Probed};

pub(super) const CLASS: Class = Class {
    // In a tree of plain files whatever can be followed is a FIFO.
    by_file: |device, inode, pipefs| {
        pipefs.is_none_or(|pipefs| device != pipefs.device).then_some(PipeId::fifo(device, inode))
    },
    // Any file of its file system has that mount ID.
    by_mount: |_, _, _| None,
    link_prefix: None,
    wait_places: &[
        ("fifo_pipe_read", WaitPlace::Read),
        ("fifo_pipe_write", WaitPlace::Write),
        ("wait_for_partner", WaitPlace::Open),
    ],
    conclude,
    ..pipe::CLASS
};

fn conclude(polled: Polled, probed: &mut Probed) {
    pipe::conclude(polled, probed);
    if polled.access == AccessMode::Read && !polled.no_writer {
        // It may have been opened with O_NONBLOCK before any writer, and sees no hang-up before one came and went.
        probed.writer = None;
    }
}
