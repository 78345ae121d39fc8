//! What the kernel counts: a side of which everything is accounted for needs no other proof, and one of which it is not has none.

use super::testing::{blocked, group, unread};
use super::*;
use crate::model::{HolderFd, Operation, Probed, TaskState, Unseen, ViewLimit};

const BACK: PipeId = PipeId::anonymous(124);
const NOTHING: Unseen = Unseen { descriptions: 0, references: 0 };

/// Two filters that wait for each other: 1 writes to one pipe and reads the other, 2 the other way round. A third process cannot be read.
fn deadlock(of: [Option<[Unseen; 2]>; 2]) -> Scene {
    let ends = [[writes(1), reads(2)], [end(1, 3, AccessMode::Read), end(2, 1, AccessMode::Write)]];
    let python = group(1, 9, 9, "python3", blocked(Operation::Read, BACK, ends[1][0]));
    let cat = group(2, 1, 9, "cat", blocked(Operation::Read, ID, reads(2)));
    let mut scene = Scene::new([python, cat], &[(ID, &ends[0]), (BACK, &ends[1])]);
    scene.graph.coverage.gaps.push(unread(77));
    for (pipe, unseen) in [ID, BACK].into_iter().zip(of) {
        let [unseen_readers, unseen_writers] = unseen.map_or([None; 2], |unseen| unseen.map(Some));
        scene.graph.probed.insert(pipe, Probed { unseen_readers, unseen_writers, ..Probed::default() });
    }
    scene
}

fn is_proven(scene: &Scene) -> bool {
    let finding = scene.find(Code::Deadlock).unwrap();
    let proven = finding.certainty == Certainty::Proven;
    assert_eq!(proven, finding.doubts.is_empty() && finding.caveat.is_none());
    assert_eq!(finding.severity, if proven { Severity::Error } else { Severity::Warning });
    proven
}

#[test]
fn pipes_of_which_all_is_accounted_for_prove_a_deadlock_whatever_cannot_be_read() {
    let all = Some([NOTHING; 2]);
    let caveat = |scene: &Scene| scene.find(Code::Deadlock).unwrap().caveat.unwrap();
    let uncounted = deadlock([None; 2]);
    assert!(!is_proven(&uncounted) && caveat(&uncounted).contains("PID 77"), "{}", caveat(&uncounted));
    let mut counted = deadlock([all; 2]);
    assert!(is_proven(&counted));
    counted.graph.coverage.outside = Some(ViewLimit::PidNamespace);
    counted.graph.hidden.in_flight.push(HolderFd { pid: Pid(8), fd: Fd(5), command: "receiver".into() });
    assert!(is_proven(&counted), "nor any that is not even listed, and what is in flight is something else");
    assert!(!is_proven(&deadlock([all, None])) && !is_proven(&deadlock([None, all])), "each of them has to be");
}

/// In flight while its sender keeps it: the counts are equal.
#[test]
fn a_reference_that_is_no_descriptor_withdraws_the_proof() {
    let all = Some([NOTHING; 2]);
    let referenced = Unseen { references: 1, ..NOTHING };
    let mut scene = deadlock([all, Some([NOTHING, referenced])]);
    scene.graph.coverage.gaps.clear();
    assert!(!is_proven(&scene));
    let caveat = scene.find(Code::Deadlock).unwrap().caveat.unwrap();
    assert!(caveat.contains("a reference to an end of pipe:[124]"), "{caveat}");
    scene.graph.hidden.in_flight.push(HolderFd { pid: Pid(8), fd: Fd(5), command: "receiver".into() });
    let caveat = scene.find(Code::Deadlock).unwrap().caveat.unwrap();
    assert!(caveat.contains("receiver (PID 8)") && caveat.contains("pipe:[124]"), "{caveat}");
    // They wait for writers.
    assert!(is_proven(&deadlock([all, Some([referenced, NOTHING])])));
}

#[test]
fn a_writer_that_is_counted_and_not_seen_withdraws_the_proof() {
    let all = Some([NOTHING; 2]);
    let hidden = Unseen { descriptions: 1, ..NOTHING };
    let mut scene = deadlock([Some([NOTHING, hidden]), all]);
    let caveat = |scene: &Scene| scene.find(Code::Deadlock).unwrap().caveat.unwrap();
    assert!(!is_proven(&scene));
    assert!(caveat(&scene).contains("PID 77") && caveat(&scene).contains("counts an end of pipe:[123]"));
    scene.graph.coverage.gaps.clear();
    assert!(!is_proven(&scene), "although everything was read");
    assert!(caveat(&scene).contains("counts an end of pipe:[123]"), "{}", caveat(&scene));
    assert_eq!(scene.judge(Code::HiddenEnd), None, "a writer was seen");
    assert!(is_proven(&deadlock([Some([hidden, NOTHING]), all])), "they wait for writers");
}

#[test]
fn what_is_counted_and_not_asked_for_is_a_notice() {
    let mut scene = Scene::new([group(1, 9, 9, "cat", TaskState::Runs)], &[(ID, &[reads(1)])]);
    let hidden = |writer| {
        let unseen_writers = Some(Unseen { descriptions: 1, ..NOTHING });
        Probed { writer, writers: Some(1), unseen_writers, ..Probed::default() }
    };
    scene.graph.probed.insert(ID, hidden(Some(true)));
    assert_eq!(scene.judge(Code::HiddenEnd).map(|it| it.severity()), Some(Severity::Info));
    assert_eq!(scene.judge(Code::NoWriter), None, "there is one");
    // One pass lists none: that is no proof that there is none.
    let once = Probed { writers: Some(1), ..Probed::default() };
    scene.graph.probed.insert(ID, once);
    assert_eq!((scene.judge(Code::HiddenEnd), scene.judge(Code::NoWriter)), (None, None));
    // That a thread is blocked proves it, and it does not have to be expected.
    scene.group(1).tasks[0].doing = blocked(Operation::Read, ID, reads(1));
    scene.graph.probed.insert(ID, hidden(Some(true)));
    assert_eq!(scene.judge(Code::HiddenEnd).map(|it| it.severity()), Some(Severity::Warning));
}

/// A daemon of another session holds a write end, and a process cannot be read.
#[test]
fn a_leak_has_no_doubt_about_other_writers_where_all_are_counted() {
    let held = end(3, 5, AccessMode::Write);
    let groups =
        [group(2, 9, 9, "cat", blocked(Operation::Read, ID, reads(2))), group(3, 1, 3, "daemon", TaskState::Runs)];
    let mut scene = Scene::new(groups, &[(ID, &[reads(2), held])]);
    scene.graph.coverage.gaps.push(unread(77));
    let doubts = |scene: &Scene| scene.judge(Code::LeakedWriteEnd).unwrap().doubts;
    assert_eq!(doubts(&scene).named.len(), 1);
    let counted = Probed { unseen_readers: Some(NOTHING), unseen_writers: Some(NOTHING), ..Probed::default() };
    scene.graph.probed.insert(ID, counted);
    assert!(doubts(&scene).is_empty(), "{:?}", doubts(&scene));
}
