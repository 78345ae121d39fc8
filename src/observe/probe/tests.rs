//! What the answers of poll(2) prove, and whom to ask.

use super::*;
use crate::model::{Fd, Pid, Tid};

const QUIET: Polled = Polled { access: AccessMode::Read, room: false, no_writer: false, no_reader: false };

fn concluded(kind: PipeKind, polled: Polled) -> (Option<bool>, Option<bool>, Option<bool>) {
    let mut probed = Probed::default();
    conclude(&mut probed, kind, polled);
    (probed.reader, probed.writer, probed.full)
}

#[test]
fn read_end_tells_of_writers_only() {
    for kind in [PipeKind::Anonymous, PipeKind::Fifo] {
        assert_eq!(concluded(kind, Polled { no_writer: true, ..QUIET }), (Some(true), Some(false), None));
    }
    assert_eq!(concluded(PipeKind::Anonymous, QUIET), (Some(true), Some(true), None));
    // That there is no hang-up proves nothing there.
    assert_eq!(concluded(PipeKind::Fifo, QUIET), (Some(true), None, None));
}

#[test]
fn write_end_tells_of_readers_and_of_room() {
    let write = Polled { access: AccessMode::Write, ..QUIET };
    for kind in [PipeKind::Anonymous, PipeKind::Fifo] {
        assert_eq!(concluded(kind, write), (Some(true), Some(true), Some(true)));
        assert_eq!(concluded(kind, Polled { room: true, ..write }), (Some(true), Some(true), Some(false)));
        let lonely = Polled { no_reader: true, room: true, ..write };
        assert_eq!(concluded(kind, lonely), (Some(false), Some(true), Some(false)));
        let both = Polled { access: AccessMode::ReadWrite, room: true, ..QUIET };
        assert_eq!(concluded(kind, both), (Some(true), Some(true), Some(false)));
    }
}

#[test]
fn write_ends_of_different_processes_come_first() {
    let end = |pid, tid: Option<u32>, fd, access| Endpoint {
        pid: Pid(pid),
        tid: tid.map(Tid),
        fd: Fd(fd),
        access,
        flags: None,
    };
    let ends = vec![
        end(1, None, 0, AccessMode::Read),
        end(1, Some(5), 3, AccessMode::Write),
        end(2, None, 1, AccessMode::Write),
        end(2, None, 7, AccessMode::Write),
        end(3, None, 4, AccessMode::ReadWrite),
    ];
    let pipe = Pipe { ends, ..Pipe::unknown(PipeId::Anonymous { inode: 7 }) };
    let tried: Vec<_> = candidates(&pipe).map(Endpoint::key).collect();
    let key = |pid, tid: Option<u32>, fd| (Pid(pid), tid.map(Tid), Fd(fd));
    assert_eq!(tried, [key(2, None, 1), key(3, None, 4), key(1, Some(5), 3), key(1, None, 0)]);
}
