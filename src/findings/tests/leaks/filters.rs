//! Holders that wait for EOF themselves, and daemons whose start command waits for them.

use super::*;
use crate::model::Children;

/// `x=$(bash build.sh)`, whose `exec > >(tee log)` left a filter that waits for what `sleep 1000 &` holds: each of them (PID 3 and 4) is an
/// orphan of a session of its own.
fn behind_a_filter() -> Scene {
    let reader = group(2, 9, 9, CAT, blocked(Operation::Read, ID, reads(2)));
    let filter = group(3, 1, 9, "tee", blocked(Operation::Read, OTHER, reads(3)));
    let mut init = group(1, 0, 1, "init", sleeps());
    init.adopts = Some(vec![Pid(9), Pid(3), Pid(4)]);
    let groups = [reader, filter, init, group(9, 1, 9, "bash", waits_for_child()), group(4, 1, 9, "sleep", sleeps())];
    let mut scene = Scene::new(groups, &[(ID, &[reads(2), writes(3)]), (OTHER, &[reads(3), writes(4)])]).idle(60);
    scene.group(3).pgid = Some(3);
    scene.group(4).pgid = Some(3);
    scene
}

fn leaks(scene: &Scene) -> Vec<Judgement> {
    Code::LeakedWriteEnd.find(&Case::new(&scene.graph, &scene.groups, None))
}

#[test]
fn a_filter_is_not_to_be_ended_for_what_it_waits_for() {
    let scene = behind_a_filter();
    let finding = scene.find(Code::LeakedWriteEnd).unwrap();
    assert_eq!((finding.severity, pids(&finding.tasks)), (Severity::Warning, vec![2, 3, 4]));
    assert!(finding.message.ends_with("tee (PID 3), which does not appear to belong to the pipeline, still holds a write end, and waits for sleep (PID 4)"), "{}", finding.message);
    assert!(finding.advice.starts_with("To unblock: `kill 4`") && !finding.advice.contains("kill 3"), "{finding:#?}");
    assert!(finding.advice.contains("Then tee (PID 3) sees EOF and ends"), "{}", finding.advice);
    // Another holder of the same pipe has to end, too.
    let mut both = behind_a_filter();
    both.groups.insert(Pid(5), group(5, 1, 5, "daemon", sleeps()));
    both.pipe(ID).ends.push(writes(5));
    let finding = both.find(Code::LeakedWriteEnd).unwrap();
    assert!(finding.message.contains("tee (PID 3) waits for sleep (PID 4)"), "{}", finding.message);
    assert!(finding.advice.contains("`kill 4` and restart daemon (PID 5)"), "{}", finding.advice);
    // One that reads another pipe than its stdin, has a timeout, or waits for a process of the pipeline, need not end at EOF.
    let is_filter = |scene: &Scene| leaks(scene).iter().any(|leak| pids(&leak.tasks) == [2, 3, 4]);
    assert!(is_filter(&scene));
    let mut other = behind_a_filter();
    other.group(3).tasks[0].doing = blocked(Operation::Read, OTHER, end(3, 7, AccessMode::Read));
    assert!(!is_filter(&other));
    let mut timed = behind_a_filter();
    let TaskState::Waits { besides, .. } = &mut timed.group(3).tasks[0].doing else { panic!() };
    *besides = Some(AlternativeWake::Timeout);
    assert!(!is_filter(&timed));
    let mut related = behind_a_filter();
    related.group(4).parent = Some(Pid(9));
    related.group(4).pgid = Some(9);
    assert!(!is_filter(&related) && leaks(&related).iter().any(|leak| pids(&leak.tasks) == [2, 3]));
}

