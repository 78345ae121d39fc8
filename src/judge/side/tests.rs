use std::collections::BTreeMap;

use super::*;
use crate::model::{
    AccessMode, Device, Doubt, Fd, FileType, Gap, HolderFd, Opener, Pid, PossibleEnds, Probed, TaskId, Tid, Unseen,
    ViewLimit,
};

const PIPE: PipeId = PipeId::anonymous(7);

fn graph() -> PipeGraph {
    PipeGraph { coverage: Coverage { processes: 1, ..PipeGraph::empty().coverage }, ..PipeGraph::empty() }
}

fn with_reader() -> Pipe {
    let end = Endpoint { pid: Pid(1), tid: None, fd: Fd(0), access: AccessMode::Read, flags: None, description: None };
    Pipe { ends: vec![end], ..Pipe::unknown(PIPE) }
}

fn gap(what: UnreadablePart, may_hold: PossibleEnds) -> Gap {
    let (pid, command, error) = (Pid(5), b"vault".to_vec(), "EACCES".to_owned());
    Gap { pid, tid: None, command: command.into(), uid: None, what, error, fds: None, mount: None, may_hold }
}

fn possible(graph: &PipeGraph) -> Vec<Doubt> {
    Unread::new(graph).possible_holders(PIPE, Side::Write).named
}

fn probed(writer: Option<bool>) -> BTreeMap<PipeId, Probed> {
    [(PIPE, Probed { writer, ..Probed::default() })].into()
}

#[test]
fn the_kernel_knows_better_than_the_scan() {
    let (mut graph, pipe) = (graph(), with_reader());
    let writers = |graph: &PipeGraph| state(graph, &pipe, Side::Write);
    assert_eq!(state(&graph, &pipe, Side::Read), SideState::Seen);
    assert_eq!(writers(&graph), SideState::None);
    graph.coverage.gaps.push(gap(UnreadablePart::FdTable, PossibleEnds::ANYTHING));
    assert_eq!(writers(&graph), SideState::Unknown);
    let unread = PossibleHolder::process(HiddenVia::Unreadable, Pid(5), b"vault");
    assert_eq!(possible(&graph), [Doubt::Holder(unread.clone())]);
    assert_eq!(Unread::new(&graph).hidden_holders(&pipe).named, []);
    graph.probed = probed(Some(false));
    assert_eq!(writers(&graph), SideState::None);
    assert_eq!(possible(&graph), []);
    graph.probed = probed(Some(true));
    assert_eq!(writers(&graph), SideState::Hidden);
    assert!(has_hidden(&graph, &pipe));
    assert_eq!(Unread::new(&graph).hidden_holders(&pipe).named, [unread]);
}

/// The kernel's count of writers, and what of it was not seen.
fn counted(writer: Option<bool>, writers: u32, unseen: Option<(u32, u64)>) -> BTreeMap<PipeId, Probed> {
    let unseen_writers = unseen.map(|(descriptions, references)| Unseen { descriptions, references });
    [(PIPE, Probed { writer, writers: Some(writers), unseen_writers, ..Probed::default() })].into()
}

#[test]
fn a_side_that_is_accounted_for_has_no_doubt() {
    let (mut graph, pipe) = (graph(), with_reader());
    let writers = |graph: &PipeGraph| state(graph, &pipe, Side::Write);
    // A count of one pass is no proof of a hidden end, and a list of none is no proof that there is none.
    graph.probed = counted(None, 1, None);
    assert_eq!(writers(&graph), SideState::Unknown);
    graph.probed = counted(Some(true), 1, Some((1, 0)));
    assert_eq!(writers(&graph), SideState::Hidden);
    graph.coverage.gaps.push(gap(UnreadablePart::FdTable, PossibleEnds::ANYTHING));
    graph.probed = counted(Some(false), 0, None);
    assert_eq!((writers(&graph), possible(&graph)), (SideState::None, vec![]));
    // Only lspipe itself, which is left out.
    graph.probed = counted(Some(true), 1, Some((0, 0)));
    assert_eq!((writers(&graph), possible(&graph)), (SideState::None, vec![]));
}

