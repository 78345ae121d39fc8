//! The words between the command and its helper: one message is one packet of a socket, a few numbers long.

use crate::model::{AccessMode, Device, Fd, Pid, Tid};

/// The length of a packet, in either direction.
pub(super) const PACKET: usize = FIELDS * 8;

/// How many numbers a packet holds.
const FIELDS: usize = 7;

/// Asks about one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) pid: Pid,
    /// Set where the descriptor stands in a table of that thread alone.
    pub(super) tid: Option<Tid>,
    pub(super) fd: Fd,
    /// What the descriptor must be, or it is left alone.
    pub(super) device: Device,
    pub(super) inode: u64,
    /// Whether to ask for the sizes too, which takes the lock of the pipe.
    pub(super) sizes: bool,
}

impl Request {
    pub(super) fn to_packet(self) -> [u8; PACKET] {
        let Self { pid, tid, fd, device, inode, sizes } = self;
        packet([
            pid.0.into(),
            tid.map_or(0, |tid| tid.0.into()),
            fd.0.into(),
            device.major.into(),
            device.minor.into(),
            inode,
            sizes.into(),
        ])
    }

    pub(super) fn from_packet(packet: &[u8]) -> Option<Self> {
        let [pid, tid, fd, major, minor, inode, sizes] = numbers(packet)?;
        let small = |number: u64| u32::try_from(number).ok();
        Some(Self {
            pid: Pid(small(pid)?),
            tid: if tid == 0 { None } else { Some(Tid(small(tid)?)) },
            fd: Fd(small(fd)?),
            device: Device { major: small(major)?, minor: small(minor)? },
            inode,
            sizes: sizes != 0,
        })
    }
}

/// What poll(2) says of an end, which takes no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Polled {
    /// How the end that was asked is open: its number may have been used again for the other end of the pipe.
    pub(super) access: AccessMode,
    /// `POLLOUT`: there is room.
    pub(super) room: bool,
    /// `POLLHUP`, of a read end only: there is no write end.
    pub(super) no_writer: bool,
    /// `POLLERR`, of a write end only: there is no read end.
    pub(super) no_reader: bool,
}

/// Tells what there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The helper is ready for requests.
    Ready,
    /// The end could not be had: it is gone, or refused. The last answer to a request.
    Nothing {
        /// Whether it was refused, so that more rights would help.
        refused: bool,
    },
    /// The first answer to a request; the sizes follow if they were asked for.
    Polled(Polled),
    /// The last answer to a request for sizes.
    Sizes { queued: Option<u64>, capacity: Option<u64> },
}

impl Answer {
    pub(super) fn to_packet(self) -> [u8; PACKET] {
        packet(match self {
            Self::Ready => [1, 0, 0, 0, 0, 0, 0],
            Self::Nothing { refused } => [2, refused.into(), 0, 0, 0, 0, 0],
            Self::Polled(Polled { access, room, no_writer, no_reader }) => {
                let access = match access {
                    AccessMode::Read => 0,
                    AccessMode::Write => 1,
                    AccessMode::ReadWrite => 2,
                };
                [3, access, room.into(), no_writer.into(), no_reader.into(), 0, 0]
            }
            Self::Sizes { queued, capacity } => {
                let (queued, capacity) = (known(queued), known(capacity));
                [4, queued.0, queued.1, capacity.0, capacity.1, 0, 0]
            }
        })
    }

    pub(super) fn from_packet(packet: &[u8]) -> Option<Self> {
        Some(match numbers(packet)? {
            [1, ..] => Self::Ready,
            [2, refused, ..] => Self::Nothing { refused: refused != 0 },
            [3, access, room, no_writer, no_reader, ..] => {
                let access = match access {
                    0 => AccessMode::Read,
                    1 => AccessMode::Write,
                    2 => AccessMode::ReadWrite,
                    _ => return None,
                };
                let (room, no_writer, no_reader) = (room != 0, no_writer != 0, no_reader != 0);
                Self::Polled(Polled { access, room, no_writer, no_reader })
            }
            [4, queued_known, queued, capacity_known, capacity, ..] => Self::Sizes {
                queued: (queued_known != 0).then_some(queued),
                capacity: (capacity_known != 0).then_some(capacity),
            },
            _ => return None,
        })
    }
}

fn known(number: Option<u64>) -> (u64, u64) {
    (number.is_some().into(), number.unwrap_or(0))
}

fn packet(numbers: [u64; FIELDS]) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    for (place, number) in packet.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    packet
}

fn numbers(packet: &[u8]) -> Option<[u64; FIELDS]> {
    let packet: &[u8; PACKET] = packet.try_into().ok()?;
    let mut numbers = [0; FIELDS];
    for (number, place) in numbers.iter_mut().zip(packet.chunks_exact(8)) {
        *number = u64::from_ne_bytes(place.try_into().ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let request = Request {
            pid: Pid(4_194_304),
            tid: Some(Tid(7)),
            fd: Fd(1023),
            device: Device { major: 0, minor: 15 },
            inode: u64::MAX,
            sizes: true,
        };
        for request in [request, Request { tid: None, sizes: false, ..request }] {
            assert_eq!(Request::from_packet(&request.to_packet()), Some(request));
        }
        let polled = Polled { access: AccessMode::ReadWrite, room: true, no_writer: false, no_reader: true };
        for answer in [
            Answer::Ready,
            Answer::Nothing { refused: true },
            Answer::Nothing { refused: false },
            Answer::Polled(polled),
            Answer::Polled(Polled { access: AccessMode::Read, room: false, no_writer: true, no_reader: false }),
            Answer::Sizes { queued: Some(0), capacity: None },
            Answer::Sizes { queued: None, capacity: Some(65536) },
        ] {
            assert_eq!(Answer::from_packet(&answer.to_packet()), Some(answer));
        }
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (Request::from_packet(&packet), Answer::from_packet(&packet));
        }
    }
}
