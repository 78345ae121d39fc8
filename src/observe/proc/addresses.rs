//! What the sockets are that threads wait for or that a list of descriptors has, by /proc/PID/net: their addresses and states. Each network
//! namespace is read once, and only if such a socket may be in it. What is not found is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::heartbeat::ScanStep;
use super::process::ProcessDir;
use super::root::{LONG, read_up_to};
use super::scanner::Context;
use super::work::{self, Work};
use super::{Budget, Error, ScanOptions, Wanted, peers, with_scanner};
use crate::model::{OtherFile, Pid, Socket, SocketFamily, SocketState, SocketType, Threads, link};

/// Maximum number of processes of which the network namespace is not known and that are asked nevertheless.
const MOST_UNKNOWN: usize = 8;

/// What is kept of a socket, in bytes.
const SOCKET: usize = 256;

/// The network namespaces that were read.
#[derive(Debug, Default)]
pub(super) struct Networks {
    known: BTreeSet<u64>,
    unknown: usize,
}

impl Networks {
    fn is_new(&mut self, namespace: Option<u64>) -> bool {
        if let Some(namespace) = namespace {
            return self.known.insert(namespace);
        }
        self.unknown += 1;
        self.unknown <= MOST_UNKNOWN
    }
}

/// The sockets that these threads wait for, by inode. Fails as [`scan`](super::scan) does.
pub(crate) fn sockets(
    proc_root: &Path,
    threads: &Threads,
    budget: &Arc<Budget>,
) -> Result<BTreeMap<u64, Socket>, Error> {
    let inode = |file: &OtherFile| link::socket(file.target.as_ref()?);
    let (mut wanted, mut pids) = (BTreeSet::new(), Vec::new());
    for group in threads.values() {
        let known = wanted.len();
        wanted.extend(group.tasks.iter().flat_map(|task| &task.others).filter_map(inode));
        if wanted.len() > known {
            pids.push(group.pid);
        }
    }
    sockets_of(proc_root, wanted, pids, budget)
}

/// The sockets with these inodes, in the network namespaces of these processes. Fails as [`scan`](super::scan) does.
pub(super) fn sockets_of(
    proc_root: &Path,
    wanted: BTreeSet<u64>,
    pids: Vec<Pid>,
    budget: &Arc<Budget>,
) -> Result<BTreeMap<u64, Socket>, Error> {
    if wanted.is_empty() || budget.is_over() {
        return Ok(BTreeMap::new());
    }
    let wanted = Arc::new(Wanted::of_sockets(wanted));
    let options = ScanOptions { wanted, ..ScanOptions::default() };
    with_scanner(proc_root, options, budget, |scanner| {
        Ok(work::run(scanner, pids, Work::Sockets).into_iter().flat_map(|result| result.sockets).collect())
    })
}

/// Looks for the sockets in the network namespace of a process, unless that is read already.
pub(super) fn look(pid: Pid, context: &Context<'_>, result: &mut work::ProcessResult) {
    let Ok(process) = ProcessDir::open(context.scanner, pid) else { return };
    context.heartbeat.enter(ScanStep::Facts);
    let mut networks = context.scanner.networks.lock().unwrap_or_else(PoisonError::into_inner);
    if !networks.is_new(process.net_namespace()) {
        return;
    }
    drop(networks);
    let (tcp, udp) = (SocketFamily::Tcp, SocketFamily::Udp);
    let (raw, icmp) = (SocketFamily::Raw, SocketFamily::Icmp);
    let files = [
        ("tcp", tcp),
        ("tcp6", tcp),
        ("udp", udp),
        ("udp6", udp),
        ("unix", SocketFamily::Unix),
        ("netlink", SocketFamily::Netlink),
        ("packet", SocketFamily::Packet),
        ("raw", raw),
        ("raw6", raw),
        ("icmp", icmp),
        ("icmp6", icmp),
    ];
    let mut connections = Vec::new();
    for (name, family) in files {
        context.heartbeat.enter(ScanStep::Facts);
        let text = read_up_to(process.dir(), format!("net/{name}"), LONG).unwrap_or_default();
        let parsed = |line| match family {
            SocketFamily::Unix => unix(line),
            SocketFamily::Netlink | SocketFamily::Packet => last_word(line, family),
            _ => inet(line, family),
        };
        // The last line may be cut.
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        if context.scanner.options.wanted.other_ends {
            if family == SocketFamily::Tcp {
                let all = lines.filter_map(parsed).filter(|(_, it)| it.state == Some(SocketState::Established));
                connections.extend(all.take_while(|_| context.scanner.budget.charge(SOCKET)));
            }
            continue;
        }
        let wanted =
            lines.filter_map(parsed).filter(|(inode, _)| context.scanner.options.wanted.sockets.contains(inode));
        for (inode, socket) in wanted {
            if !context.scanner.budget.charge(SOCKET) {
                return;
            }
            result.sockets.push((inode, socket));
        }
    }
    result.other_ends = peers::other_ends(&connections, &context.scanner.options.wanted.sockets);
}

