//! The messages between the command and its helper: each is one packet of a socket, in JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Device, Fd, Pid, PipeKind, Tid};
use crate::observe::channel::{Polled, Sizes};

/// Maximum length of a packet in bytes, in either direction: more than all numbers at their longest take.
pub(super) const MAX_PACKET: usize = 512;

/// Asks about one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) pid: Pid,
    /// The thread, if the descriptor is in a private table of it.
    pub(super) tid: Option<Tid>,
    pub(super) fd: Fd,
    /// The kind, device and inode of the pipe that the descriptor must lead to, or it is left alone.
    pub(super) kind: PipeKind,
    pub(super) device: Device,
    pub(super) inode: u64,
    /// Whether to ask for the sizes too, which takes the lock of the pipe.
    pub(super) sizes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The helper is ready for requests.
    Ready,
    /// It is not, and exits.
    Failed(Failure),
    /// The end could not be duplicated. The last answer to a request.
    Nothing {
        /// Whether access was denied, so that more privileges would help.
        refused: bool,
    },
    /// The first answer to a request.
    Polled(Polled),
    /// The last answer to a request; without sizes if they were not asked for.
    Sizes(Sizes),
}

/// Why a helper does not serve; with the number of the error, see errno(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    /// No descriptor can be duplicated, not even one of its own.
    Duplicate(i32),
    /// Descriptors that it inherited cannot be closed.
    Close(i32),
    /// It cannot have a timer that ends it.
    Timer(i32),
    /// It has no proc file system.
    Proc,
}

pub(super) fn to_packet(message: &impl Serialize) -> Vec<u8> {
    // Numbers and words always serialize.
    serde_json::to_vec(message).unwrap_or_default()
}

/// None if it is not whole.
pub(super) fn from_packet<T: DeserializeOwned>(packet: &[u8]) -> Option<T> {
    serde_json::from_slice(packet).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccessMode;

    #[test]
    fn messages_fit_and_come_back() {
        let request = Request {
            pid: Pid(u32::MAX),
            tid: Some(Tid(u32::MAX)),
            fd: Fd(u32::MAX),
            kind: PipeKind::Anonymous,
            device: Device { major: u32::MAX, minor: u32::MAX },
            inode: u64::MAX,
            sizes: false,
        };
        for request in [request, Request { tid: None, ..request }] {
            let packet = to_packet(&request);
            assert!(packet.len() <= MAX_PACKET);
            assert_eq!(from_packet(&packet), Some(request));
            assert_eq!(from_packet::<Request>(&packet[..packet.len() - 1]), None);
        }
        let polled = Polled { access: AccessMode::ReadWrite, room: true, no_writer: false, no_reader: true };
        let sizes = Answer::Sizes(Sizes { queued: Some(u64::MAX), capacity: None });
        let failed = Answer::Failed(Failure::Duplicate(i32::MIN));
        for answer in [Answer::Ready, failed, Answer::Nothing { refused: true }, Answer::Polled(polled), sizes] {
            let packet = to_packet(&answer);
            assert!(packet.len() <= MAX_PACKET);
            assert_eq!(from_packet(&packet), Some(answer));
        }
        assert_eq!(from_packet::<Answer>(b""), None);
    }
}
