//! The text of notes, each from a graph made by hand.

use std::collections::BTreeMap;

use super::*;
use crate::model::{
    AccessMode, Coverage, Device, Endpoint, Fd, Gap, HolderFd, Pid, PipeId, PossibleEnds, Probed, Process,
    UnreadablePart,
};

const ID: PipeId = PipeId::anonymous(123);

/// A pipe of which the read end is seen in process 7, of this user.
fn graph(probed: Probed, uid: u32) -> PipeGraph {
    let end = Endpoint { pid: Pid(7), tid: None, fd: Fd(0), access: AccessMode::Read, flags: None, description: None };
    PipeGraph {
        coverage: Coverage { processes: 2, privileged: false, ..PipeGraph::empty().coverage },
        pipefs: Some(Device { major: 0, minor: 15 }),
        processes: BTreeMap::from([(Pid(7), Process { uid: Some(Uid(uid)), ..Process::unknown(Pid(7)) })]),
        pipes: vec![Pipe { ends: vec![end], ..Pipe::unknown(ID) }],
        probed: BTreeMap::from([(ID, probed)]),
        ..PipeGraph::empty()
    }
}

const HAS_WRITER: Probed = Probed {
    queued: Some(0),
    capacity: Some(65536),
    full: None,
    reader: Some(true),
    writer: Some(true),
    readers: None,
    writers: None,
    unseen_readers: None,
    unseen_writers: None,
    references: Vec::new(),
    unanswered: false,
};

