//! Opens of FIFOs that are blocked: a server that waits for its client, and what hangs.

use std::time::Duration;

use super::testing::{group, opening, waits_for_child};
use super::*;
use crate::model::{CommandLine, TaskState, Time};

const CODE: Code = Code::BlockedOpen;

fn opener(doing: TaskState) -> Scene {
    Scene::new([group(5, 9, 9, "cat", doing)], &[])
}

fn opens(access: AccessMode) -> TaskState {
    opening("/f", access, Some(FIFO), false)
}

#[test]
fn opens_that_are_blocked() {
    let finding = opener(opens(AccessMode::Read)).find(CODE).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Info, Certainty::Inferred));
    assert_eq!((pids(&finding.tasks), &finding.pipes[..]), (vec![5], &[FIFO][..]));
    // Two at one FIFO are one finding; FIFOs that could not be identified are as many as openers.
    let two = |pipe| {
        let groups = [5, 6].map(|pid| group(pid, 9, 9, "cat", opening("/f", AccessMode::Write, pipe, false)));
        let scene = Scene::new(groups, &[]);
        CODE.find(&Case::new(&scene.graph, &scene.groups, None)).len()
    };
    assert_eq!((two(Some(FIFO)), two(None)), (1, 2));
    // A reader that takes what is for another is no cure.
    let advice = |access| opener(opens(access)).find(CODE).unwrap().advice;
    for access in AccessMode::ALL {
        let advice = advice(*access);
        assert!(advice.contains("/f") && advice.contains("O_NONBLOCK") && !advice.contains("cat"), "{advice}");
    }
}

/// No process can open it by that path. That the path is gone does not prove that the FIFO is: it may have been renamed, or have another
/// link.
#[test]
fn an_open_by_a_path_that_is_gone_is_ended_by_a_signal_or_by_another_path() {
    let deleted = opener(opening("/f", AccessMode::Read, None, true)).find(CODE).unwrap();
    assert_eq!(deleted.severity, Severity::Warning);
    assert!(deleted.message.contains("deleted or renamed"), "{}", deleted.message);
    assert!(deleted.advice.contains("new path") && !deleted.advice.contains("nothing but"), "{}", deleted.advice);
    assert!(deleted.advice.contains("`kill 5`") && !deleted.advice.contains("start the process"), "{}", deleted.advice);
    let Some(Details::BlockedOpen(details)) = &deleted.details else { panic!() };
    assert!(details.deleted && details.path.as_deref() == Some(&b"/f"[..]));
}

#[test]
fn a_client_waits_ten_seconds_for_its_server_and_a_server_as_long_as_it_takes() {
    let severity = |access, seconds| opener(opens(access)).idle(seconds).judge(CODE).map(|it| it.severity());
    for (access, seconds, expected) in [
        (AccessMode::Write, 9, Severity::Info),
        (AccessMode::Write, 10, Severity::Warning),
        (AccessMode::Read, 99_999, Severity::Info),
        // By what is known, it may be a server.
        (AccessMode::ReadWrite, 99_999, Severity::Info),
    ] {
        assert_eq!(severity(access, seconds), Some(expected), "{access} {seconds}");
    }
    let unknown = opener(opens(AccessMode::Write)).judge(CODE).map(|it| it.severity());
    assert_eq!(unknown, Some(Severity::Info), "it is not known for how long");
}

/// Each would have woken the other.
#[test]
fn both_sides_that_wait_at_one_path_have_two_files() {
    let both =
        [(5, AccessMode::Read), (6, AccessMode::Write)].map(|(pid, access)| group(pid, 9, 9, "cat", opens(access)));
    let finding = Scene::new(both, &[]).find(CODE).unwrap();
    assert_eq!((finding.severity, pids(&finding.tasks)), (Severity::Warning, vec![5, 6]));
    assert!(!finding.message.contains("for reading") && finding.message.contains("different file"), "{finding:#?}");
    // One that has it open would have, too.
    let waits = || [group(5, 9, 9, "cat", opens(AccessMode::Read)), group(6, 9, 9, "sh", TaskState::Runs)];
    let severity = |ends: &[Endpoint]| Scene::new(waits(), &[(FIFO, ends)]).judge(CODE).map(|it| it.severity());
    assert_eq!(severity(&[writes(6)]), Some(Severity::Warning));
    assert_eq!(severity(&[reads(6)]), Some(Severity::Info));
}

