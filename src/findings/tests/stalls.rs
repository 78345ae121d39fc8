//! Full pipes, by what their readers do instead of reading.

use std::time::Duration;

use super::testing::{blocked, group, task, waits_for};
use super::*;
use crate::judge::stall::Instead;
use crate::judge::waits::SIGCHLD;
use crate::model::{
    Activity, AlternativeWake, Children, CommandLine, Operation, OtherFile, PipeWait, Sleep, SleepOn, Socket,
    SocketFamily, SocketState, Task, TaskState, ThreadGroup, Tid, WaitTarget,
};

const OTHER: PipeId = PipeId::anonymous(124);

fn sleeps(on: SleepOn) -> TaskState {
    TaskState::Sleeps { sleep: Sleep { on, fd: None, target: None, place: String::new() } }
}

fn writes_to(pid: u32, pipe: PipeId) -> TaskState {
    blocked(Operation::Write, pipe, writes(pid))
}

fn awaits(child: u32) -> TaskState {
    waits_for(WaitTarget::Children(Children::One(Pid(child))))
}

/// Another thread of a process.
fn thread(group: &mut ThreadGroup, doing: TaskState) {
    let tid = Tid(group.pid.0 + 100);
    group.tasks.push(Task::new(TaskId { pid: group.pid, tid }, doing));
}

/// `writer | reader` for a minute, where the reader (2) started the writer (1) and does this.
fn stalled(reader: ThreadGroup, others: impl IntoIterator<Item = ThreadGroup>) -> Scene {
    let writer = group(1, 2, 9, "yes", writes_to(1, ID));
    let mut scene =
        Scene::new([writer, reader].into_iter().chain(others), &[(ID, &[writes(1), end(2, 5, AccessMode::Read)])]);
    for (pid, group) in scene.groups.clone() {
        scene.graph.parents.insert(pid, group.parent);
    }
    scene.idle(60)
}

fn says(scene: &Scene) -> Option<(Severity, Vec<Option<Instead>>)> {
    let judgement = scene.judge(Code::StalledReader)?;
    let severity = judgement.severity();
    let Details::StalledReader(details) = judgement.details else { panic!() };
    Some((severity, details.readers.iter().map(|reader| reader.instead).collect()))
}

/// `while child.poll() is None: time.sleep(0.5)`, which wakes between some looks.
#[test]
fn advice_does_not_depend_on_a_timer() {
    let mut scene = stalled(group(2, 9, 9, "python3", sleeps(SleepOn::Timer)), []);
    let advice = |scene: &Scene| scene.find(Code::StalledReader).unwrap().advice;
    let asleep = advice(&scene);
    assert!(asleep.starts_with("To unblock: `kill 1`") && asleep.contains("read what the child writes"), "{asleep}");
    let task = &mut scene.group(2).tasks[0];
    task.woke = Some(Box::new(std::mem::replace(&mut task.doing, TaskState::Runs)));
    assert_eq!(advice(&scene), asleep);
    // It has not started the writer, and may not know of its read end.
    scene.group(1).parent = Some(Pid(9));
    assert!(advice(&scene).ends_with("close the read end in processes that never read."), "{}", advice(&scene));
}

#[test]
fn a_reader_that_waits_for_the_writer_is_in_a_deadlock() {
    let mut reader = group(2, 9, 9, "python3", awaits(1));
    // A thread that ticks proves nothing, and makes the deadlock inferred.
    thread(&mut reader, sleeps(SleepOn::Timer));
    let scene = stalled(reader, []);
    let found = scene.judge(Code::Deadlock).unwrap();
    assert_eq!((found.severity(), found.certainty()), (Severity::Warning, Certainty::Inferred));
    assert_eq!(found.tasks, [task(1), task(2)]);
    assert_eq!(says(&scene), None, "it is reported once");
}

#[test]
fn a_reader_that_waits_for_another_child_reads_on_if_that_does() {
    let reader = || group(2, 9, 9, "xargs", awaits(3));
    let with = |child: TaskState| says(&stalled(reader(), [group(3, 2, 9, "sha1sum", child)]));
    for alive in [TaskState::Runs, sleeps(SleepOn::Timer), sleeps(SleepOn::Socket), sleeps(SleepOn::Other)] {
        assert_eq!(with(alive.clone()), Some((Severity::Info, vec![Some(Instead::Waits)])), "{alive:?}");
    }
    assert_eq!(with(TaskState::Stopped), Some((Severity::Warning, vec![Some(Instead::WaitsInVain)])));
    // Nor if the child waits for one that is stopped.
    let scene = stalled(reader(), [group(3, 2, 9, "sh", awaits(4)), group(4, 3, 9, "sha1sum", TaskState::Stopped)]);
    assert_eq!(says(&scene), Some((Severity::Warning, vec![Some(Instead::WaitsInVain)])));
}

