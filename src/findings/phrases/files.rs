//! The names of files that are no channel, at which a chain of waits ends: sockets by their addresses, others by what they are.

use super::{Phrases, list};
use crate::escape::{quote_name, quote_target};
use crate::model::{Fd, LinkTarget, OtherFile, Pid, PipeKind, PtyFlow, Side, Socket, SocketFamily, SocketState, link};

/// Links of anonymous inodes, as the kernel writes them, and what they are.
const ANONYMOUS: [(&[u8], &str); 8] = [
    (b"anon_inode:[eventfd]", "an eventfd"),
    (b"anon_inode:[timerfd]", "a timerfd"),
    (b"anon_inode:[signalfd]", "a signalfd"),
    (b"anon_inode:[eventpoll]", "an epoll"),
    (b"anon_inode:[pidfd]", "a pidfd"),
    (b"anon_inode:[io_uring]", "an io_uring"),
    (b"anon_inode:inotify", "inotify"),
    (b"anon_inode:[fanotify]", "fanotify"),
];

impl Phrases<'_> {
    /// `TCP 127.0.0.1:42330 → 127.0.0.1:53191 (fd 5) and inotify (fd 6)`; of many, the first.
    pub(super) fn files(&self, files: &[OtherFile]) -> String {
        list(files, |file| self.file(file.fd, file.target.as_ref()))
    }

    /// A file by its link in /proc/PID/fd.
    pub(super) fn file(&self, fd: Fd, target: Option<&LinkTarget>) -> String {
        let Some(target) = target else { return format!("a file that could not be identified (fd {fd})") };
        if let Some(socket) = self.graph.waited.socket(target) {
            let (name, state) = socket_name(socket);
            let state = state.map(|state| format!(", {state}")).unwrap_or_default();
            let peers = link::socket(target).and_then(|inode| self.graph.waited.peers.get(&inode));
            let held = peers.map(|pids| format!(", whose other end {} holds", self.processes(pids.iter().copied())));
            return format!("{name} (fd {fd}{state}){}", held.unwrap_or_default());
        }
        let link: &[u8] = target;
        if let Some((_, name)) = ANONYMOUS.iter().find(|(known, _)| *known == link) {
            return format!("{name} (fd {fd})");
        }
        let masters = self.masters(target).map(|masters| format!(", whose master {masters} holds"));
        format!("{} (fd {fd}){}", quote_target(target), masters.unwrap_or_default())
    }

    /// `TCP 0.0.0.0:80 (fd 3)`, if all of them are listening sockets.
    pub(super) fn listening(&self, files: &[OtherFile]) -> Option<String> {
        let listens = |file: &OtherFile| {
            let socket = self.graph.waited.socket(file.target.as_ref()?)?;
            (socket.state == Some(SocketState::Listen)).then(|| (file.fd, socket_name(socket).0))
        };
        let sockets: Vec<(Fd, String)> = files.iter().map(listens).collect::<Option<_>>()?;
        (!sockets.is_empty()).then(|| list(sockets, |(fd, name)| format!("{name} (fd {fd})")))
    }

    /// The processes that hold the master of a terminal, if it is one that is listed.
    pub(super) fn masters(&self, terminal: &LinkTarget) -> Option<String> {
        let path: &[u8] = terminal;
        if !path.starts_with(b"/dev/pts/") {
            return None;
        }
        // The pseudoterminals come last.
        let terminals = self.graph.pipes.iter().rev().take_while(|pipe| pipe.id.kind() == PipeKind::Pty);
        let mut inputs = terminals.filter(|pipe| pipe.id.flow() == Some(PtyFlow::Input));
        let input = inputs.find(|pipe| pipe.path.as_ref().is_some_and(|its| &its[..] == path))?;
        let mut masters: Vec<Pid> = input.side(Side::Write).map(|end| end.pid).collect();
        masters.dedup();
        (!masters.is_empty()).then(|| list(masters, |pid| self.process(pid, None)))
    }
}

/// `TCP 127.0.0.1:42330 → 127.0.0.1:53191`, `UNIX /run/x.sock` or `a UNIX socket`, and what state it is in if that matters.
fn socket_name(socket: &Socket) -> (String, Option<&'static str>) {
    let family = socket.family;
    let name = match (&socket.path, socket.local, socket.peer) {
        (Some(path), ..) if family == SocketFamily::Unix => format!("{family} {}", quote_name(path)),
        (_, Some(local), Some(peer)) if socket.state != Some(SocketState::Listen) => {
            format!("{family} {local} → {peer}")
        }
        (_, Some(local), _) => format!("{family} {local}"),
        _ => format!("a {family} socket"),
    };
    let state = match socket.state {
        Some(SocketState::Listen) => Some("listening"),
        Some(SocketState::Connecting) => Some("connecting"),
        Some(SocketState::CloseWait) => Some("closed by its peer"),
        Some(SocketState::Established) | None => None,
        Some(SocketState::Closed) if socket.peer.is_none() => None,
        Some(_) => Some("closed"),
    };
    (name, state)
}