/// A shell, process 4 below process 3, that waits for process 5 in the foreground.
fn script(of_shell: &str, later: i64) -> Scene {
    let groups = [
        group(3, 1, 9, "python3", TaskState::Runs),
        group(4, 3, 9, "init.sh", waits_for_child()),
        group(5, 4, 9, "sagan", opens(AccessMode::Read)),
    ];
    let mut scene = Scene::new(groups, &[]).idle(13);
    let line = CommandLine::from(format!("{of_shell} ").replace(' ', "\0").into_bytes());
    let started = |seconds| Some(Time::at(seconds));
    scene.graph.processes.get_mut(&Pid(5)).unwrap().started_at = started(100 + later);
    let shell = scene.graph.processes.remove(&Pid(4)).unwrap();
    scene.graph.beside.insert(Pid(4), Process { cmdline: Some(line), started_at: started(100), ..shell });
    scene
}

#[test]
fn a_script_waits_for_what_it_started_in_the_foreground() {
    let severity = |scene: &Scene| scene.judge(CODE).unwrap().severity();
    let usual = || script("/bin/sh ./init.sh", 2);
    let finding = usual().find(CODE).unwrap();
    assert_eq!((finding.severity, pids(&finding.tasks)), (Severity::Warning, vec![5]));
    assert!(finding.evidence.iter().any(|line| line.text.contains("init.sh (PID 4)")), "{finding:#?}");
    assert_eq!(severity(&usual().idle(9)), Severity::Info, "not for long");
    // A server is started so.
    assert_eq!(severity(&script("sh -c while_:;do_cat_f;done", 2)), Severity::Info, "in a loop");
    assert_eq!(severity(&script("/usr/bin/python3 run.py", 2)), Severity::Info, "by no shell");
    assert_eq!(severity(&script("/bin/sh ./init.sh", 90)), Severity::Info, "after other work");
    let changed = |change: fn(&mut Scene)| {
        let mut scene = usual();
        change(&mut scene);
        severity(&scene)
    };
    assert_eq!(changed(|scene| scene.group(5).ignores = 0b110), Severity::Info, "with &");
    assert_eq!(changed(|scene| scene.group(5).ignores = 0b010), Severity::Warning, "SIGINT alone");
    assert_eq!(changed(|scene| scene.group(5).pgid = Some(5)), Severity::Info, "a job of an interactive shell");
    assert_eq!(changed(|scene| scene.group(4).parent = Some(Pid(1))), Severity::Info, "a service");
    assert_eq!(changed(|scene| scene.group(3).adopts = Some(Vec::new())), Severity::Info, "a service");
    assert_eq!(
        changed(|scene| scene.graph.processes.get_mut(&Pid(3)).unwrap().command = "supervisord".into()),
        Severity::Info,
        "a service"
    );
    assert_eq!(changed(|scene| scene.group(4).tasks[0].doing = TaskState::Runs), Severity::Info, "it does not wait");
    let other = group(6, 4, 9, "sh", TaskState::Runs);
    let mut two = usual();
    two.groups.insert(Pid(6), other);
    assert_eq!(severity(&two), Severity::Info, "cat fifo | sh");
    // One that has ended and was not reaped yet is none.
    two.group(6).tasks.clear();
    assert_eq!(severity(&two), Severity::Warning);
    // What is not known is no evidence.
    assert_eq!(changed(|scene| scene.graph.beside.clear()), Severity::Info, "no facts of the shell");
    let mut unknown = usual();
    unknown.group(5).tasks[0].idle = None::<Duration>;
    assert_eq!(severity(&unknown), Severity::Info);
}
