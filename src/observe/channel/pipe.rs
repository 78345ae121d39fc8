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
    ends: |pipe, access| [Some((pipe, access)), None],
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Pipefs, by_link, by_mount, class, wait_place};
    use super::*;
    use crate::model::{Device, NotAPipeId, PipeKind};

    /// Of a read end that sees neither data nor a hang-up.
    pub(in super::super) const QUIET: Polled =
        Polled { access: AccessMode::Read, room: false, no_writer: false, no_reader: false };

    /// Whether there is a reader, a writer, and no room.
    pub(in super::super) fn concluded(kind: PipeKind, polled: Polled) -> [Option<bool>; 3] {
        let mut probed = Probed::default();
        (class(kind).conclude)(polled, &mut probed);
        [probed.reader, probed.writer, probed.full]
    }

    #[test]
    fn only_what_is_in_pipefs_is_anonymous() {
        let [pipefs, other] = [14, 9].map(|minor| Device { major: 0, minor });
        let known = Pipefs { device: pipefs, mnt_id: Some(15) };
        assert_eq!((CLASS.by_file)(pipefs, 7, Some(&known)), Some(PipeId::anonymous(7)));
        assert_eq!((CLASS.by_file)(other, 7, Some(&known)), None);
        assert_eq!((CLASS.by_file)(pipefs, 7, None), None);
        assert_eq!([15, 16].map(|mnt_id| by_mount(mnt_id, 7, &known)), [Some(PipeId::anonymous(7)), None]);
        assert_eq!(by_mount(15, 7, &Pipefs { mnt_id: None, ..known }), None);
    }

    #[test]
    fn links_are_ids_only_as_the_kernel_writes_them() {
        assert_eq!(by_link(b"pipe:[18913]"), Some(Ok(PipeId::anonymous(18913))));
        for link in [
            "pipe:[]",
            "pipe:[ 5]",
            "pipe:[+5]",
            "pipe:[05]",
            "pipe:[5",
            "pipe:[5] ",
            "pipe:[18446744073709551616]",
            "pipe:[0:9:5]",
        ] {
            assert_eq!(by_link(link.as_bytes()), Some(Err(NotAPipeId)), "{link}");
        }
        assert_eq!(by_link(b"pipe:[\xff]"), Some(Err(NotAPipeId)));
    }

    #[test]
    fn wait_places() {
        assert_eq!(wait_place("anon_pipe_read"), Some(WaitPlace::Read));
        assert_eq!(wait_place("pipe_write"), Some(WaitPlace::Write));
        assert_eq!(wait_place("pipe_wait"), Some(WaitPlace::ReadOrWrite));
        assert_eq!(wait_place("pipe_wait_readable"), Some(WaitPlace::SpliceRead));
        assert_eq!(wait_place("pipe_release"), None);
    }

    #[test]
    fn read_end_shows_whether_there_is_a_writer() {
        let closed = Polled { no_writer: true, ..QUIET };
        assert_eq!(concluded(PipeKind::Anonymous, closed), [Some(true), Some(false), None]);
        assert_eq!(concluded(PipeKind::Anonymous, QUIET), [Some(true), Some(true), None]);
    }

    #[test]
    fn write_end_shows_whether_there_are_readers_and_room() {
        let write = Polled { access: AccessMode::Write, ..QUIET };
        for kind in [PipeKind::Anonymous, PipeKind::Fifo] {
            assert_eq!(concluded(kind, write), [Some(true), Some(true), Some(true)]);
            assert_eq!(concluded(kind, Polled { room: true, ..write }), [Some(true), Some(true), Some(false)]);
            let lonely = Polled { no_reader: true, room: true, ..write };
            assert_eq!(concluded(kind, lonely), [Some(false), Some(true), Some(false)]);
            let both = Polled { access: AccessMode::ReadWrite, room: true, ..QUIET };
            assert_eq!(concluded(kind, both), [Some(true), Some(true), Some(false)]);
        }
    }
}