#[test]
fn a_loop_that_serves_others_has_chosen_not_to_read() {
    let polls = |besides| {
        let wait = blocked(Operation::Poll, OTHER, end(2, 6, AccessMode::Read));
        let TaskState::Waits { causes, .. } = wait else { panic!() };
        TaskState::Waits { causes, besides }
    };
    let scene = |besides| {
        let mut scene =
            stalled(group(2, 9, 9, "supervisord", polls(besides)), [group(3, 2, 3, "other", TaskState::Runs)]);
        let ends = [end(2, 6, AccessMode::Read), writes(3)];
        scene.graph = with(scene.graph, OTHER, &ends);
        scene
    };
    let ticks = says(&scene(Some(AlternativeWake::Timeout)));
    assert_eq!(ticks, Some((Severity::Warning, vec![Some(Instead::Sleeps)])));
    // `diff <(fast) <(slow)`: one job after the other.
    assert_eq!(says(&scene(None)), Some((Severity::Info, vec![Some(Instead::Waits)])));
}

#[test]
fn a_reader_with_a_job_of_its_own_reads_on() {
    let says_of = |catches, child: TaskState, parent_of_writer| {
        let mut reader = group(2, 9, 9, "parallel", TaskState::Runs);
        reader.activity = Some(Activity { over: 400, cpu: 0, read: Some(0), written: Some(0) });
        reader.tasks[0].woke = Some(Box::new(sleeps(SleepOn::Timer)));
        reader.catches = catches;
        let mut scene = stalled(reader, [group(3, 2, 9, "sleep", child)]);
        scene.group(1).parent = Some(Pid(parent_of_writer));
        scene.graph.parents.insert(Pid(1), Some(Pid(parent_of_writer)));
        says(&scene).unwrap()
    };
    let read_on = (Severity::Info, vec![Some(Instead::Waits)]);
    let sleeping = (Severity::Warning, vec![Some(Instead::Sleeps)]);
    assert_eq!(says_of(SIGCHLD, sleeps(SleepOn::Timer), 9), read_on);
    assert_eq!(says_of(SIGCHLD, TaskState::Stopped, 9), sleeping, "it will not exit");
    assert_eq!(says_of(SIGCHLD, sleeps(SleepOn::Timer), 2), sleeping, "a supervisor is to read what its child writes");
    assert_eq!(says_of(0, sleeps(SleepOn::Timer), 9), sleeping, "it may know nothing of its children");
    assert_eq!(says_of(0, TaskState::Runs, 9), read_on, "it has just started one");
}

/// `while read line; do sleep 40; done`, between two commands: the shell reads, and not the command that has its stdin.
#[test]
fn a_shell_that_sleeps_reads_on() {
    let mut sleep = group(3, 2, 9, "sleep", TaskState::Runs);
    sleep.tasks[0].woke = Some(Box::new(sleeps(SleepOn::Timer)));
    let writer = group(1, 9, 9, "seq", writes_to(1, ID));
    let shell = group(2, 9, 9, "bash", awaits(3));
    let mut scene = Scene::new([writer, shell, sleep], &[(ID, &[writes(1), reads(2), reads(3)])]).idle(60);
    scene.graph.processes.get_mut(&Pid(2)).unwrap().cmdline = Some(CommandLine::from(b"bash\0-c\0...\0".to_vec()));
    assert_eq!(says(&scene), Some((Severity::Info, vec![Some(Instead::Waits)])));
}

#[test]
fn what_a_reader_read_between_the_looks_decides() {
    let activity = |cpu, read| {
        let mut reader = group(2, 9, 9, "pv", sleeps(SleepOn::Timer));
        reader.activity = Some(Activity { over: 400, cpu, read: Some(read), written: Some(0) });
        says(&stalled(reader, []))
    };
    assert_eq!(activity(0, 100), Some((Severity::Info, vec![Some(Instead::Reads)])));
    assert_eq!(activity(0, 0), Some((Severity::Warning, vec![Some(Instead::Sleeps)])));
    // Of so much, a page at least would have been from this pipe.
    assert_eq!(activity(0, 100_000), Some((Severity::Warning, vec![Some(Instead::Sleeps)])));
    assert_eq!(activity(390, 0), Some((Severity::Info, vec![Some(Instead::Works)])));
    assert_eq!(activity(4, 0), Some((Severity::Warning, vec![Some(Instead::Sleeps)])), "a timer that ticks");
}

