//! Which processes have the other end of TCP connections, where both ends are in one network namespace. Looked for only where the reader of a
//! full pipe waits for such a connection: the process that it waits for may be the one that is blocked on the pipe.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::work::{self, Work};
use super::{Budget, Error, ScanOptions, Wanted, with_scanner};
use crate::judge::prospect::is_long;
use crate::model::{Pid, PipeGraph, PipeWait, Side, Socket, SocketFamily, SocketState, Threads, link};

/// Finds them, by the inode of the socket that a thread waits for. Those that could not be read are missing. Fails as
/// [`scan`](super::scan) does.
pub(crate) fn peers(
    proc_root: &Path,
    graph: &PipeGraph,
    threads: &Threads,
    budget: &Arc<Budget>,
) -> Result<BTreeMap<u64, BTreeSet<Pid>>, Error> {
    let (pids, sockets) = awaited(graph, threads);
    if sockets.is_empty() || budget.is_over() {
        return Ok(BTreeMap::new());
    }
    let run = |wanted, pids: Option<Vec<Pid>>, work: fn(Pid) -> Work| {
        let options = ScanOptions { wanted: Arc::new(wanted), ..ScanOptions::default() };
        with_scanner(proc_root, options, budget, |scanner| {
            let pids = pids.map_or_else(|| scanner.root.pids(), Ok)?;
            Ok(work::run(scanner, pids, work))
        })
    };
    let found = run(Wanted::of_connections(sockets), Some(pids), Work::Sockets)?;
    // By the other end the one that is waited for.
    let ends: BTreeMap<u64, u64> = found.into_iter().flat_map(|result| result.other_ends).collect();
    if ends.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut peers: BTreeMap<u64, BTreeSet<Pid>> = BTreeMap::new();
    for result in run(Wanted::of_sockets(ends.keys().copied().collect()), None, Work::Waited)? {
        for socket in result.has.sockets.iter().filter_map(|end| ends.get(end)) {
            peers.entry(*socket).or_default().insert(result.pid);
        }
    }
    Ok(peers)
}

/// The processes that read a full pipe, and the connections that they wait for.
fn awaited(graph: &PipeGraph, threads: &Threads) -> (Vec<Pid>, BTreeSet<u64>) {
    // A writer that has been blocked for less is not accused.
    let blocked = threads.values().flat_map(|group| &group.tasks).filter(|task| is_long(task.idle));
    let waits = blocked.flat_map(|task| task.doing.pipe_waits());
    let full: BTreeSet<_> = waits.filter(|wait| PipeWait::is_for_room(wait)).filter_map(|wait| wait.pipe).collect();
    let readers: BTreeSet<Pid> =
        full.iter().filter_map(|id| graph.pipe(*id)).flat_map(|pipe| pipe.on(Side::Read)).collect();
    let (mut pids, mut sockets) = (Vec::new(), BTreeSet::new());
    for group in readers.iter().filter_map(|pid| threads.get(pid)) {
        let targets = group.tasks.iter().flat_map(|task| &task.others).filter_map(|file| file.target.as_ref());
        let connected = targets.filter(|target| graph.waited.socket(target).is_some_and(is_connection));
        let known = sockets.len();
        sockets.extend(connected.filter_map(|target| link::socket(target)));
        if sockets.len() > known {
            pids.push(group.pid);
        }
    }
    (pids, sockets)
}

fn is_connection(socket: &Socket) -> bool {
    socket.family == SocketFamily::Tcp && socket.state == Some(SocketState::Established)
}

/// Of the connections of a network namespace, the other ends of those that are wanted, each with what it is the other end of.
pub(super) fn other_ends(connections: &[(u64, Socket)], wanted: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let addresses = |socket: &Socket| -> Option<(SocketAddr, SocketAddr)> { Some((socket.local?, socket.peer?)) };
    let ours = connections.iter().filter(|(inode, _)| wanted.contains(inode));
    let ours: BTreeMap<_, u64> = ours.filter_map(|(inode, socket)| Some((addresses(socket)?, *inode))).collect();
    let other = |(inode, socket): &(u64, Socket)| {
        let (local, peer) = addresses(socket)?;
        Some((*inode, *ours.get(&(peer, local))?))
    };
    // One that no process has accepted yet has no inode.
    connections.iter().filter(|(inode, _)| *inode != 0).filter_map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_has_the_same_addresses_the_other_way_round() {
        let connection = |inode, local: &str, peer: &str| {
            let address = |text: &str| Some(text.parse().unwrap());
            let state = Some(SocketState::Established);
            let unknown = Socket::unknown(SocketFamily::Tcp);
            (inode, Socket { state, local: address(local), peer: address(peer), ..unknown })
        };
        let all = [
            connection(7, "127.0.0.1:80", "127.0.0.1:5000"),
            connection(8, "127.0.0.1:5000", "127.0.0.1:80"),
            connection(9, "127.0.0.1:5001", "127.0.0.1:80"),
            connection(0, "127.0.0.1:80", "127.0.0.1:5001"),
            connection(10, "10.0.0.1:5000", "10.0.0.2:80"),
        ];
        let of = |wanted: &[u64]| other_ends(&all, &wanted.iter().copied().collect());
        assert_eq!(of(&[7]), [(8, 7)]);
        assert_eq!(of(&[8, 9, 10]), [(7, 8)]);
    }
}
