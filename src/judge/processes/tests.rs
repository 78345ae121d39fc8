use super::*;
use crate::model::{Children, Fingerprint, TaskId, Tid};

pub(in crate::judge) fn group(pid: u32, parent: u32, doing: TaskState) -> (Pid, ThreadGroup) {
    let task = Task { id: TaskId { pid: Pid(pid), tid: Tid(pid) }, doing, idle: None, trace: Fingerprint::default() };
    let group = ThreadGroup {
        pid: Pid(pid),
        parent: Some(Pid(parent)),
        pgid: Some(7),
        sid: Some(7),
        command: format!("thread {pid}").into_bytes().into(),
        tracer: None,
        catches: 0,
        ignores: 0,
        blocks: 0,
        adopts: None,
        tasks: vec![task],
    };
    (Pid(pid), group)
}

pub(in crate::judge) fn sleeps(on: SleepOn) -> TaskState {
    TaskState::Sleeps { sleep: Sleep { on, fd: None, target: None, place: String::new() } }
}

#[test]
fn one_table_of_what_the_pipes_and_the_threads_say() {
    let mut graph = crate::judge::dataflow::tests::graph(&[(2, 1, 2, "bash"), (3, 2, 5, "cat x")], &[]);
    graph.parents.insert(Pid(4), Some(Pid(2)));
    let groups = Groups::from([group(3, 2, TaskState::Runs), group(6, 3, TaskState::Runs)]);
    let processes = Processes::new(&graph, &groups);
    assert_eq!(processes.ancestors(Pid(6)).collect::<Vec<_>>(), [Pid(3), Pid(2), Pid(1)]);
    assert_eq!(processes.children(Pid(2)), [Pid(3), Pid(4)]);
    assert_eq!(processes.with_descendants(&[Pid(3)]), [Pid(3), Pid(6)].into());
    assert_eq!(
        (processes.process_group(Pid(3)), processes.process_group(Pid(6))),
        (Some(7), Some(7)),
        "the threads were looked at last"
    );
    assert_eq!((processes.name(Pid(3)), processes.name(Pid(6))), (Some(&"cat".into()), Some(&"thread 6".into())));
    assert_eq!((processes.name(Pid(4)), processes.awaits_children(Pid(4))), (None, None));
}

#[test]
fn parents_of_a_saved_report_may_form_a_cycle() {
    let graph = crate::judge::dataflow::tests::graph(&[(1, 2, 1, "a"), (2, 1, 1, "b")], &[]);
    let processes = Processes::new(&graph, &NO_THREADS);
    assert_eq!(processes.with_descendants(&[Pid(1)]), [Pid(1), Pid(2)].into());
    assert!(processes.ancestors(Pid(1)).count() > 2, "it ends");
}

#[test]
fn a_process_awaits_its_children_in_wait_or_for_their_signal() {
    let graph = crate::judge::dataflow::tests::graph(&[(2, 1, 1, "a"), (3, 2, 1, "b")], &[]);
    let awaits = |pid: u32, doing: TaskState| {
        let groups = Groups::from([group(pid, 1, doing)]);
        Processes::new(&graph, &groups).awaits_children(Pid(pid))
    };
    let waits = TaskState::Waits { causes: vec![WaitTarget::Children(Children::All)], besides: None };
    assert_eq!(awaits(2, waits), Some(true));
    assert_eq!(awaits(2, sleeps(SleepOn::Signal)), Some(true));
    assert_eq!(awaits(3, sleeps(SleepOn::Signal)), Some(false), "it has none");
    assert_eq!(awaits(2, sleeps(SleepOn::Timer)), Some(false));
    assert_eq!(awaits(2, TaskState::Runs), Some(false));
    assert_eq!(awaits(2, TaskState::Stopped), None);
}
