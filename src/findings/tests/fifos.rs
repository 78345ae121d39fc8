//! FIFOs that others may open, and those that nobody can open any more.

use super::*;
use crate::findings::fifo_exposed::Exposure;
use crate::model::{Certainty, Class, HolderFd, Probed, ViewLimit};

const OPEN: Directories = Directories {
    owner: true,
    group: true,
    others: true,
    replaceable: false,
    group_replaces: None,
    owner_replaces: None,
    owner_passes: None,
};
const SHUT: Directories = Directories { group: false, others: false, ..OPEN };

/// A FIFO with a reader of this user, and what is found of it.
fn exposed(uid: u32, access: AccessMode, file: PipeFile) -> Option<(Severity, Certainty, Vec<Exposure>)> {
    let pipe = Pipe { ends: vec![end(1, 3, access)], file: Some(file), ..Pipe::unknown(FIFO) };
    let finding = only(&with_pipe(machine([process(1, uid, 1)]), pipe), Code::FifoExposed)?;
    let Details::FifoExposed(details) = &finding.details else { panic!("{finding:?}") };
    Some((finding.severity(), finding.certainty(), details.exposures.clone()))
}

#[test]
fn fifos_by_mode_and_directories() {
    use AccessMode::{Read, ReadWrite, Write};
    let opened = |held, by| Exposure::Open { held, by, root: true };
    let for_others = |held| Exposure::Open { held, by: Class::Others, root: false };
    let any_user = Exposure::Replace { by: Class::Others };
    let (error, warning, info) = (Severity::Error, Severity::Warning, Severity::Info);
    let proven = |severity, exposures: &[Exposure]| Some((severity, Certainty::Proven, exposures.to_vec()));
    let by_others = |held| opened(held, Class::Others);

    assert_eq!(exposed(0, Read, file(0o602, 0, 0, Some(OPEN))), proven(error, &[by_others(Side::Read)]));
    assert_eq!(exposed(0, Write, file(0o604, 0, 0, Some(OPEN))), proven(warning, &[by_others(Side::Write)]));
    let both = [by_others(Side::Read), by_others(Side::Write)];
    assert_eq!(exposed(0, ReadWrite, file(0o666, 0, 0, Some(OPEN))), proven(error, &both));
    // The right to the same side is none to what is in it.
    assert_eq!(exposed(0, Read, file(0o604, 0, 0, Some(OPEN))), None);
    assert_eq!(exposed(0, Write, file(0o602, 0, 0, Some(OPEN))), None);
    assert_eq!(exposed(0, ReadWrite, file(0o666, 0, 0, Some(SHUT))), None);
    assert_eq!(exposed(0, ReadWrite, file(0o600, 0, 0, Some(OPEN))), None);

    let replaceable = Directories { replaceable: true, ..OPEN };
    assert_eq!(exposed(0, Write, file(0o600, 0, 0, Some(replaceable))), proven(warning, &[any_user]));
    let some = [by_others(Side::Write), any_user];
    assert_eq!(exposed(0, Write, file(0o604, 0, 0, Some(replaceable))), proven(warning, &some));

    // Its group and its owner, if those are not root's.
    let group = opened(Side::Read, Class::Group(Gid(5)));
    assert_eq!(exposed(0, Read, file(0o620, 0, 5, Some(OPEN))), proven(info, &[group]));
    assert_eq!(exposed(0, Read, file(0o620, 0, 5, Some(SHUT))), None);
    assert_eq!(exposed(0, Read, file(0o620, 0, 0, Some(OPEN))), None);
    let owner = opened(Side::Read, Class::Owner(Uid(7)));
    assert_eq!(exposed(0, Read, file(0o400, 7, 0, Some(SHUT))), proven(info, &[owner]));
    assert_eq!(exposed(0, Read, file(0o600, 7, 0, Some(Directories { owner: false, ..SHUT }))), None);

    // A directory above that is not root's, though the FIFO is, and others may not pass.
    let theirs = Directories { owner_replaces: Some(Uid(7)), owner_passes: Some(Uid(7)), ..SHUT };
    let (above, moved) = (opened(Side::Read, Class::Above(Uid(7))), Exposure::Replace { by: Class::Above(Uid(7)) });
    assert_eq!(exposed(0, Read, file(0o602, 0, 0, Some(theirs))), proven(info, &[above, moved]));
    assert_eq!(exposed(0, Read, file(0o600, 0, 0, Some(theirs))), proven(info, &[moved]));
    assert_eq!(
        exposed(0, Read, file(0o600, 9, 0, Some(theirs))),
        proven(info, &[opened(Side::Read, Class::Owner(Uid(9))), moved])
    );
    assert_eq!(exposed(8, Read, file(0o602, 0, 0, Some(theirs))), None);
    let members = Directories { group_replaces: Some(Gid(5)), ..theirs };
    let by_members = Exposure::Replace { by: Class::Group(Gid(5)) };
    assert_eq!(exposed(0, Read, file(0o600, 0, 0, Some(members))), proven(info, &[by_members]));

    // A holder other than root: only what any user may write to it.
    assert_eq!(exposed(7, Read, file(0o602, 7, 7, Some(OPEN))), proven(info, &[for_others(Side::Read)]));
    assert_eq!(exposed(7, Write, file(0o644, 7, 7, Some(OPEN))), None);
    assert_eq!(exposed(7, Read, file(0o620, 7, 5, Some(OPEN))), None);
    assert_eq!(exposed(7, Read, file(0o600, 8, 8, Some(replaceable))), None);
    // Root beside it, which only writes, makes it no better.
    let ends = vec![end(1, 3, Read), end(2, 3, Write)];
    let pipe = Pipe { ends, file: Some(file(0o622, 7, 7, Some(OPEN))), ..Pipe::unknown(FIFO) };
    for writer in [7, 0] {
        let graph = with_pipe(machine([process(1, 7, 1), process(2, writer, 1)]), pipe.clone());
        assert_eq!(severity(&graph, Code::FifoExposed), Some(info), "{writer}");
    }
}

