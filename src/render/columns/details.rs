//! What DETAILS shows of a descriptor: in words, of which each is one field's part for awk.

use std::borrow::Cow;

use super::super::text::{EscapeContext, push_name};
use crate::model::{
    Descriptor, EpollFile, Fd, FileDetails, Pipe, PipeKind, Socket, SocketFamily, SocketState, SocketType,
};

/// Maximum number of descriptors that are named of an epoll.
const MOST_WATCHED: usize = 32;

/// A word of a cell.
pub(super) enum Part<'a> {
    /// Safe to print.
    Text(Cow<'static, str>),
    Name(&'a [u8]),
}

impl From<&'static str> for Part<'_> {
    fn from(word: &'static str) -> Self {
        Self::Text(word.into())
    }
}

impl From<String> for Part<'_> {
    fn from(word: String) -> Self {
        Self::Text(word.into())
    }
}

/// Appends the words of a cell.
pub(super) fn push(parts: &[Part<'_>], separator: &str, context: EscapeContext, text: &mut String) {
    for (index, part) in parts.iter().enumerate() {
        text.push_str(if index > 0 { separator } else { "" });
        match part {
            Part::Text(word) => text.push_str(word),
            Part::Name(name) => push_name(text, name, context),
        }
    }
}

/// None where there is nothing to say.
pub(super) fn parts<'a>(descriptor: &'a Descriptor, pipe: Option<&'a Pipe>) -> Option<Vec<Part<'a>>> {
    let parts = match &descriptor.details {
        Some(FileDetails::Socket(socket)) => of_socket(socket),
        Some(FileDetails::Pidfd(process)) => match (process.pid, &process.command) {
            (Some(pid), Some(command)) => vec![format!("pid={pid}").into(), Part::Name(command)],
            (Some(pid), None) => vec![format!("pid={pid}").into()],
            (None, _) => vec!["ended".into()],
        },
        Some(FileDetails::Epoll(epoll)) => of_epoll(epoll),
        Some(FileDetails::Eventfd(event)) => {
            let id = event.id.map(|id| format!("id={}", id.0).into());
            id.into_iter().chain(event.count.map(|count| format!("count={count}").into())).collect()
        }
        Some(FileDetails::Timerfd(timer)) => {
            vec![if timer.armed? { "armed" } else { "disarmed" }.into()]
        }
        Some(FileDetails::Signalfd(signals)) => {
            let numbers: Vec<String> = signals.signals.as_ref()?.iter().map(ToString::to_string).collect();
            vec![format!("signals={}", numbers.join(",")).into()]
        }
        Some(FileDetails::Inotify(inotify)) => vec![format!("watches={}", inotify.watches?).into()],
        Some(FileDetails::Fanotify | FileDetails::IoUring) => return None,
        None => return terminal(descriptor, pipe?),
    };
    (!parts.is_empty()).then_some(parts)
}

/// The name of a terminal that was opened by another: as master, or as the controlling terminal.
fn terminal<'a>(descriptor: &Descriptor, pipe: &'a Pipe) -> Option<Vec<Part<'a>>> {
    let (path, target) = (pipe.path.as_deref()?, descriptor.target.as_deref()?);
    if pipe.id.kind() != PipeKind::Pty || path == target {
        return None;
    }
    let role = if target.ends_with(b"/ptmx") { "master" } else { "controlling" };
    Some(vec![role.into(), Part::Name(path)])
}