/// A line of /proc/net/tcp, udp, raw or icmp, or of one of these with a 6, with the inode: `0: 0100007F:1F90 00000000:0000 0A …  0 0 12345 …`; see `proc_pid_net(5)`.
pub(super) fn inet(line: &[u8], family: SocketFamily) -> Option<(u64, Socket)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next()?.strip_suffix(':')?;
    let (local, peer) = (address(words.next()?)?, address(words.next()?)?);
    // `TCP_ESTABLISHED` and so on of net/tcp_states.h. One of another protocol is connected, or has no state.
    let state = match (family, u8::from_str_radix(words.next()?, 16).ok()?) {
        (_, 1) => Some(SocketState::Established),
        (SocketFamily::Udp | SocketFamily::Raw | SocketFamily::Icmp, _) => None,
        (_, 2 | 3 | 12) => Some(SocketState::Connecting),
        (_, 4) => Some(SocketState::FinWait1),
        (_, 5) => Some(SocketState::FinWait2),
        (_, 6) => Some(SocketState::TimeWait),
        (_, 8) => Some(SocketState::CloseWait),
        (_, 9) => Some(SocketState::LastAck),
        (_, 10) => Some(SocketState::Listen),
        (_, 11) => Some(SocketState::Closing),
        _ => Some(SocketState::Closed),
    };
    // After the queues, the timer, the retransmits, the user and the timeout.
    let inode = words.nth(5)?.parse().ok()?;
    let peer = Some(peer).filter(|peer| peer.port() != 0 || !peer.ip().is_unspecified());
    Some((inode, Socket { state, local: Some(local), peer, ..Socket::unknown(family) }))
}

