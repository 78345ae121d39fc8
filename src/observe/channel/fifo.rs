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

#[cfg(test)]
mod tests {
    use super::super::pipe::tests::{QUIET, concluded};
    use super::super::{Pipefs, wait_place};
    use super::*;
    use crate::model::{Device, PipeKind};

    #[test]
    fn every_device_but_pipefs_may_have_fifos() {
        let [pipefs, other] = [14, 9].map(|minor| Device { major: 0, minor });
        let known = Pipefs { device: pipefs, mnt_id: Some(15) };
        assert_eq!((CLASS.by_file)(other, 7, Some(&known)), Some(PipeId::fifo(other, 7)));
        assert_eq!((CLASS.by_file)(pipefs, 7, Some(&known)), None);
        assert_eq!((CLASS.by_file)(pipefs, 7, None), Some(PipeId::fifo(pipefs, 7)));
        assert_eq!((CLASS.by_mount)(15, 7, &known), None);
    }

    #[test]
    fn wait_places() {
        assert_eq!(wait_place("fifo_pipe_write"), Some(WaitPlace::Write));
        assert_eq!(wait_place("wait_for_partner"), Some(WaitPlace::Open));
    }

    #[test]
    fn that_a_read_end_sees_no_hangup_proves_no_writer() {
        assert_eq!(concluded(PipeKind::Fifo, QUIET), [Some(true), None, None]);
        let closed = Polled { no_writer: true, ..QUIET };
        assert_eq!(concluded(PipeKind::Fifo, closed), [Some(true), Some(false), None]);
    }
}
