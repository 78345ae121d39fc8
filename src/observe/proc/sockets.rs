//! Which socket is connected to which, asked for once in a scan, and what the connections are named.
//!
//! A listing has the sockets of one network namespace only. That of another is asked for where a socket is not known: by a thread of its own,
//! which enters it. Without the right to do so, and where the kernel lists nothing, these sockets are not known to be channels.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::Statx;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::beneath::open_file;
use super::parse;
use super::process::ProcessDir;
use super::scanner::Scanner;
use super::sock_diag::{self, SHUT_READ, SHUT_WRITE, Socket};
use crate::observe::channel::{Connection, device};

/// What is kept of a socket, in bytes.
const SOCKET: usize = 128;

/// Maximum number of network namespaces that are entered.
const NAMESPACES: usize = 512;

type BySocket = HashMap<u64, Socket>;

/// The connected UNIX sockets of the machine, as far as they were asked for.
#[derive(Default)]
pub(super) struct Sockets {
    /// Of our own network namespace, and its inode.
    own: OnceLock<(BySocket, Option<u64>)>,
    /// Of all others that processes are in.
    others: OnceLock<BySocket>,
}

/// A connection that may be reported.
pub(super) struct Connected<'a> {
    pub(super) connection: Connection,
    /// The name of the side that was bound; none for a pair that socketpair(2) made.
    pub(super) name: Option<&'a [u8]>,
}

impl Sockets {
    fn own(&self, scanner: &Scanner) -> &(BySocket, Option<u64>) {
        self.own.get_or_init(|| {
            let namespace = std::fs::read_link("/proc/self/ns/net").ok();
            let namespace = namespace.and_then(|link| parse::namespace(link.as_os_str().as_encoded_bytes()));
            (keep(sock_diag::connected().unwrap_or_default(), scanner), namespace)
        })
    }

    /// The inode of the peer of a UNIX socket of any type that a process has; none if none is known.
    pub(super) fn peer(&self, scanner: &Scanner, process: &ProcessDir, inode: u64) -> Option<u64> {
        self.find(scanner, process, inode)?.0.peer
    }

    /// A socket that a process has, and its peer.
    fn find(&self, scanner: &Scanner, process: &ProcessDir, inode: u64) -> Option<(&Socket, Option<&Socket>)> {
        let (own, namespace) = self.own(scanner);
        let find = |inode: u64| own.get(&inode).or_else(|| self.others.get()?.get(&inode));
        let is_whole = |socket: &Socket| socket.peer.is_none_or(|peer| own.contains_key(&peer));
        let is_own = || namespace.is_none() || process.net_namespace().is_none_or(|it| Some(it) == *namespace);
        if !own.get(&inode).map_or_else(is_own, is_whole) {
            self.others.get_or_init(|| keep(others(scanner, *namespace), scanner));
        }
        let socket = find(inode)?;
        Some((socket, socket.peer.and_then(find)))
    }

    /// The connection of a socket that a process has; none if it has none that is known.
    pub(super) fn connected(&self, scanner: &Scanner, process: &ProcessDir, inode: u64) -> Option<Connected<'_>> {
        let (socket, peer) = self.find(scanner, process, inode).filter(|(socket, _)| socket.is_channel)?;
        // Rather a path than an abstract name, which clients may get by themselves.
        let names = [Some(socket), peer].into_iter().flatten().filter_map(|socket| socket.name.as_deref());
        let name = names.min_by_key(|name| (name.first() == Some(&b'@'), *name));
        // Of a pair, both are in one namespace: this is another connection, of which not enough is known.
        if peer.is_none() && name.is_none() {
            return None;
        }
        let connection = Connection {
            own: inode,
            peer: socket.peer?,
            receives: socket.shut & SHUT_READ == 0,
            sends: socket.shut & SHUT_WRITE == 0,
        };
        Some(Connected { connection, name })
    }
}

fn keep(sockets: Vec<Socket>, scanner: &Scanner) -> BySocket {
    let has_room = |socket: &Socket| scanner.budget.charge(SOCKET + socket.name.as_ref().map_or(0, |name| name.len()));
    // What is left out is not known, and its peer is not whole.
    sockets.into_iter().take_while(has_room).map(|socket| (socket.inode, socket)).collect()
}

/// The connections to what is bound to a file, by its inode or, where the file system gives another, by its path, of the network namespaces
/// that may be asked.
pub(super) fn bound_to(scanner: &Scanner, file: &Statx, path: &Path) -> Vec<Connection> {
    // The kernel shows as much of it.
    let inode = u32::try_from(file.stx_ino & 0xffff_ffff).unwrap_or_default();
    let is_it = |socket: &&Socket| {
        socket.file == Some((device(file), inode)) || socket.name.as_deref() == Some(path.as_os_str().as_bytes())
    };
    let sockets = &scanner.sockets;
    let (own, namespace) = sockets.own(scanner);
    let others = sockets.others.get_or_init(|| keep(others(scanner, *namespace), scanner));
    let bound = own.values().chain(others.values()).filter(|socket| socket.is_channel).filter(is_it);
    let connection =
        |socket: &Socket| Some(Connection { own: socket.inode, peer: socket.peer?, receives: true, sends: true });
    bound.filter_map(connection).collect()
}

/// The sockets of all network namespaces that processes are in, but for one.
fn others(scanner: &Scanner, own: Option<u64>) -> Vec<Socket> {
    let Ok(pids) = scanner.root.pids() else { return Vec::new() };
    let mut seen: HashSet<u64> = own.into_iter().collect();
    let mut namespaces = Vec::new();
    for pid in pids {
        if namespaces.len() == NAMESPACES || scanner.budget.is_over() {
            break;
        }
        let Ok(process) = ProcessDir::open(scanner, pid) else { continue };
        if process.net_namespace().is_some_and(|inode| seen.insert(inode)) {
            namespaces.extend(open_file(process.dir(), c"ns/net"));
        }
    }
    if namespaces.is_empty() {
        return Vec::new();
    }
    // Only that thread is there, and it ends.
    let thread = std::thread::Builder::new().spawn(move || namespaces.iter().flat_map(connected_in).collect());
    thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
}

/// The connected sockets of a namespace, which the calling thread enters for good.
fn connected_in(namespace: &OwnedFd) -> Vec<Socket> {
    match move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)) {
        Ok(()) => sock_diag::connected().unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}
