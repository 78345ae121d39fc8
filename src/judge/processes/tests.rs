use super::*;
use crate::model::{Children, TaskId, Tid};

pub(in crate::judge) fn group(pid: u32, parent: u32, doing: TaskState) -> (Pid, ThreadGroup) {
    let task = Task::new(TaskId { pid: Pid(pid), tid: Tid(pid) }, doing);
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
        activity: None,
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

proptest::proptest! {
    /// Against a walk from each process to its parents.
    #[test]
    fn kin_is_what_a_walk_finds(
        parents in proptest::collection::vec(0..40_u32, 2..40),
        chosen in proptest::collection::btree_set(1..40_u32, 0..12),
        some in proptest::collection::btree_set(1..40_u32, 0..4),
    ) {
        // The parent of each has a lower number: no cycle.
        let all: Vec<(u32, u32)> = (2..).zip(&parents).map(|(pid, parent)| (pid, parent % (pid - 1) + 1)).collect();
        let mut graph = PipeGraph::empty();
        graph.parents = all.iter().map(|(pid, parent)| (Pid(*pid), Some(Pid(*parent)))).collect();
        graph.parents.insert(Pid(1), Some(Pid(0)));
        let processes = Processes::new(&graph, &NO_THREADS);
        let listed = |pids: &BTreeSet<u32>| -> BTreeSet<Pid> {
            pids.iter().map(|pid| Pid(*pid)).filter(|pid| graph.parents.contains_key(pid)).collect()
        };
        let (chosen, some) = (listed(&chosen), listed(&some));
        let kin = processes.kin(&chosen);
        let mut above = BTreeSet::new();
        let mut below = BTreeSet::new();
        for pid in &chosen {
            let expected: Vec<Pid> = processes.ancestors(*pid).filter(|it| chosen.contains(it)).collect();
            proptest::prop_assert_eq!(kin.above(*pid).collect::<Vec<_>>(), &expected[..]);
            above.extend(expected.iter().filter(|_| some.contains(pid)));
            below.extend(Some(*pid).filter(|_| expected.iter().any(|it| some.contains(it))));
            for other in graph.parents.keys() {
                let is_above = processes.ancestors(*pid).any(|it| it == *other);
                proptest::prop_assert_eq!(processes.is_ancestor(*other, *pid), is_above, "{} above {}", other, pid);
            }
        }
        proptest::prop_assert_eq!(kin.all_above(&some), above);
        proptest::prop_assert_eq!(kin.all_below(&some), below);
        let line: BTreeSet<Pid> = some.iter().flat_map(|pid| processes.ancestors(*pid)).collect();
        proptest::prop_assert_eq!(processes.above(some.iter().copied()), line);
    }
}

#[test]
fn parents_of_a_saved_report_may_form_a_cycle() {
    let graph = crate::judge::dataflow::tests::graph(&[(1, 2, 1, "a"), (2, 1, 1, "b")], &[]);
    let processes = Processes::new(&graph, &NO_THREADS);
    assert_eq!(processes.with_descendants(&[Pid(1)]), [Pid(1), Pid(2)].into());
    assert!(processes.ancestors(Pid(1)).count() > 2, "it ends");
    let both = [Pid(1), Pid(2)].into();
    assert_eq!((processes.above([Pid(1)]), processes.knows_ancestors(Pid(1))), (both, true));
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
