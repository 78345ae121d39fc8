//! Which ends are asked.

use super::*;
use crate::model::{Fd, Pid, Tid};

#[test]
fn write_ends_of_different_processes_come_first() {
    let end = |pid, tid: Option<u32>, fd, access| Endpoint {
        pid: Pid(pid),
        tid: tid.map(Tid),
        fd: Fd(fd),
        access,
        flags: None,
        description: None,
    };
    let ends = vec![
        end(1, None, 0, AccessMode::Read),
        end(1, Some(5), 3, AccessMode::Write),
        end(2, None, 1, AccessMode::Write),
        end(2, None, 7, AccessMode::Write),
        end(3, None, 4, AccessMode::ReadWrite),
    ];
    let pipe = Pipe { ends, ..Pipe::unknown(PipeId::anonymous(7)) };
    let tried: Vec<_> = candidates(&pipe).map(Endpoint::key).collect();
    let key = |pid, tid: Option<u32>, fd| (Pid(pid), tid.map(Tid), Fd(fd));
    assert_eq!(tried, [key(2, None, 1), key(3, None, 4), key(1, Some(5), 3), key(1, None, 0)]);
}