/// `yes | python3 -c 'for line in sys.stdin: time.sleep(1); print(line)'`: it reads very many lines at once.
#[test]
fn a_filter_that_has_output_is_at_work_on_what_it_has_read() {
    let says_of = |fd: u32, written, doing: TaskState, parent: u32| {
        let mut reader = group(2, 9, 9, "python3", doing);
        reader.activity = Some(Activity { over: 3000, cpu: 0, read: Some(0), written: Some(written) });
        let mut scene = stalled(reader, []);
        scene.pipe(ID).ends[1].fd = Fd(fd);
        scene.group(1).parent = Some(Pid(parent));
        scene.graph.parents.insert(Pid(1), Some(Pid(parent)));
        says(&scene)
    };
    let not_reading = Some((Severity::Warning, vec![Some(Instead::Sleeps)]));
    assert_eq!(says_of(0, 2, sleeps(SleepOn::Timer), 9), Some((Severity::Info, vec![Some(Instead::Reads)])));
    assert_eq!(says_of(0, 0, sleeps(SleepOn::Timer), 9), not_reading);
    assert_eq!(says_of(5, 2, sleeps(SleepOn::Timer), 9), not_reading, "it made the pipe for something else");
    assert_eq!(says_of(0, 2, sleeps(SleepOn::Timer), 2), not_reading, "a parent");
    assert_eq!(says_of(0, 2, sleeps(SleepOn::Futex), 9), not_reading, "another thread has output");
}

/// A thread of PID 1 that polls for room in the pipe, for which there is none if that is shown.
fn polls_for_room(full: bool, besides: Option<AlternativeWake>) -> TaskState {
    let (operation, access, fd, pipe) = (Operation::Poll, AccessMode::Write, Some(Fd(1)), Some(ID));
    let wait = PipeWait { operation, access, fd, pipe, path: None, deleted: false, full };
    TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides }
}

#[test]
fn a_level_triggered_poll_for_room_shows_that_a_pipe_is_full() {
    let scene = |state: TaskState, reader_idle: u64, woke: bool| {
        let mut scene = stalled(group(2, 9, 9, "sleep", sleeps(SleepOn::Timer)), []);
        let task = &mut scene.group(1).tasks[0];
        if woke {
            (task.doing, task.idle, task.woke) = (TaskState::Runs, None, Some(Box::new(state)));
        } else {
            task.doing = state;
        }
        scene.group(2).tasks[0].idle = Some(Duration::from_secs(reader_idle));
        says(&scene)
    };
    let not_reading = Some((Severity::Warning, vec![Some(Instead::Sleeps)]));
    assert_eq!(scene(polls_for_room(true, None), 1, false), not_reading, "it has not run for a minute");
    assert_eq!(scene(polls_for_room(false, None), 60, false), None, "edge-triggered");
    // A loop with a timer runs: then it counts for how long no reader has.
    let loops = || polls_for_room(true, Some(AlternativeWake::Timeout));
    assert_eq!([scene(loops(), 60, true), scene(loops(), 1, true)], [not_reading, None]);
}

/// A test that starts a server with a pipe as its stderr, and asks it something over TCP.
#[test]
fn a_connection_is_an_excuse_if_its_other_end_goes_on() {
    let says_of = |peers: Option<&[u32]>| {
        let mut reader = group(2, 9, 9, "python3", sleeps(SleepOn::Socket));
        reader.tasks[0].others = vec![OtherFile { fd: Fd(5), target: Some(b"socket:[77]".to_vec().into()) }];
        let mut scene = stalled(reader, [group(3, 9, 9, "server", TaskState::Runs)]);
        let address = |text: &str| Some(text.parse().unwrap());
        let socket = Socket {
            state: Some(SocketState::Established),
            local: address("127.0.0.1:80"),
            peer: address("127.0.0.1:5000"),
            ..Socket::unknown(SocketFamily::Tcp)
        };
        scene.graph.waited.sockets.insert(77, socket);
        let pids = |pids: &[u32]| pids.iter().copied().map(Pid).collect();
        scene.graph.waited.peers.extend(peers.map(|peers| (77, pids(peers))));
        says(&scene)
    };
    let waits = Some((Severity::Info, vec![Some(Instead::Waits)]));
    assert_eq!(says_of(Some(&[1])), Some((Severity::Warning, vec![Some(Instead::WaitsInVain)])));
    assert_eq!([says_of(None), says_of(Some(&[1, 3])), says_of(Some(&[8]))], [waits.clone(), waits.clone(), waits]);
}

