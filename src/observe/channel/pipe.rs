//! Anonymous pipes; see pipe(7) and fs/pipe.c of the kernel. They live in pipefs, and have no path.

use rustix::fs::FileType;

use super::{Class, Polled, Sizes, WaitPlace};
use crate::model::{AccessMode, PipeId, Probed};

pub(super) const CLASS: Class = Class {
    file_type: FileType::Fifo,
    by_file: |device, inode, pipefs| {
        (Some(device) == pipefs.map(|pipefs| pipefs.device)).then_some(PipeId::anonymous(inode))
    },
    by_mount: |mnt_id, inode, pipefs| (Some(mnt_id) == pipefs.mnt_id).then_some(PipeId::anonymous(inode)),
    link_prefix: Some("pipe:["),
    wait_places: &[
        ("anon_pipe_read", WaitPlace::Read),
        ("anon_pipe_write", WaitPlace::Write),
        // Older kernels have one function for pipes and FIFOs, and those before 5.5 the last of these for all waits.
        ("pipe_read", WaitPlace::Read),
        ("pipe_write", WaitPlace::Write),
        ("pipe_wait", WaitPlace::ReadOrWrite),
        // In fs/splice.c.
        ("pipe_wait_readable", WaitPlace::SpliceRead),
        ("pipe_wait_writable", WaitPlace::SpliceWrite),
    ],
    sizes: |end| Sizes {
        queued: rustix::io::ioctl_fionread(end).ok(),
        capacity: rustix::pipe::fcntl_getpipe_size(end).ok().and_then(|bytes| bytes.try_into().ok()),
    },
    conclude,
};

/// See `pipe_poll` in fs/pipe.c. An end proves that its own side exists.
pub(super) fn conclude(polled: Polled, probed: &mut Probed) {
    let Polled { access, room, no_writer, no_reader } = polled;
    (probed.reader, probed.writer) = match access {
        AccessMode::Write => (Some(!no_reader), Some(true)),
        AccessMode::ReadWrite => (Some(true), Some(true)),
        AccessMode::Read => (Some(true), Some(!no_writer)),
    };
    if access != AccessMode::Read {
        probed.full = Some(!room);
    }
}
