//! The UNIX sockets of a network namespace with a connection, as the kernel lists them; see `sock_diag(7)`. No socket is touched.
//!
//! Read here and not by a crate: those for netlink keep the file that a socket is bound to for themselves.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::model::Device;

/// Of linux/netlink.h and `linux/sock_diag.h`.
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The length of a `struct nlmsghdr`, and of a `struct unix_diag_req`.
const HEADER: usize = 16;
const REQUEST: usize = 24;

/// Of `linux/unix_diag.h`: what to show, and the attributes in which it is shown.
const UDIAG_SHOW_NAME: u32 = 0x1;
const UDIAG_SHOW_VFS: u32 = 0x2;
const UDIAG_SHOW_PEER: u32 = 0x4;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_SHUTDOWN: u16 = 6;

/// `TCP_ESTABLISHED` of `net/tcp_states.h`, which is the state of any connected socket.
const ESTABLISHED: u32 = 1;

/// `RCV_SHUTDOWN` and `SEND_SHUTDOWN` of net/sock.h.
pub(super) const SHUT_READ: u8 = 1;
pub(super) const SHUT_WRITE: u8 = 2;

/// Maximum time to wait for an answer. The kernel has it ready when the request returns.
const PATIENCE: Duration = Duration::from_secs(1);

/// `MAX_ERRNO` of linux/err.h.
const MAX_ERRNO: i32 = 4095;

/// No datagram of a dump is longer (`netlink_dump` in `net/netlink/af_netlink.c`).
const DATAGRAM: usize = 64 * 1024;

/// A connected socket: of a datagram socket, one that has a peer or is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) inode: u64,
    /// Whether it is a stream or seqpacket socket.
    pub(super) is_channel: bool,
    /// The inode of its peer. None where that has been closed, or was not accepted yet.
    pub(super) peer: Option<u64>,
    /// The directions that shutdown(2) has ended: `SHUT_READ` and `SHUT_WRITE`.
    pub(super) shut: u8,
    /// Its name as it was bound: a path, which may be a relative one, or `@` and an abstract name. An accepted socket has that of the one that
    /// listens.
    pub(super) name: Option<Box<[u8]>>,
    /// The device and the lower half of the inode of the file that it is bound to.
    pub(super) file: Option<(Device, u32)>,
}

/// The connected sockets of the network namespace of the calling thread. Fails where the kernel was built without `CONFIG_UNIX_DIAG` or
/// a sandbox refuses it.
pub(super) fn connected() -> io::Result<Vec<Socket>> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    rustix::net::send(&socket, &request(), SendFlags::empty())?;
    let (mut found, mut buffer) = (Vec::new(), vec![0; DATAGRAM]);
    loop {
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let datagram = buffer.get(..length).filter(|datagram| !datagram.is_empty()).ok_or(Errno::PROTO)?;
        if sockets(datagram, &mut found)? {
            return Ok(found);
        }
    }
}

/// A `struct nlmsghdr` and a `struct unix_diag_req`.
fn request() -> Vec<u8> {
    let length = u32::try_from(HEADER + REQUEST).unwrap_or_default();
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    // The sequence number and the sender, which need not be set.
    message.extend([0; 8]);
    message.extend(u32::from(AddressFamily::UNIX.as_raw()).to_le_bytes());
    message.extend((1_u32 << ESTABLISHED).to_ne_bytes());
    message.extend([0; 4]);
    message.extend((UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER).to_ne_bytes());
    message.extend([0; 8]);
    message
}