/// What holds the stdin of a filter may be unrelated to it, too: that is a part of the same, and what waits for the filter is not left over.
#[test]
fn of_a_line_of_filters_one_finding_says_all() {
    let mut scene = behind_a_filter();
    scene.group(4).sid = Some(4);
    let [leak] = &leaks(&scene)[..] else { panic!("{:#?}", leaks(&scene)) };
    assert_eq!(
        (leak.severity(), pids(&leak.tasks), &leak.pipes[..]),
        (Severity::Warning, vec![2, 3, 4], &[ID, OTHER][..])
    );
    // Without the reader in front, nothing waits for the filter.
    scene.group(2).tasks[0].doing = TaskState::Runs;
    assert_eq!(verdict(&scene), Some((Severity::Info, Some(NoticeReason::Abandoned))));
}

/// Each of a long line has the next as its writer; and the last may have the first.
#[test]
fn lines_and_circles_of_filters_end() {
    const COUNT: u32 = 2000;
    let pipe = |number: u32| PipeId::anonymous(u64::from(1000 + number));
    for circle in [false, true] {
        let groups = (0..COUNT).map(|number| {
            let pid = 10 + number;
            let doing = if circle || number + 1 < COUNT {
                blocked(Operation::Read, pipe(number), reads(pid))
            } else {
                sleeps()
            };
            group(pid, 1, pid, CAT, doing)
        });
        let ends: Vec<_> = (0..COUNT).map(|number| [reads(10 + number), writes(10 + (number + 1) % COUNT)]).collect();
        let pipes: Vec<(PipeId, &[Endpoint])> =
            (0..).zip(&ends).map(|(number, ends)| (pipe(number), &ends[..])).collect();
        let pipes = if circle { &pipes[..] } else { &pipes[..pipes.len() - 1] };
        let mut init = group(1, 0, 1, "init", sleeps());
        init.adopts = Some((10..10 + COUNT).map(Pid).collect());
        let mut scene = Scene::new(groups.chain([init]), pipes).idle(60);
        // A process that may act keeps it from being a deadlock.
        scene.graph.coverage.outside = Some(ViewLimit::PidNamespace);
        let found = leaks(&scene);
        let most = found.iter().map(|leak| leak.tasks.len()).max();
        assert!(most.is_none_or(|most| most < 30) && (circle || !found.is_empty()), "{most:?} of {}", found.len());
    }
}

/// Python waits for the exit of its resource tracker, of whose pipe a child that was forked has a copy.
#[test]
fn a_copy_in_a_sibling_that_was_forked_is_a_notice() {
    let scene = |fd: u32| {
        let read_end = end(2, 3, AccessMode::Read);
        let tracker = group(2, 9, 9, "tracker", blocked(Operation::Read, ID, read_end));
        let awaits = TaskState::Waits { causes: vec![WaitTarget::Children(Children::One(Pid(2)))], besides: None };
        let groups = [tracker, group(9, 1, 9, "python3", awaits), group(3, 9, 9, "python3", sleeps())];
        Scene::new(groups, &[(ID, &[read_end, end(3, fd, AccessMode::Write)])]).idle(60)
    };
    let forked = Some((Severity::Info, Some(NoticeReason::Forked)));
    assert_eq!(verdict(&scene(4)), forked);
    assert_eq!(pids(&leaks(&scene(4))[0].tasks), [2, 3]);
    // `producer & consumer`, in a shell that waits for the consumer; and a sibling that has executed another program.
    assert_eq!(verdict(&scene(1)), None);
    let mut executed = scene(4);
    executed.graph.processes.get_mut(&Pid(3)).unwrap().command = "producer".into();
    assert_eq!(verdict(&executed), Some((Severity::Warning, None)));
    // The parent may still write, or waits for any of its children.
    let mut writes_too = scene(4);
    writes_too.pipe(ID).ends.push(end(9, 4, AccessMode::Write));
    assert_eq!(verdict(&writes_too), None);
    let mut awaits_any = scene(4);
    awaits_any.group(9).tasks[0].doing = waits_for_child();
    assert_eq!(verdict(&awaits_any), None);
}