/// Each remedy once, whatever the number of exposures that it ends.
#[test]
fn each_exposure_has_its_remedy() {
    let advice = |access, file| {
        let pipe = Pipe { ends: vec![end(1, 3, access)], file: Some(file), ..Pipe::unknown(FIFO) };
        let graph = with_pipe(machine([process(1, 0, 1)]), pipe);
        let findings = audited(&graph, &NO_THREADS);
        findings.into_iter().find(|finding| finding.code == Code::FifoExposed).unwrap().advice
    };
    let mode = "To prevent: `chmod o-rw` the FIFO, or move it to a directory that other users may not search.";
    assert_eq!(advice(AccessMode::ReadWrite, file(0o606, 0, 0, Some(OPEN))), mode);
    let replaceable = Directories { replaceable: true, ..OPEN };
    assert_eq!(
        advice(AccessMode::ReadWrite, file(0o606, 0, 0, Some(replaceable))),
        format!(
            "{mode} Also `chmod o-w` the directories on its path that any user may write to, or make them sticky \
             (`chmod +t`)."
        )
    );
}

#[test]
fn directories_that_could_not_be_looked_at_are_a_doubt() {
    let opened = Exposure::Open { held: Side::Read, by: Class::Others, root: true };
    let found = exposed(0, AccessMode::Read, file(0o602, 0, 0, None));
    assert_eq!(found, Some((Severity::Warning, Certainty::Suspected, vec![opened])), "an error, if it were proven");
    assert_eq!(exposed(0, AccessMode::Read, file(0o600, 0, 0, None)), None);
    // Without a name nobody can open it, and an anonymous pipe has none.
    for (id, deleted) in [(FIFO, true), (ID, false)] {
        let file = Some(file(0o666, 0, 0, None));
        let pipe = Pipe { ends: vec![reads(1)], file, deleted, ..Pipe::unknown(id) };
        assert_eq!(only(&with_pipe(machine([process(1, 0, 1)]), pipe), Code::FifoExposed), None);
    }
}

#[test]
fn deleted_fifos_and_sides_that_may_be_hidden() {
    let code = Code::DeletedFifo;
    let graph = |ends: &[Endpoint], deleted| {
        with_pipe(machine([process(1, 7, 1)]), Pipe { ends: ends.to_vec(), deleted, ..Pipe::unknown(FIFO) })
    };
    assert_eq!(severity(&graph(&[reads(1)], false), code), None);
    assert_eq!(severity(&graph(&[reads(1), writes(1)], true), code), Some(Severity::Info));
    let mut alone = graph(&[reads(1)], true);
    assert_eq!(severity(&alone, code), Some(Severity::Warning));
    let socket = HolderFd { pid: Pid(9), fd: Fd(5), command: b"receiver".to_vec().into() };
    alone.hidden.in_flight.push(socket);
    assert_eq!(severity(&alone, code), Some(Severity::Info), "an end may be on its way");
    alone.hidden.in_flight.clear();
    alone.coverage.outside = Some(ViewLimit::Hidepid);
    assert_eq!(severity(&alone, code), Some(Severity::Info), "somebody who cannot be seen may have it");
    alone.probed.insert(FIFO, Probed { writer: Some(false), ..Probed::default() });
    assert_eq!(severity(&alone, code), Some(Severity::Warning), "the kernel says that nobody has");
}
