//! Connected UNIX stream and seqpacket sockets; see unix(7). Each direction is a pipe of its own, named after the socket that receives.

use rustix::fs::FileType;

use super::{Class, Ends, Sizes, WaitPlace};
use crate::model::{AccessMode, PipeId, Side};

pub(super) const CLASS: Class = Class {
    file_type: FileType::Socket,
    // The inode does not say whether it is connected: see `Connection`.
    by_file: |_, _, _| None,
    by_mount: |_, _, _| None,
    link_prefix: None,
    // In net/unix/af_unix.c and net/core. Sockets of other families sleep in most of these, too.
    wait_places: &[
        ("unix_stream_read_generic", WaitPlace::Shared),
        ("unix_stream_data_wait", WaitPlace::Shared),
        ("__unix_dgram_recvmsg", WaitPlace::Shared),
        ("__skb_wait_for_more_packets", WaitPlace::Shared),
        ("sock_alloc_send_pskb", WaitPlace::Shared),
        ("sock_wait_for_wmem", WaitPlace::Shared),
    ],
    sizes: |_| Sizes::default(),
    conclude: |_, _| {},
};

/// A socket with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) struct Connection {
    /// The inodes of the socket and of its peer.
    pub(in crate::observe) own: u64,
    pub(in crate::observe) peer: u64,
    /// Whether data may still come, and be sent: shutdown(2) ends a direction for both.
    pub(in crate::observe) receives: bool,
    pub(in crate::observe) sends: bool,
}

impl Connection {
    /// It receives from the pipe of its own inode, and sends to that of its peer.
    pub(super) fn ends(self, access: AccessMode) -> Ends<(PipeId, AccessMode)> {
        let end = |is_open: bool, inode, side: Side, access_of| {
            (is_open && access.is_on(side)).then_some((PipeId::unix(inode), access_of))
        };
        [
            end(self.receives, self.own, Side::Read, AccessMode::Read),
            end(self.sends, self.peer, Side::Write, AccessMode::Write),
        ]
    }
}