/// An address and a port in hexadecimal: each 32 bits of the address in the byte order of the machine (`get_tcp4_sock` in `net/ipv4/tcp_ipv4.c`).
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let (words, rest) = address.as_bytes().as_chunks::<8>();
    let word = |digits: &[u8; 8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().map(u32::to_ne_bytes);
    let ip = match (words, rest) {
        ([word4], []) => IpAddr::from(Ipv4Addr::from(word(word4)?)),
        ([a, b, c, d], []) => {
            let mut bytes = [0; 16];
            for (place, digits) in bytes.as_chunks_mut::<4>().0.iter_mut().zip([a, b, c, d]) {
                *place = word(digits)?;
            }
            // A peer over IPv4 of a socket for both.
            IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// A line of /proc/net/netlink or packet, of which the inode is the last word.
fn last_word(line: &[u8], family: SocketFamily) -> Option<(u64, Socket)> {
    let word = line.rsplit(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    let inode = std::str::from_utf8(word).ok()?.parse().ok()?;
    Some((inode, Socket::unknown(family)))
}

/// A line of /proc/net/unix, with the inode: `0000000000000000: 00000002 00000000 00010000 0001 01 18913 /run/x`; see unix(7).
pub(super) fn unix(line: &[u8]) -> Option<(u64, Socket)> {
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_ascii_start();
        let (word, after) = rest.split_at(rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len()));
        rest = after;
        std::str::from_utf8(word).ok()
    };
    word()?.strip_suffix(':')?;
    // References and protocol come before.
    let (_, _, flags, kind, state, inode) = (word()?, word()?, word()?, word()?, word()?, word()?);
    let number = |text| u32::from_str_radix(text, 16).ok();
    // `SOCK_STREAM` and so on.
    let socket_type = match number(kind)? {
        1 => Some(SocketType::Stream),
        2 => Some(SocketType::Datagram),
        5 => Some(SocketType::Seqpacket),
        _ => None,
    };
    // `__SO_ACCEPTCON` of linux/net.h; `SS_CONNECTED` and so on.
    let state = match (number(flags)? & 0x1_0000 != 0, socket_type, number(state)?) {
        (true, ..) => Some(SocketState::Listen),
        (_, _, 3) => Some(SocketState::Established),
        (_, Some(SocketType::Datagram), _) => None,
        (_, _, 2) => Some(SocketState::Connecting),
        _ => Some(SocketState::Closed),
    };
    let path = rest.strip_prefix(b" ").filter(|path| !path.is_empty()).map(|path| path.to_vec().into());
    Some((inode.parse().ok()?, Socket { socket_type, state, path, ..Socket::unknown(SocketFamily::Unix) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_states_of_internet_sockets() {
        let line =
            b"   0: 0100007F:1F90 0200007F:BC3E 01 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 20";
        let (inode, socket) = inet(line, SocketFamily::Tcp).unwrap();
        let shown = |address: Option<SocketAddr>| address.map(|address| address.to_string()).unwrap_or_default();
        assert_eq!((inode, socket.state), (12345, Some(SocketState::Established)));
        assert_eq!([shown(socket.local), shown(socket.peer)], ["127.0.0.1:8080", "127.0.0.2:48190"]);
        let line =
            b" 0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7 1";
        let (_, socket) = inet(line, SocketFamily::Tcp).unwrap();
        assert_eq!(([shown(socket.local), shown(socket.peer)]), ["[::1]:22".to_owned(), String::new()]);
        assert_eq!(socket.state, Some(SocketState::Listen));
        let line =
            b" 0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000100007F:0017 08 0:0 0:0 0 0 0 7 1";
        let (_, socket) = inet(line, SocketFamily::Tcp).unwrap();
        assert_eq!((shown(socket.peer), socket.state), ("127.0.0.1:23".to_owned(), Some(SocketState::CloseWait)));
        let line = b" 2: 00000000:0044 00000000:0000 07 0:0 0:0 0 0 0 9 2";
        assert_eq!(inet(line, SocketFamily::Udp).unwrap().1.state, None);
        assert_eq!(inet(b"  sl  local_address rem_address   st tx_queue", SocketFamily::Tcp), None);
        for cut in 0..line.len() - 6 {
            assert!(inet(&line[..cut], SocketFamily::Udp).is_none_or(|(inode, _)| inode == 9), "{cut}");
        }
    }

    #[test]
    fn sockets_without_an_address() {
        let head = b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode";
        assert_eq!(last_word(head, SocketFamily::Netlink), None);
        let line = b"0000000000000000 0   17383      00000000 0        0        0     2        0        1055015  ";
        let (inode, socket) = last_word(line, SocketFamily::Netlink).unwrap();
        assert_eq!((inode, socket.family, socket.state), (1_055_015, SocketFamily::Netlink, None));
        assert_eq!(last_word(b"", SocketFamily::Packet), None);
    }

    #[test]
    fn names_and_states_of_unix_sockets() {
        let path =
            |socket: &Socket| socket.path.as_ref().map(|path| String::from_utf8_lossy(path.as_slice()).into_owned());
        let (inode, socket) = unix(b"0000000000000000: 00000002 00000000 00010000 0001 01 18913 /run/a b").unwrap();
        assert_eq!(
            (inode, socket.state, path(&socket).as_deref()),
            (18913, Some(SocketState::Listen), Some("/run/a b"))
        );
        assert_eq!(socket.socket_type, Some(SocketType::Stream));
        let (_, socket) = unix(b"0000000000000000: 00000003 00000000 00000000 0002 01   913 @x").unwrap();
        assert_eq!((socket.state, path(&socket).as_deref()), (None, Some("@x")));
        assert_eq!(socket.socket_type, Some(SocketType::Datagram));
        let (_, socket) = unix(b"0000000000000000: 00000003 00000000 00000000 0001 03   914").unwrap();
        assert_eq!((socket.state, path(&socket)), (Some(SocketState::Established), None));
        assert_eq!(unix(b"Num       RefCount Protocol Flags    Type St Inode Path"), None);
    }
}