#[test]
fn a_loop_that_cannot_write_does_not_exit() {
    let mut scene = stalled(group(2, 9, 9, "python3", awaits(1)), []);
    scene.group(1).tasks[0].doing = polls_for_room(true, Some(AlternativeWake::Timeout));
    let found = scene.judge(Code::Deadlock).unwrap();
    assert_eq!((found.severity(), found.certainty()), (Severity::Warning, Certainty::Inferred));
    assert_eq!(found.tasks, [task(1), task(2)]);
}

/// A supervisor that fails to read, and logs that in a loop.
#[test]
fn a_parent_that_only_writes_is_not_at_work_on_what_its_child_wrote() {
    let says_of = |parent: u32, written| {
        let mut reader = group(2, 9, 9, "supervisord", TaskState::Runs);
        reader.activity = Some(Activity { over: 400, cpu: 390, read: Some(0), written: Some(written) });
        let mut scene = stalled(reader, []);
        scene.group(1).parent = Some(Pid(parent));
        scene.graph.parents.insert(Pid(1), Some(Pid(parent)));
        says(&scene).unwrap().0
    };
    assert_eq!([says_of(2, 1 << 20), says_of(2, 0)], [Severity::Warning, Severity::Info]);
    assert_eq!(says_of(9, 1 << 20), Severity::Info, "a decompressor in a pipeline");
}

#[test]
fn a_thread_that_waits_for_a_lock_of_its_own_process_makes_a_self_deadlock() {
    let mut both = group(1, 9, 9, "python3", writes_to(1, ID));
    thread(&mut both, waits_for(WaitTarget::Threads));
    thread(&mut both, sleeps(SleepOn::Futex));
    both.tasks[2].id.tid = Tid(300);
    let scene = Scene::new([both], &[(ID, &[writes(1), end(1, 5, AccessMode::Read)])]).idle(60);
    let found = scene.judge(Code::SelfDeadlock).unwrap();
    assert_eq!((found.certainty(), found.tasks), (Certainty::Inferred, vec![task(1)]));
}

/// `a | b | less`: that b does not read is because less does not.
#[test]
fn of_a_line_of_full_pipes_the_last_is_reported() {
    let line = |last: TaskState| {
        let middle = group(2, 9, 9, "b", writes_to(2, OTHER));
        let ends = [writes(2), end(3, 0, AccessMode::Read)];
        let mut scene = stalled(middle, [group(3, 9, 9, "less", last)]);
        scene.graph = with(scene.graph, OTHER, &ends);
        let scene = scene.idle(60);
        let found = scene.judge(Code::StalledReader).unwrap();
        (found.severity(), found.pipes)
    };
    assert_eq!(line(sleeps(SleepOn::Terminal)), (Severity::Info, vec![OTHER]));
    assert_eq!(line(sleeps(SleepOn::Timer)), (Severity::Warning, vec![OTHER]));
}

#[test]
fn a_writer_that_is_stopped_keeps_its_reader_waiting() {
    let scene = |writer: TaskState| {
        let groups = [group(1, 9, 9, "tail", writer), group(2, 9, 9, "cat", blocked(Operation::Read, ID, reads(2)))];
        Scene::new(groups, &[(ID, &[writes(1), reads(2)])]).idle(60)
    };
    let found = scene(TaskState::Stopped).find(Code::StalledWriter).unwrap();
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.advice.contains("`kill -CONT 1`"), "{}", found.advice);
    assert!(scene(TaskState::Runs).judge(Code::StalledWriter).is_none());
    assert!(scene(TaskState::Unknown).judge(Code::StalledWriter).is_none());
}

/// What another look at the reader would say is in the evidence already where it only sleeps.
#[test]
fn the_advice_leads_to_no_look_that_says_no_more() {
    let advice = |reader: TaskState| {
        let scene = stalled(group(2, 9, 9, "reader", reader), []);
        let findings = diagnose(&scene.graph, &scene.groups).word(&scene.graph, &scene.groups).findings;
        let found = findings.into_iter().find(|finding| finding.code == Code::StalledReader);
        found.unwrap().advice
    };
    for on in [SleepOn::Timer, SleepOn::Signal, SleepOn::Futex] {
        assert!(advice(sleeps(on)).starts_with("To unblock: `kill 1` (the blocked writer). To prevent:"));
    }
    assert!(advice(sleeps(SleepOn::Files)).starts_with("To unblock: run `lspipe why -p 2` to see what"));
}