/// An end was seen, and the kernel counts what is there besides.
#[test]
fn a_side_with_an_end_may_have_another() {
    let mut graph = graph();
    let end = Endpoint { access: AccessMode::Write, ..with_reader().ends[0] };
    let pipe = Pipe { ends: vec![end], ..Pipe::unknown(PIPE) };
    let besides = |graph: &PipeGraph| (state(graph, &pipe, Side::Write), unseen(graph, &pipe, &[Side::Write]));
    let with_unseen = |unseen| counted(Some(true), 2, unseen);
    let seen = |besides| (SideState::Seen, besides);
    graph.probed = with_unseen(None);
    assert_eq!(besides(&graph), seen(SideState::None));
    let unread = gap(UnreadablePart::FdTable, PossibleEnds::ANYTHING);
    graph.coverage.gaps.push(unread);
    assert_eq!(besides(&graph), seen(SideState::Unknown));
    graph.probed = with_unseen(Some((0, 0)));
    assert_eq!((besides(&graph), possible(&graph)), (seen(SideState::None), vec![]));
    assert!(!has_hidden(&graph, &pipe));
    let holder = Doubt::Holder(PossibleHolder::process(HiddenVia::Unreadable, Pid(5), b"vault"));
    graph.probed = with_unseen(Some((0, 2)));
    assert_eq!(besides(&graph), seen(SideState::Unknown), "a process that was not read may share it");
    assert_eq!(possible(&graph), [holder.clone(), Doubt::Referenced(PIPE)]);
    graph.probed = with_unseen(Some((1, 0)));
    assert_eq!(besides(&graph), seen(SideState::Hidden));
    assert_eq!(possible(&graph), [holder, Doubt::Counted(PIPE)]);
    let holders = Unread::new(&graph).hidden_holders(&pipe).named;
    assert_eq!(holders, [PossibleHolder::process(HiddenVia::Unreadable, Pid(5), b"vault")]);
    graph.coverage.gaps.clear();
    assert_eq!((besides(&graph), possible(&graph)), (seen(SideState::Hidden), vec![Doubt::Counted(PIPE)]));
    graph.probed = with_unseen(Some((0, 1)));
    assert_eq!((besides(&graph), possible(&graph)), (seen(SideState::None), vec![Doubt::Referenced(PIPE)]));
    // Of two sides, each counts.
    let both = Unread::new(&graph).of_sides(Side::BOTH.map(|side| (PIPE, side)));
    assert_eq!(both.named, [Doubt::Referenced(PIPE)]);
}

#[test]
fn a_hidden_end_is_of_what_is_known_to_hold_it_before_all_others() {
    let (mut graph, pipe) = (graph(), with_reader());
    graph.probed = probed(Some(true));
    assert_eq!(Unread::new(&graph).hidden_holders(&pipe).named, [PossibleHolder::nobody(HiddenVia::Outside)]);
    let socket = HolderFd { pid: Pid(8), fd: Fd(3), command: "mail".into() };
    graph.hidden.in_flight.push(socket.clone());
    assert_eq!(
        Unread::new(&graph).hidden_holders(&pipe).named,
        [PossibleHolder::holding(HiddenVia::ScmRights, &socket)]
    );
    let ring = HolderFd { pid: Pid(9), fd: Fd(4), command: "db".into() };
    graph.hidden.registered.push((PIPE, ring.clone()));
    let by_ring = PossibleHolder::holding(HiddenVia::IoUring, &ring);
    assert_eq!(Unread::new(&graph).hidden_holders(&pipe).named, std::slice::from_ref(&by_ring));
    assert_eq!(Unread::new(&graph).likely_holders(PIPE, Side::Write).named, [by_ring]);
    assert_eq!(possible(&graph).len(), 2);
}

#[test]
fn what_was_not_read_hides_only_what_may_be_in_it() {
    let (mut graph, pipe) = (graph(), with_reader());
    let only_reads = PossibleEnds { write: false, ..PossibleEnds::ANYTHING };
    graph.coverage.gaps = vec![gap(UnreadablePart::Fd { fd: Fd(6) }, only_reads)];
    assert_eq!(state(&graph, &pipe, Side::Write), SideState::None);
    assert!(may_hide(&graph.coverage, PIPE, Side::Read));
    let end =
        |pid, fd, access| Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: None, description: None };
    let hides = |end: Endpoint| may_hide_end(&graph.coverage, PIPE, &end);
    assert!(hides(end(5, 6, AccessMode::Read)) && hides(end(5, 6, AccessMode::ReadWrite)));
    assert!(!hides(end(5, 7, AccessMode::Read)), "another descriptor");
    assert!(!hides(end(5, 6, AccessMode::Write)), "another side");
    assert!(!hides(end(4, 6, AccessMode::Read)), "another process");
    graph.coverage.outside = Some(ViewLimit::Hidepid);
    assert_eq!(state(&graph, &pipe, Side::Write), SideState::Unknown);
}