fn notes(graph: &PipeGraph) -> String {
    let answers = Ok(Answers { user_pages_soft: Some(16384), ..Answers::default() });
    Note::probe(Some(&answers), graph).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_hidden_is_nothing_to_speak_of() {
    assert_eq!(notes(&graph(Probed { writer: Some(false), ..HAS_WRITER }, 1000)), "");
    assert_eq!(notes(&graph(Probed { writer: None, ..HAS_WRITER }, 1000)), "");
}

#[test]
fn what_a_limit_left_out_is_said_once() {
    let gap = |pid, error: &str| Gap {
        pid: Pid(pid),
        tid: None,
        command: b"".to_vec().into(),
        uid: None,
        what: UnreadablePart::FdTable,
        error: error.to_owned(),
        fds: None,
        mount: None,
        may_hold: PossibleEnds::ANYTHING,
    };
    let mut graph = graph(HAS_WRITER, 1000);
    graph.coverage.processes = 9;
    graph.coverage.gaps = [1, 1, 2, 3].map(|pid| gap(pid, "ETIME")).into_iter().chain([gap(4, "ENOMEM")]).collect();
    let notes = |file| Note::coverage(&graph, file).iter().map(ToString::to_string).collect::<Vec<_>>();
    let live = notes(None);
    assert_eq!(live.len(), 2, "{live:?}");
    assert!(
        live[0].starts_with("3 of 9 processes were not looked at and may hold ends") && live[0].contains("--budget"),
        "{live:?}"
    );
    assert!(live[1].starts_with("1 of 9 processes was not read whole: ") && live[1].contains("size"), "{live:?}");
    assert!(notes(Some("a.json"))[0].contains("were not looked at when a.json was saved"));
}

#[test]
fn file_systems_of_one_user_are_told_apart_from_processes() {
    let device = Some(Device { major: 0, minor: 45 });
    let gap = |pid, fd| Gap {
        pid: Pid(pid),
        tid: None,
        command: "bash".into(),
        uid: None,
        what: UnreadablePart::Fd { fd: Fd(fd) },
        error: "EACCES".to_owned(),
        fds: None,
        mount: None,
        may_hold: PossibleEnds { anonymous: false, device, ..PossibleEnds::ANYTHING },
    };
    let mut graph = PipeGraph::empty();
    graph.coverage.gaps = vec![gap(7, 4)];
    let text =
        |graph: &PipeGraph| Note::coverage(graph, None).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(
        text(&graph),
        "descriptor 4 of process 7 (bash) may be an end of a FIFO: its file system answers only its own user (EACCES, as \
         of FUSE without allow_other); run lspipe as that user"
    );
    let rest = Gap { what: UnreadablePart::FdLinks, fds: Some(30), ..gap(7, 0) };
    graph.coverage.gaps = vec![gap(7, 4), rest, gap(8, 5)];
    assert!(text(&graph).contains("process 7 (bash) and 31 more may be ends of FIFOs"), "{}", text(&graph));
}

#[test]
fn everybody_who_may_hold_it_is_named_and_nobody_else() {
    let mut graph = graph(HAS_WRITER, 1000);
    let starts = "pipe:[123] has a writer that no fd table shows: possibly ";
    assert_eq!(notes(&graph), format!("{starts}a process that cannot be seen from here"));
    let gap = |read| Gap {
        pid: Pid(1),
        tid: None,
        command: b"in\nit".to_vec().into(),
        uid: None,
        what: UnreadablePart::FdLinks,
        error: "EACCES".to_owned(),
        fds: None,
        mount: None,
        may_hold: PossibleEnds { read, write: !read, ..PossibleEnds::ANYTHING },
    };
    // It holds nothing but read ends.
    graph.coverage.gaps = vec![gap(true)];
    assert_eq!(notes(&graph), format!("{starts}a process that cannot be seen from here"));
    // With hidepid=1 not even its name can be read.
    graph.coverage.gaps = vec![Gap { command: Vec::new().into(), ..gap(false) }];
    assert_eq!(notes(&graph), format!("{starts}process 1, which could not be read"));
    graph.coverage.gaps = vec![gap(false)];
    assert_eq!(notes(&graph), format!("{starts}process 1 (\"in\\nit\"), which could not be read"));
    graph.coverage.gaps = vec![gap(false), Gap { pid: Pid(2), ..gap(false) }];
    assert_eq!(notes(&graph), format!("{starts}one of 2 processes that could not be read"));
    graph.coverage.gaps = vec![gap(false)];
    graph.hidden.in_flight = vec![HolderFd { pid: Pid(70), fd: Fd(5), command: b"postgres".to_vec().into() }];
    assert_eq!(
        notes(&graph),
        format!(
            "{starts}one in flight to process 70 (postgres, fd 5): sent to its socket and not received yet, or process 1 \
              (\"in\\nit\"), which could not be read"
        )
    );
    // Who is known to hold it leaves no room for others.
    graph.hidden.autofs = vec![PipeId::anonymous(5), ID];
    assert_eq!(notes(&graph), format!("{starts}the kernel, which uses it to serve an autofs mount"));
}

#[test]
fn small_pipes_are_explained_where_the_limit_is_the_likely_cause() {
    let small = |capacity, uid| notes(&graph(Probed { capacity: Some(capacity), writer: None, ..HAS_WRITER }, uid));
    for capacity in [4096, 8192] {
        let said = small(capacity, 1000);
        assert!(said.contains("pipe-user-pages-soft (16384)") && said.contains("1 of user 1000"), "{said}");
        assert_eq!(small(capacity, 0), "");
    }
    assert_eq!(small(65536, 1000), "");
    let graph = graph(Probed { capacity: Some(8192), writer: None, ..HAS_WRITER }, 1000);
    let unlimited = Ok(Answers { user_pages_soft: Some(0), ..Answers::default() });
    assert_eq!(Note::probe(Some(&unlimited), &graph), []);
}

#[test]
fn what_could_not_be_read_is_one_short_line() {
    let only = |pid, command: &[u8]| Some((Pid(pid), CommandName(command.to_vec())));
    let note = |unreadable, only, file: Option<&str>, cure| {
        let file = file.map(str::to_owned);
        Note::Incomplete { unreadable, processes: 120, only, file, cure }.to_string()
    };
    let init = note(1, only(1, b"systemd"), None, Cure::SecurityModule);
    assert_eq!(init, "1 process could not be read (PID 1): ? marks ends it may hold");
    let one = note(1, only(7, b"tmux: server"), None, Cure::Privileges);
    assert!(one.starts_with("1 process could not be read (PID 7, \"tmux: server\"): ? marks ends it may hold; run as"));
    let many = note(118, None, None, Cure::Privileges);
    assert!(many.starts_with("118 of 120 processes could not be read: ? marks ends they may hold; run as"), "{many}");
    let saved = note(2, None, Some("old.json"), Cure::Privileges);
    assert_eq!(saved, "2 of 120 processes could not be read when old.json was saved: ? marks ends they may hold");
}

#[test]
fn what_is_not_known_of_a_process_leaves_no_brackets() {
    let known = |facts: &[&str]| text::known(&facts.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(known(&["PID 1", "init"]), " (PID 1, init)");
    assert_eq!(known(&["PID 1", ""]), " (PID 1)");
    assert_eq!(known(&["", "fd 3"]), " (fd 3)");
    assert_eq!(known(&[""]), "");
}

/// A program that embeds the library is never started again as a helper that it does not have.
#[test]
fn a_probe_without_a_helper_program_is_refused() {
    let mut graph = graph(HAS_WRITER, 1000);
    let budget = crate::observe::proc::Budget::new(crate::model::CostLimits::default());
    let outcome = crate::observe::probe::probe(&mut graph, &[ID], &BTreeSet::new(), &[], &budget);
    assert_eq!(outcome, Err(Unsupported::NoHelper));
    let notes = Note::probe(Some(&outcome), &graph);
    assert_eq!(notes, [Note::NoProbe(Unsupported::NoHelper)]);
    assert_eq!(notes[0].to_string(), "--probe: the kernel cannot be asked here: no helper program was given");
}

#[test]
fn tables_that_could_not_be_read_have_one_note() {
    let gap = |pid, error: &str| Gap {
        pid: Pid(pid),
        tid: None,
        command: "bash".into(),
        uid: None,
        what: UnreadablePart::FdTable,
        error: error.to_owned(),
        fds: None,
        mount: None,
        may_hold: PossibleEnds::ANYTHING,
    };
    let folded = |gaps: &[Gap], file: Option<&str>| -> Vec<String> {
        let note = |gap: &Gap| Note::UnreadableTable {
            gap: gap.clone(),
            others: Vec::new(),
            file: file.map(str::to_owned),
            cure: Cure::Privileges,
        };
        let first = std::iter::once(Note::NoSuchProcess);
        Note::folded(first.chain(gaps.iter().map(note)).collect()).iter().skip(1).map(ToString::to_string).collect()
    };
    let one = "the fd table of process 6 could not be read (EACCES): run as root (sudo)";
    assert_eq!(folded(&[gap(6, "EACCES")], None), [one]);
    let two = "the fd tables of 2 selected processes could not be read (EACCES), 6, 7: run as root (sudo)";
    assert_eq!(folded(&[gap(6, "EACCES"), gap(7, "EACCES")], None), [two]);
    let three = [gap(6, "EACCES"), gap(9, "EMFILE"), gap(7, "EACCES"), gap(8, "EACCES")];
    assert_eq!(
        folded(&three, Some("a.json")),
        [
            "the fd tables of 3 selected processes could not be read when a.json was saved (EACCES), such as 6, 7",
            "the fd table of process 9 could not be read when a.json was saved (EMFILE)",
        ]
    );
}
