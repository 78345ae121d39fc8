//! For each class: identity, ends, wait places, and what a poll proves.

use super::*;
use crate::model::PtyFlow;

/// Those of other kinds have no IDs that a file alone shows.
#[test]
fn each_class_makes_ids_of_its_own_kind() {
    let device = Device { major: 0, minor: 9 };
    let pipefs = Pipefs { device: Device { major: 0, minor: 14 }, mnt_id: Some(15) };
    for kind in PipeKind::ALL {
        let class = class(*kind);
        let by_file = [device, pipefs.device].map(|device| (class.by_file)(device, 7, Some(&pipefs)));
        let ids = by_file.into_iter().chain([(class.by_mount)(15, 7, &pipefs)]).flatten();
        assert_eq!(ids.clone().next().is_some(), kind.is_pipe(), "{kind}");
        for id in ids {
            assert_eq!(id.kind(), *kind);
            assert_eq!(Channel::Pipe(id).ends(AccessMode::Read), [Some((id, AccessMode::Read)), None]);
        }
    }
}

#[test]
fn a_socket_receives_from_one_pipe_and_sends_to_the_other() {
    let [to, from] = [5, 8].map(PipeId::unix);
    let one = Connection { own: 5, peer: 8, receives: true, sends: true };
    let other = Connection { own: 8, peer: 5, ..one };
    let (read, write) = (AccessMode::Read, AccessMode::Write);
    assert_eq!(one.ends(AccessMode::ReadWrite), [Some((to, read)), Some((from, write))]);
    assert_eq!(other.ends(AccessMode::ReadWrite), [Some((from, read)), Some((to, write))]);
    // After shutdown(2), for each side the direction that is over.
    assert_eq!(Connection { sends: false, ..one }.ends(AccessMode::ReadWrite), [Some((to, read)), None]);
    assert_eq!(Connection { receives: false, ..other }.ends(AccessMode::ReadWrite), [None, Some((to, write))]);
    assert!(Channel::Unix(one).pipes().eq([to, from]));
}

#[test]
fn what_one_side_of_a_terminal_writes_the_other_reads() {
    let devpts = Device { major: 0, minor: 26 };
    let [input, output] = [PtyFlow::Input, PtyFlow::Output].map(|flow| PipeId::pty(devpts, 3, flow));
    let slave = Terminal { devpts, number: 3, is_master: false };
    let master = Terminal { is_master: true, ..slave };
    let (read, write) = (AccessMode::Read, AccessMode::Write);
    assert_eq!(slave.ends(AccessMode::ReadWrite), [Some((input, read)), Some((output, write))]);
    assert_eq!(master.ends(AccessMode::ReadWrite), [Some((output, read)), Some((input, write))]);
    assert_eq!(slave.ends(AccessMode::Read), [Some((input, read)), None]);
    assert_eq!(slave.ends(AccessMode::Write), [None, Some((output, write))]);
}

#[test]
fn a_path_is_no_id() {
    for link in ["/tmp/pipe:[5]", "socket:[5]", "fifo:[0:26:5]", "anon_inode:[eventpoll]", ""] {
        assert_eq!(by_link(link.as_bytes()), None, "{link}");
    }
}

/// Of a read end that sees neither data nor a hang-up.
const QUIET: Polled = Polled { access: AccessMode::Read, room: false, no_writer: false, no_reader: false };

/// Whether there is a reader, a writer, and no room.
fn concluded(kind: PipeKind, polled: Polled) -> [Option<bool>; 3] {
    let mut probed = Probed::default();
    (class(kind).conclude)(polled, &mut probed);
    [probed.reader, probed.writer, probed.full]
}

#[test]
fn only_what_is_in_pipefs_is_anonymous() {
    let [pipefs, other] = [14, 9].map(|minor| Device { major: 0, minor });
    let known = Pipefs { device: pipefs, mnt_id: Some(15) };
    assert_eq!((pipe::CLASS.by_file)(pipefs, 7, Some(&known)), Some(PipeId::anonymous(7)));
    assert_eq!((pipe::CLASS.by_file)(other, 7, Some(&known)), None);
    assert_eq!((pipe::CLASS.by_file)(pipefs, 7, None), None);
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
fn places_in_pipes() {
    assert_eq!(wait_place("anon_pipe_read"), Some(WaitPlace::Read));
    assert_eq!(wait_place("pipe_write"), Some(WaitPlace::Write));
    assert_eq!(wait_place("pipe_wait"), Some(WaitPlace::ReadOrWrite));
    assert_eq!(wait_place("pipe_wait_readable"), Some(WaitPlace::SpliceRead));
    assert_eq!(wait_place("pipe_release"), None);
    // Sockets of all families sleep there.
    assert_eq!(wait_place("wait_woken"), Some(WaitPlace::Shared));
    assert_eq!(wait_place("unix_wait_for_peer"), None);
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

#[test]
fn every_device_but_pipefs_may_have_fifos() {
    let [pipefs, other] = [14, 9].map(|minor| Device { major: 0, minor });
    let known = Pipefs { device: pipefs, mnt_id: Some(15) };
    assert_eq!((fifo::CLASS.by_file)(other, 7, Some(&known)), Some(PipeId::fifo(other, 7)));
    assert_eq!((fifo::CLASS.by_file)(pipefs, 7, Some(&known)), None);
    assert_eq!((fifo::CLASS.by_file)(pipefs, 7, None), Some(PipeId::fifo(pipefs, 7)));
    assert_eq!((fifo::CLASS.by_mount)(15, 7, &known), None);
}

#[test]
fn places_in_fifos() {
    assert_eq!(wait_place("fifo_pipe_write"), Some(WaitPlace::Write));
    assert_eq!(wait_place("wait_for_partner"), Some(WaitPlace::Open));
}

#[test]
fn that_a_read_end_sees_no_hangup_proves_no_writer() {
    assert_eq!(concluded(PipeKind::Fifo, QUIET), [Some(true), None, None]);
    let closed = Polled { no_writer: true, ..QUIET };
    assert_eq!(concluded(PipeKind::Fifo, closed), [Some(true), Some(false), None]);
}