#[test]
fn a_process_in_open_is_on_its_side() {
    let task = TaskId { pid: Pid(2), tid: Tid(2) };
    let opener = Opener { task, access: AccessMode::Write, command: "".into() };
    let pipe = Pipe { openers: vec![opener], ..with_reader() };
    assert_eq!(state(&graph(), &pipe, Side::Write), SideState::Seen);
}

/// A FIFO of another file system, and any anonymous pipe, are as well known as without the gap.
#[test]
fn a_file_system_hides_only_its_own_fifos() {
    let (mut graph, pipe) = (graph(), with_reader());
    let device = |minor| Device { major: 0, minor };
    let fifo = |minor| PipeId::fifo(device(minor), 7);
    let own = PossibleEnds { anonymous: false, device: Some(device(45)), ..PossibleEnds::ANYTHING };
    graph.coverage.gaps = vec![gap(UnreadablePart::Fd { fd: Fd(4) }, own)];
    let writers = |id| state(&graph, &Pipe { id, ..pipe.clone() }, Side::Write);
    assert_eq!([PIPE, fifo(26), fifo(45)].map(writers), [SideState::None, SideState::None, SideState::Unknown]);
    let unread_holders = |pipe| Unread::new(&graph).possible_holders(pipe, Side::Write).named;
    assert_eq!(unread_holders(PIPE), []);
    let unread = PossibleHolder::process(HiddenVia::Unreadable, Pid(5), b"vault");
    assert_eq!(unread_holders(fifo(45)), [Doubt::Holder(unread)]);

    let listed = |fd, file_type| Descriptor {
        pid: Pid(5),
        tid: None,
        fd: Fd(fd),
        access: Some(AccessMode::Read),
        flags: None,
        file_type,
        target: Some(b"/mnt/x".to_vec().into()),
        pipe: None,
        details: None,
        polled: None,
    };
    assert!(may_be_end(&graph, &listed(4, None)));
    assert!(!may_be_end(&graph, &listed(5, None)), "another descriptor");
    assert!(!may_be_end(&graph, &listed(4, Some(FileType::Regular))));
}

#[test]
fn two_file_systems_are_any() {
    let of =
        |minor| PossibleEnds { anonymous: false, device: Some(Device { major: 0, minor }), ..PossibleEnds::ANYTHING };
    assert_eq!(of(1).or(of(1)), of(1));
    assert_eq!(of(1).or(of(2)), PossibleEnds { device: None, ..of(1) });
    assert_eq!([PossibleEnds::NOTHING.or(of(1)), of(1).or(PossibleEnds::NOTHING)], [of(1), of(1)]);
}

/// A socket is a channel only while it has a peer, and the master of a terminal keeps the name of the slave.
#[test]
fn the_other_side_of_a_socket_or_terminal_exists_though_it_was_not_seen() {
    let graph = graph();
    let devpts = Device { major: 0, minor: 26 };
    let [input, output] = [PtyFlow::Input, PtyFlow::Output].map(|flow| PipeId::pty(devpts, 3, flow));
    let of = |id, access, deleted| {
        let end = Endpoint { access, ..with_reader().ends[0] };
        let side = if access == AccessMode::Read { Side::Write } else { Side::Read };
        state(&graph, &Pipe { deleted, ends: vec![end], ..Pipe::unknown(id) }, side)
    };
    let (read, write) = (AccessMode::Read, AccessMode::Write);
    assert_eq!([read, write].map(|access| of(PipeId::unix(7), access, false)), [SideState::Unknown; 2]);
    // The slave is seen, and its master is not.
    assert_eq!([of(input, read, false), of(output, write, false)], [SideState::Unknown; 2]);
    assert_eq!([of(input, read, true), of(output, write, true)], [SideState::None; 2]);
    // No process has the slave.
    assert_eq!([of(input, write, false), of(output, read, false)], [SideState::None; 2]);
}
