//! The threads and wait queues of the running kernel, against children that the test has made to sleep, and against /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Truth {
    parts: Vec<Part>,
    /// The inodes of the pipe that an epoll waits for, of that with many readers, and of that which threads read, too.
    epoll: u64,
    many: u64,
    read: u64,
    /// Whether there is one that holds a lock.
    holds: bool,
}

#[derive(Deserialize)]
struct Part {
    role: String,
    pid: u32,
    /// The inode of a pipe, the queue, and how it waits; none where that is looked at otherwise.
    waits: Option<Vec<(u64, String, String)>>,
}

struct Scene {
    process: Child,
    truth: Truth,
    stdin: Option<ChildStdin>,
}

impl Scene {
    fn start() -> Self {
        let mut process = Command::new("python3")
            .args(["-c", include_str!("thread_tests.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("read");
        let truth = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { stdin: process.stdin.take(), process, truth }
    }

    fn pid(&self, role: &str) -> Pid {
        Pid(self.truth.parts.iter().find(|part| part.role == role).expect("a part").pid)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stdin.take();
        self.process.wait().expect("wait");
    }
}

/// None if this machine cannot: says so, which under `CI=true` is a fault.
fn open() -> Option<Kernel> {
    let initial_pids = fs::read_link("/proc/self/ns/pid").expect("link").as_os_str() == "pid:[4026531836]";
    Kernel::open(initial_pids)
        .map_err(|lack| {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped: {test}: {lack}");
            writeln!(io::stderr(), "skipped: {test}: {lack}").expect("stderr");
        })
        .ok()
}

/// A field of a file of `name: value` lines.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|it| it.trim() == name)).expect(name);
    line.rsplit(':').next().and_then(|value| value.trim().parse().ok()).expect(name)
}

/// A thread as the files of /proc have it.
fn assert_as_in_proc(record: &TaskRecord) {
    let read = |name: &str| {
        let path = format!("/proc/{}/task/{}/{name}", record.pid.0, record.tid.0);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let stat = read("stat");
    let (before, fields) = stat.rsplit_once(") ").expect("stat");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let command = before.split_once(" (").expect("stat").1;
    assert_eq!(String::from_utf8_lossy(record.command.as_slice()), command);
    assert_eq!(record.sleep().map(String::from).as_deref(), Some(fields[0]));
    assert_eq!(record.parent, fields[1].parse().ok().map(Pid));
    assert_eq!(record.flags.to_string(), fields[6]);
    assert_eq!((record.started / 10_000_000).to_string(), fields[19], "ticks of 10 ms");
    assert_eq!(record.processor.map(|it| it.to_string()).as_deref(), Some(fields[36]));
    let status = read("status");
    let switches = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"].map(|name| field(&status, name));
    assert_eq!(record.switches, (switches[0], switches[1]));
    if let Some(line) = read("sched").lines().find(|line| line.starts_with("se.exec_start")) {
        let millis: f64 = line.rsplit(':').next().and_then(|it| it.trim().parse().ok()).expect("a number");
        // 0 of one that was moved to another processor.
        let last_run = record.last_run.unwrap_or_default().as_secs_f64();
        assert!((last_run - millis / 1000.0).abs() < 1e-8, "{last_run} {millis}");
    }
    let Some(entry) = record.entry else {
        // Linux 5.15 has the helper that gives the registers of a thread.
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("osrelease");
        let numbers: Vec<u32> = release.split(['.', '-']).map_while(|it| it.parse().ok()).collect();
        return assert!(numbers[..2] < [5, 15][..], "{release}: it is in a call of this machine");
    };
    let shown = entry.arguments.iter().chain([&entry.stack, &entry.instruction]);
    let shown: String = shown.map(|number| format!(" {number:#x}")).collect();
    assert_eq!(read("syscall"), format!("{}{shown}\n", entry.call.expect("in a call")));
}

#[test]
fn threads_as_proc_has_them() {
    let Some(kernel) = open() else { return };
    let scene = Scene::start();
    let list = TaskList::new(kernel.tasks().expect("tasks"));
    let again = TaskList::new(kernel.tasks().expect("tasks"));
    let resting = again.at_rest_since(&list);
    for part in &scene.truth.parts {
        let records = list.of(Pid(part.pid));
        let shown = fs::read_dir(format!("/proc/{}/task", part.pid)).expect("list");
        let shown: BTreeSet<String> =
            shown.map(|it| it.expect("list").file_name().into_string().expect("a number")).collect();
        assert_eq!(records.iter().map(|it| it.tid.0.to_string()).collect::<BTreeSet<_>>(), shown, "{}", part.role);
        assert_eq!(records.len(), if part.role == "threads" { 3 } else { 1 });
        records.iter().for_each(assert_as_in_proc);
        let leader = records[0].tid;
        let others = records.iter().filter(|it| (it.table, it.memory) != (records[0].table, records[0].memory));
        assert_eq!(others.count(), 0, "threads share all with {leader:?}");
        assert!(resting.contains(&Pid(part.pid)), "{}", part.role);
    }
    // This process runs, and with it all of its threads do.
    let own = Pid(std::process::id());
    assert!(list.of(own).iter().any(|record| record.on_cpu) && !resting.contains(&own));
    // It wakes the reader for a moment only.
    let reader = scene.pid("read");
    let kill = |signal: &str| {
        let status = Command::new("kill").args([signal, &reader.0.to_string()]).status().expect("kill");
        assert!(status.success());
    };
    kill("-STOP");
    kill("-CONT");
    let back = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(2));
        let now = TaskList::new(kernel.tasks().expect("tasks"));
        let is_back = now.of(reader).first().is_some_and(|it| it.sleep() == Some('S'));
        is_back.then_some(now)
    });
    let back = back.expect("it reads again").at_rest_since(&list);
    assert!(!back.contains(&reader), "it ran in between, to be where it was");
    assert!(back.contains(&scene.pid("write")));
}