/// `TCP 127.0.0.1:42330->127.0.0.1:53191`, `UNIX stream /run/x.sock listening`, `UNIX datagram to /dev/log`.
fn of_socket(socket: &Socket) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = vec![socket.family.as_str().into()];
    parts.extend(socket.socket_type.map(|kind| Part::from(kind.as_str())));
    match (socket.local, socket.peer) {
        (Some(local), Some(peer)) => parts.push(format!("{local}->{peer}").into()),
        (Some(local), None) => parts.push(local.to_string().into()),
        (None, _) => {}
    }
    parts.extend(socket.path.as_deref().map(Part::Name));
    let peer = socket.unix_peer.as_ref().and_then(|peer| peer.path.as_deref());
    if let Some(peer) = peer.filter(|peer| Some(*peer) != socket.path.as_deref()) {
        parts.extend(["to".into(), Part::Name(peer)]);
    }
    let is_unix = socket.family == SocketFamily::Unix;
    parts.extend(match socket.state {
        Some(SocketState::Listen) => Some("listening".into()),
        // One that others send to counts as connected too.
        Some(SocketState::Established) if socket.socket_type == Some(SocketType::Datagram) => None,
        // Of a UNIX socket, that it is may be all that there is to say.
        Some(SocketState::Established) if is_unix => Some("connected".into()),
        Some(SocketState::Closed) if is_unix => Some("unconnected".into()),
        Some(SocketState::Established) | None => None,
        Some(other) => Some(Part::from(other.as_str())),
    });
    parts
}

