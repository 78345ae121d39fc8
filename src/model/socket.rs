//! Sockets that are no channel: where a chain of waits ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{EventId, FileLock, LinkTarget, PathName, Pid, SharedLock, Waker, link, transfer};

/// What threads wait for that is no channel, as far as it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitedFiles {
    /// The sockets, by inode.
    #[serde(with = "transfer::pairs")]
    #[cfg_attr(test, schemars(with = "Vec<(u64, Socket)>"))]
    pub sockets: BTreeMap<u64, Socket>,
    /// The processes that have each eventfd. An eventfd that is missing may be had by any process.
    #[serde(with = "transfer::pairs")]
    #[cfg_attr(test, schemars(with = "Vec<(EventId, Vec<Pid>)>"))]
    pub events: BTreeMap<EventId, BTreeSet<Pid>>,
    /// The processes that map the file of each futex. A futex that is missing may be in memory of any process.
    #[serde(with = "transfer::pairs")]
    #[cfg_attr(test, schemars(with = "Vec<(SharedLock, Vec<Pid>)>"))]
    pub locks: BTreeMap<SharedLock, BTreeSet<Pid>>,
    /// The processes that have the other end of a TCP connection, by the inode of the socket that is waited for; asked for where the reader
    /// of a full pipe waits for it. Of one that is missing, it may be any process, also on another machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "transfer::pairs")]
    #[cfg_attr(test, schemars(with = "Vec<(u64, Vec<Pid>)>"))]
    pub peers: BTreeMap<u64, BTreeSet<Pid>>,
    /// The processes that hold each lock on a file. A lock that is missing may be held by any process.
    #[serde(default, with = "transfer::pairs", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<(FileLock, LockHolders)>"))]
    pub file_locks: BTreeMap<FileLock, LockHolders>,
}

/// Who holds a lock on a file, by the `lock:` lines of fdinfo; see `proc_pid_fdinfo(5)`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LockHolders {
    /// The processes, each with its descriptor.
    pub seen: BTreeSet<Waker>,
    /// Whether no other process may hold it: each could be read, and at least one was seen to hold it.
    pub are_all: bool,
}

impl WaitedFiles {
    /// The socket that a link in /proc/PID/fd names, such as `socket:[18913]`.
    #[must_use]
    pub fn socket(&self, link: &LinkTarget) -> Option<&Socket> {
        self.sockets.get(&link::socket(link)?)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty() && self.events.is_empty() && self.locks.is_empty() && self.file_locks.is_empty()
    }
}

/// A socket, as `sock_diag(7)` or /proc/net describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Socket {
    /// Its family and protocol.
    pub family: SocketFamily,
    /// The type of a UNIX socket; missing for another family, whose protocol implies it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "SocketType"))]
    pub socket_type: Option<SocketType>,
    /// Its state; none if it has none.
    pub state: Option<SocketState>,
    /// The local address; none of a UNIX socket.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub local: Option<SocketAddr>,
    /// The address of the peer; none if it is not connected.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub peer: Option<SocketAddr>,
    /// The path of a UNIX socket; an abstract one begins with `@`.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    pub path: Option<PathName>,
    /// The peer of a UNIX socket; missing if it has none, and where that was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "UnixPeer"))]
    pub unix_peer: Option<UnixPeer>,
}

impl Socket {
    /// One of which only the family is known.
    pub(crate) const fn unknown(family: SocketFamily) -> Self {
        Self { family, socket_type: None, state: None, local: None, peer: None, path: None, unix_peer: None }
    }
}

/// The socket that a UNIX socket is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnixPeer {
    /// Its inode.
    pub inode: u64,
    /// The path that it is bound to; an abstract one begins with `@`. None if it is not bound.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    pub path: Option<PathName>,
}

words! {
    /// The type of a socket; see socket(2).
    pub enum SocketType {
        /// `SOCK_STREAM`
        Stream = "stream",
        /// `SOCK_DGRAM`
        Datagram = "datagram",
        /// `SOCK_SEQPACKET`
        Seqpacket = "seqpacket",
    }
}

words! {
    /// The family and protocol of a socket.
    pub enum SocketFamily {
        /// TCP, over IPv4 or IPv6.
        Tcp = "TCP",
        /// UDP, over IPv4 or IPv6.
        Udp = "UDP",
        /// UNIX.
        Unix = "UNIX",
        /// Raw, over IPv4 or IPv6; the port of its address is the number of the protocol.
        Raw = "raw",
        /// ICMP, as of ping(8) without privileges.
        Icmp = "ICMP",
        /// Netlink; see netlink(7).
        Netlink = "netlink",
        /// Packets of a device; see packet(7).
        Packet = "packet",
    }
}

words! {
    /// The state of a socket.
    pub enum SocketState {
        /// It listens.
        Listen = "listen",
        /// It is connected.
        Established = "established",
        /// It is being connected.
        Connecting = "connecting",
        /// It is not connected.
        Closed = "closed",
        /// TCP: it was closed, and the peer has not confirmed that.
        FinWait1 = "fin-wait-1",
        /// TCP: it was closed, and the peer was not.
        FinWait2 = "fin-wait-2",
        /// TCP: it and the peer were closed at once.
        Closing = "closing",
        /// TCP: the peer was closed: there is no more to read than what is queued.
        CloseWait = "close-wait",
        /// TCP: it was closed after its peer, which has not confirmed that.
        LastAck = "last-ack",
        /// TCP: both were closed.
        TimeWait = "time-wait",
    }
}