#[test]
fn sleepers_are_in_the_queues_where_they_were_put() {
    let Some(kernel) = open() else { return };
    let scene = Scene::start();
    let list = kernel.tasks().expect("tasks");
    let waits = match kernel.waits() {
        Ok(waits) => waits,
        // Where the kernel is locked down for confidentiality.
        Err(error) => return writeln!(io::stderr(), "skipped: {error}").expect("stderr"),
    };
    let by_task: BTreeMap<Address, &TaskRecord> = list.iter().map(|record| (record.task, record)).collect();
    let singles = scene.truth.parts.iter().filter(|part| part.role != "threads");
    let singles: BTreeSet<Pid> = singles.map(|part| Pid(part.pid)).collect();
    let mut found: BTreeMap<Pid, BTreeSet<(u64, String, String)>> = BTreeMap::new();
    for wait in &waits {
        let queue = match wait.how {
            WaitKind::Readers => "readers",
            WaitKind::Writers => "writers",
            WaitKind::HoldsLock => "lock",
        };
        let sleeper = wait.task.and_then(|task| by_task.get(&task));
        let polling = wait.poll.and_then(|poll| Some((by_task.get(&poll.task)?, poll)));
        let (record, how) = match (sleeper, polling) {
            (Some(record), _) if queue == "lock" => (record, "holds".to_owned()),
            (Some(record), _) => (record, "sleeps".to_owned()),
            (None, Some((record, poll))) => {
                // POLLIN and POLLOUT.
                (record, format!("polls {} of {}", poll.asks & 5, poll.files.unwrap_or_default()))
            }
            (None, None) => continue,
        };
        let is_new = found.entry(record.pid).or_default().insert((wait.inode, queue.to_owned(), how));
        assert!(is_new || !singles.contains(&record.pid), "listed once");
    }
    // There a lock is another structure, and its holder is not known.
    let is_realtime = fs::read_to_string("/sys/kernel/realtime").is_ok_and(|text| text.trim() == "1");
    for part in scene.truth.parts.iter().filter(|part| part.role != "holder" || !is_realtime) {
        if let Some(expected) = &part.waits {
            let expected: BTreeSet<_> = expected.iter().cloned().collect();
            assert_eq!(found.remove(&Pid(part.pid)).unwrap_or_default(), expected, "{}", part.role);
        }
    }
    if !scene.truth.holds {
        writeln!(io::stderr(), "skipped: a holder of a lock: needs userfaultfd(2)").expect("stderr");
    }
    let of = |inode: u64| waits.iter().filter(move |wait| wait.inode == inode).collect::<Vec<_>>();
    let [epoll] = of(scene.truth.epoll)[..] else { panic!("one entry") };
    assert!(epoll.task.is_none() && epoll.epoll.is_some() && epoll.how == WaitKind::Readers);
    // Of a long queue, the first 64 are listed, and the last of them says that it may go on.
    let many = of(scene.truth.many);
    assert_eq!((many.len(), many.iter().filter(|wait| wait.is_last).count()), (64, 1));
    let readers: BTreeSet<Pid> = many.iter().filter_map(|wait| Some(by_task.get(&wait.task?)?.pid)).collect();
    assert_eq!(readers.len(), 64);
    let parts = scene.truth.parts.iter();
    let named: BTreeSet<Pid> = parts.filter(|it| it.role.starts_with("many")).map(|it| Pid(it.pid)).collect();
    assert!(readers.is_subset(&named));
    // Two threads of one process, and the first reader.
    let on_read: Vec<Pid> =
        of(scene.truth.read).iter().filter_map(|wait| Some(by_task.get(&wait.task?)?.pid)).collect();
    let threads = scene.pid("threads");
    assert_eq!(on_read.iter().filter(|pid| **pid == threads).count(), 2);
    assert_eq!(on_read.len(), 3);
}