/// Adds the sockets in a datagram, and returns whether it was the last. Fails if it is an error.
pub(super) fn sockets(datagram: &[u8], found: &mut Vec<Socket>) -> Result<bool, Errno> {
    let mut rest = datagram;
    while let Some(length) = number(rest, 0).and_then(|length| usize::try_from(length).ok()) {
        let Some(message) = rest.get(HEADER..length) else { return Err(Errno::PROTO) };
        match half(rest, 4) {
            Some(NLMSG_DONE) => return Ok(true),
            // A negative errno.
            Some(NLMSG_ERROR) => {
                let errno = number(message, 0).and_then(|number| number.cast_signed().checked_neg());
                let known = errno.filter(|errno| (1..MAX_ERRNO).contains(errno)).map(Errno::from_raw_os_error);
                return Err(known.unwrap_or(Errno::PROTO));
            }
            Some(SOCK_DIAG_BY_FAMILY) => found.extend(socket(message)),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// A `struct unix_diag_msg` with its attributes; none of one that was not accepted yet.
fn socket(message: &[u8]) -> Option<Socket> {
    let is_channel = matches!(i32::from(*message.get(1)?), libc::SOCK_STREAM | libc::SOCK_SEQPACKET);
    let inode = number(message, 4).filter(|inode| *inode != 0)?.into();
    let mut socket = Socket { inode, is_channel, peer: None, shut: 0, name: None, file: None };
    let mut rest = message.get(HEADER..)?;
    // A `struct nlattr`, whose length includes its own four bytes.
    while let Some(length) = half(rest, 0).map(usize::from) {
        let Some(value) = rest.get(4..length) else { break };
        match half(rest, 2)? {
            UNIX_DIAG_NAME => socket.name = name(value),
            UNIX_DIAG_VFS => {
                socket.file = number(value, 0).zip(number(value, 4)).map(|(inode, it)| (device(it), inode));
            }
            UNIX_DIAG_PEER => socket.peer = number(value, 0).filter(|inode| *inode != 0).map(u64::from),
            UNIX_DIAG_SHUTDOWN => socket.shut = value.first().copied().unwrap_or_default(),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(socket)
}

/// A path, or an abstract name, which begins with a NUL.
fn name(value: &[u8]) -> Option<Box<[u8]>> {
    match value.split_first()? {
        (0, []) => None,
        (0, name) => Some([b"@", name].concat().into()),
        _ => Some(value.split(|byte| *byte == 0).next()?.into()),
    }
}

/// A device as the kernel has it within (`MINORBITS` of `linux/kdev_t.h`).
const fn device(number: u32) -> Device {
    Device { major: number >> 20, minor: number & 0xf_ffff }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn body(kind: u8, inode: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![1, kind, 1, 0];
        body.extend(inode.to_ne_bytes());
        body.extend([0; 8]);
        for (name, value) in attributes {
            body.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            body.extend(name.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body
    }

    #[test]
    fn sockets_of_a_datagram() {
        let [peer, closed] = [8_u32, 0].map(u32::to_ne_bytes);
        // 0:26 and 254:16, as the kernel has them within.
        let file = [77_u32.to_ne_bytes(), (254_u32 << 20 | 16).to_ne_bytes()].concat();
        let mut datagram = [
            message(
                SOCK_DIAG_BY_FAMILY,
                &body(1, 5, &[(0, b"/run/a\0"), (1, &file), (2, &peer), (6, &[3]), (9, b"x")]),
            ),
            message(SOCK_DIAG_BY_FAMILY, &body(5, 6, &[(0, b"\0a"), (2, &closed)])),
            // A datagram socket, and one that was not accepted yet.
            message(SOCK_DIAG_BY_FAMILY, &body(2, 7, &[(2, &peer)])),
            message(SOCK_DIAG_BY_FAMILY, &body(1, 0, &[(2, &peer)])),
        ]
        .concat();
        let mut found = Vec::new();
        assert_eq!(sockets(&datagram, &mut found), Ok(false));
        let named = Socket {
            inode: 5,
            is_channel: true,
            peer: Some(8),
            shut: SHUT_READ | SHUT_WRITE,
            name: Some((*b"/run/a").into()),
            file: Some((Device { major: 254, minor: 16 }, 77)),
        };
        let alone = Socket { inode: 6, is_channel: true, peer: None, shut: 0, name: Some((*b"@a").into()), file: None };
        let datagram_socket = Socket { inode: 7, is_channel: false, peer: Some(8), name: None, ..alone.clone() };
        assert_eq!(found, [named, alone, datagram_socket]);
        datagram.extend(message(NLMSG_DONE, &[0; 4]));
        assert_eq!(sockets(&datagram, &mut Vec::new()), Ok(true));
        let refused = message(NLMSG_ERROR, &(-2_i32).to_ne_bytes());
        assert_eq!(sockets(&refused, &mut Vec::new()), Err(Errno::NOENT));
        datagram.truncate(50);
        assert_eq!(sockets(&datagram, &mut Vec::new()), Err(Errno::PROTO));
    }

    /// Of a pair that this test made, the kernel says what it made.
    #[test]
    fn a_pair_is_listed() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

        let inode = |socket: &UnixStream| rustix::fs::fstat(socket).unwrap().st_ino;
        let (one, other) = UnixStream::pair().unwrap();
        other.shutdown(std::net::Shutdown::Write).unwrap();
        let (alone, closed) = UnixStream::pair().unwrap();
        drop(closed);
        let address = SocketAddr::from_abstract_name(format!("lspipe-{}", std::process::id())).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let pending = UnixStream::connect_addr(&address).unwrap();
        let Ok(found) = connected() else { return };
        let of = |socket: &UnixStream| found.iter().find(|it| it.inode == inode(socket)).cloned();
        let pair = Socket {
            inode: inode(&one),
            is_channel: true,
            peer: Some(inode(&other)),
            shut: SHUT_READ,
            name: None,
            file: None,
        };
        assert_eq!(of(&one), Some(pair.clone()));
        let back = Socket { inode: inode(&other), peer: Some(inode(&one)), shut: SHUT_WRITE, ..pair };
        assert_eq!(of(&other), Some(back));
        assert_eq!([&alone, &pending].map(|socket| of(socket).unwrap().peer), [None, None]);
        let accepted = listener.accept().unwrap().0;
        let found = connected().unwrap();
        let of = |socket: &UnixStream| found.iter().find(|it| it.inode == inode(socket)).unwrap();
        assert_eq!(of(&pending).peer, Some(inode(&accepted)));
        let name = format!("@lspipe-{}", std::process::id());
        assert_eq!(of(&accepted).name.as_deref(), Some(name.as_bytes()));
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_parser_panic(
            kind in 0u16..22, bytes in proptest::collection::vec(any::<u8>(), 0..120), cut in 0usize..150
        ) {
            let mut datagram = message(kind, &bytes);
            datagram.truncate(cut);
            let _ = sockets(&datagram, &mut Vec::new());
            let _ = sockets(&bytes, &mut Vec::new());
        }
    }
}