/// `watches=5,6,+2`: two are not in its table.
fn of_epoll(epoll: &EpollFile) -> Vec<Part<'static>> {
    let Some(watches) = &epoll.watches else { return vec!["watches=?".into()] };
    let more = watches.len().saturating_sub(MOST_WATCHED) + epoll.others;
    let shown = watches.iter().take(MOST_WATCHED).map(|Fd(fd)| fd.to_string());
    let all: Vec<String> = shown.chain((more > 0).then(|| format!("+{more}"))).collect();
    vec![if all.is_empty() { "watches nothing".into() } else { format!("watches={}", all.join(",")).into() }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccessMode, Device, EventFile, EventId, Pid, PipeId, ProcessFile, PtyFlow, SignalFile, TimerFile, UnixPeer,
        WatchFile,
    };

    fn descriptor(target: &str, details: Option<FileDetails>) -> Descriptor {
        Descriptor {
            pid: Pid(5),
            tid: None,
            fd: Fd(3),
            access: Some(AccessMode::ReadWrite),
            flags: None,
            file_type: None,
            target: Some(target.into()),
            pipe: None,
            details,
            polled: None,
        }
    }

    /// As a cell on a terminal, and as a field.
    fn shown(details: FileDetails) -> [String; 2] {
        let descriptor = descriptor("anon_inode:x", Some(details));
        let parts = parts(&descriptor, None).unwrap_or_default();
        [(" ", EscapeContext::Cell), (",", EscapeContext::Item)].map(|(separator, context)| {
            let mut text = String::new();
            push(&parts, separator, context, &mut text);
            text
        })
    }

    fn socket(family: SocketFamily, state: Option<SocketState>) -> Socket {
        Socket { state, ..Socket::unknown(family) }
    }

    #[test]
    fn sockets_by_address_path_and_state() {
        let address = |text: &str| Some(text.parse().unwrap());
        let tcp = |state, local, peer| {
            shown(FileDetails::Socket(Socket { local, peer, ..socket(SocketFamily::Tcp, Some(state)) }))[0].clone()
        };
        assert_eq!(tcp(SocketState::Listen, address("[::1]:22"), None), "TCP [::1]:22 listening");
        let (local, peer) = (address("127.0.0.1:22"), address("127.0.0.1:9"));
        assert_eq!(tcp(SocketState::Established, local, peer), "TCP 127.0.0.1:22->127.0.0.1:9");
        assert_eq!(tcp(SocketState::CloseWait, local, peer), "TCP 127.0.0.1:22->127.0.0.1:9 close-wait");
        let unix = |kind, state, path: Option<&str>, peer: Option<Option<&str>>| {
            let of_peer = |path: Option<&str>| UnixPeer { inode: 7, path: path.map(Into::into) };
            let socket = Socket {
                socket_type: Some(kind),
                path: path.map(Into::into),
                unix_peer: peer.map(of_peer),
                ..socket(SocketFamily::Unix, state)
            };
            shown(FileDetails::Socket(socket))
        };
        let (stream, datagram) = (SocketType::Stream, SocketType::Datagram);
        let (listen, established) = (Some(SocketState::Listen), Some(SocketState::Established));
        assert_eq!(unix(stream, listen, Some("/a b"), None)[0], "UNIX stream /a\u{a0}b listening");
        assert_eq!(unix(stream, listen, Some("/a,b c"), None)[1], "UNIX,stream,/a\\x2cb\\x20c,listening");
        assert_eq!(unix(stream, established, None, Some(Some("/a")))[0], "UNIX stream to /a connected");
        assert_eq!(unix(stream, established, Some("/a"), Some(None))[0], "UNIX stream /a connected");
        assert_eq!(unix(stream, established, None, Some(None))[0], "UNIX stream connected");
        assert_eq!(unix(stream, Some(SocketState::Closed), None, None)[0], "UNIX stream unconnected");
        assert_eq!(unix(datagram, established, None, Some(Some("@a")))[1], "UNIX,datagram,to,@a");
        assert_eq!(unix(datagram, None, Some("/a"), None)[0], "UNIX datagram /a");
    }

    #[test]
    fn anonymous_files_by_what_is_in_them() {
        let process = |pid: Option<u32>, command: Option<&str>| {
            shown(FileDetails::Pidfd(ProcessFile { pid: pid.map(Pid), command: command.map(Into::into) }))
        };
        assert_eq!(process(Some(7), Some("a b")), ["pid=7 a\u{a0}b", "pid=7,a\\x20b"]);
        assert_eq!([process(Some(7), None), process(None, None)].map(|[cell, _]| cell), ["pid=7", "ended"]);
        let epoll = |watches: Option<u32>, others| {
            let watches = watches.map(|count| (1..=count).map(Fd).collect());
            shown(FileDetails::Epoll(EpollFile { watches, others }))[0].clone()
        };
        assert_eq!(
            [epoll(None, 0), epoll(Some(0), 0), epoll(Some(2), 0), epoll(Some(2), 3), epoll(Some(0), 1)],
            ["watches=?", "watches nothing", "watches=1,2", "watches=1,2,+3", "watches=+1"]
        );
        assert!(epoll(Some(40), 1).ends_with(",31,32,+9"));
        let event =
            |id: Option<u32>, count| shown(FileDetails::Eventfd(EventFile { id: id.map(EventId), count }))[1].clone();
        assert_eq!([event(Some(1), Some(3)), event(None, Some(3)), event(None, None)], ["id=1,count=3", "count=3", ""]);
        let timer = |armed| shown(FileDetails::Timerfd(TimerFile { armed }))[0].clone();
        assert_eq!([timer(Some(true)), timer(Some(false)), timer(None)], ["armed", "disarmed", ""]);
        assert_eq!(shown(FileDetails::Signalfd(SignalFile { signals: Some(vec![2, 15]) }))[1], "signals=2,15");
        assert_eq!(shown(FileDetails::Inotify(WatchFile { watches: Some(4) }))[0], "watches=4");
    }

    #[test]
    fn a_terminal_that_was_opened_by_another_name() {
        let device = Device { major: 0, minor: 26 };
        let of = |target: &str| {
            let path = Some("/dev/pts/3".into());
            let pipe = Pipe { path, ..Pipe::unknown(PipeId::pty(device, 3, PtyFlow::Input)) };
            let descriptor = descriptor(target, None);
            let parts = parts(&descriptor, Some(&pipe))?;
            let mut text = String::new();
            push(&parts, " ", EscapeContext::Cell, &mut text);
            Some(text)
        };
        assert_eq!(of("/dev/ptmx").as_deref(), Some("master /dev/pts/3"));
        assert_eq!(of("/dev/pts/ptmx").as_deref(), Some("master /dev/pts/3"));
        assert_eq!(of("/dev/tty").as_deref(), Some("controlling /dev/pts/3"));
        assert_eq!(of("/dev/pts/3"), None);
    }
}
