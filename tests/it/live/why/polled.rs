//! What processes wait for that is no pipe, and what they ask of those that are: events, children, timers, eventfds, shared futexes, sockets.

use std::collections::BTreeSet;

use crate::support::need::{Need, need};
use crate::support::report::{Doing, Report, ThreadGroup};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

struct Polled {
    scene: Scene,
}

impl Polled {
    fn start() -> Self {
        Self { scene: Scene::start("why_polled", User::Me) }
    }

    fn why(&self, args: &[&str]) -> Report {
        let proc = self.scene.truth.text("/proc");
        let output = lspipe(["why", "--json", "--proc", proc].iter().chain(args)).mounts_of(self.scene.pid()).run();
        Report::parse(&output.stdout)
    }

    fn pid(&self, name: &str) -> u32 {
        self.scene.truth.number(&format!("/pids/{name}"))
    }

    fn pids(&self, list: &str) -> Vec<u32> {
        self.scene.truth.numbers(list)
    }

    fn inode(&self, name: &str) -> u64 {
        self.scene.truth.number(&format!("/sockets/{name}")).into()
    }
}

fn group(report: &Report, pid: u32) -> &ThreadGroup {
    let mut groups = report.threads.iter().flatten();
    groups.find(|group| group.pid == pid).unwrap_or_else(|| panic!("{pid} is not listed"))
}

fn task(report: &Report, pid: u32) -> &Doing {
    &group(report, pid).tasks[0]
}

/// Operation and access of each cause, and what else could wake it.
fn waits(task: &Doing) -> (Vec<(&str, Option<&str>)>, Option<&str>) {
    let causes = task.causes.iter().map(|cause| (cause.operation.as_str(), cause.access.as_deref()));
    (causes.collect(), task.besides.as_deref())
}

#[test]
fn what_is_asked_of_each_end() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let polled = Polled::start();
    let report = polled.why(&[]);
    for (name, expected) in [
        ("data", &[("poll", Some("r"))][..]),
        ("nothing", &[("hangup", Some("r"))]),
        ("no_data", &[("hangup", Some("w"))]),
        ("no_data_select", &[("hangup", Some("w"))]),
        ("room", &[("poll", Some("w"))]),
        ("room_select", &[("poll", Some("w"))]),
        // What was asked for once has come.
        ("oneshot", &[("poll", Some("r")), ("hangup", Some("w"))]),
    ] {
        let task = task(&report, polled.pid(name));
        assert_eq!(waits(task), (expected.to_vec(), None), "{name}: {task:#?}");
        assert_eq!(task.others, [], "{name}");
    }
}

#[test]
fn children_and_timers_that_are_polled() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let polled = Polled::start();
    let report = polled.why(&[]);
    for (name, besides, others) in [
        ("child", None, &[][..]),
        ("child_and_timer", Some("timeout"), &[]),
        ("child_and_unarmed", Some("files"), &["anon_inode:[timerfd]"]),
    ] {
        let pid = polled.pid(name);
        let task = task(&report, pid);
        assert_eq!(waits(task), (vec![("wait", None)], besides), "{name}: {task:#?}");
        let child = task.causes[0].child.expect("a certain child");
        assert_eq!(group(&report, child).ppid, Some(pid), "{name}");
        let targets: Vec<&str> = task.others.iter().filter_map(|file| file.target.as_deref()).collect();
        assert_eq!(targets, others, "{name}");
    }
}

/// What only some processes have can only be posted by these.
#[test]
fn processes_that_have_an_eventfd_or_map_a_futex() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let polled = Polled::start();
    let report = polled.why(&[]);
    let waited = report.waited.as_ref().expect("threads wait for such");
    let set = |pids: &[u32]| pids.iter().copied().collect::<BTreeSet<u32>>();

    let events = polled.pids("events");
    let ids: Vec<u32> =
        events[1..3].iter().map(|pid| task(&report, *pid).causes[0].eventfd.expect("an eventfd")).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(waited.events, [(ids[0], set(&events))]);

    let locks = polled.pids("locks");
    let futexes = [1, 2].map(|number| task(&report, locks[number]).causes[0].lock.clone().expect("a lock"));
    assert_eq!((&futexes[0].device, futexes[0].inode), (&futexes[1].device, futexes[1].inode), "one file");
    assert_eq!((futexes[0].offset, futexes[1].offset % 4096), (8, 4));
    let semaphores = polled.pids("semaphores");
    let semaphore = task(&report, semaphores[1]).causes[0].lock.clone().expect("a lock");
    // A file that has a name may be mapped by any process, at any time.
    let named = task(&report, polled.pid("named_lock")).causes[0].lock.clone().expect("a lock");
    for (lock, pids) in
        [(&futexes[0], Some(&locks)), (&futexes[1], Some(&locks)), (&semaphore, Some(&semaphores)), (&named, None)]
    {
        let found = waited.locks.iter().find(|(known, _)| known == lock).map(|(_, pids)| pids.clone());
        // The scene's first process made it.
        let found = found.map(|pids| pids.into_iter().filter(|pid| *pid != 1).collect::<BTreeSet<u32>>());
        assert_eq!(found, pids.map(|pids| set(pids)), "{lock:?}");
    }
    for pid in [locks[1], semaphores[1], events[1], events[2]] {
        let wait = report.waits().iter().find(|wait| wait.pid == pid).expect("a wait");
        assert!(!wait.wakers.is_empty() && wait.besides.is_none(), "{wait:#?}");
    }
}

#[test]
fn sockets_are_described_by_their_addresses() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let polled = Polled::start();
    let report = polled.why(&[]);
    let waited = report.waited.as_ref().expect("a thread waits for a socket");
    let socket = |name| &waited.sockets.iter().find(|(inode, _)| *inode == polled.inode(name)).expect("known").1;
    let [server, client] = ["/addresses/0", "/addresses/1"].map(|pointer| polled.scene.truth.text(pointer));
    let described = |name| {
        let socket = socket(name);
        (
            socket.family.as_str(),
            socket.state.as_deref(),
            socket.local.as_deref(),
            socket.peer.as_deref(),
            socket.path.as_deref(),
        )
    };
    assert_eq!(described("server"), ("TCP", Some("listen"), Some(server), None, None));
    assert_eq!(described("client"), ("TCP", Some("established"), Some(client), Some(server), None));
    assert_eq!(described("named"), ("UNIX", Some("listen"), None, None, Some(polled.scene.truth.text("/named"))));
    let poller = task(&report, polled.pid("sockets"));
    assert_eq!(waits(poller), (vec![("poll", Some("r"))], Some("files")));
    let targets: BTreeSet<String> = poller.others.iter().filter_map(|file| file.target.clone()).collect();
    let expected = ["server", "client", "named"].map(|name| format!("socket:[{}]", polled.inode(name)));
    assert_eq!(targets, BTreeSet::from(expected));
    let reader = task(&report, polled.pid("receives"));
    assert_eq!(reader.others[0].target, Some(format!("socket:[{}]", polled.inode("client"))));
}

/// A process that works uses CPU time or reads. One that only wakes now and then is known by what it is blocked in again.
#[test]
fn what_processes_did_between_the_looks() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let polled = Polled::start();
    let of = |report: &Report, name: &str| group(report, polled.pid(name)).activity.clone().expect("looked at twice");
    let report = polled.why(&[]);
    let [spin, read, idle] = ["spin", "read", "alone"].map(|name| of(&report, name));
    assert!(spin.cpu_milliseconds > 0 && spin.cpu_milliseconds <= 2 * spin.milliseconds, "{spin:?}");
    assert!(read.read.is_some_and(|bytes| bytes >= 1000 && bytes % 1000 == 0), "{read:?}");
    assert!((read.cpu_milliseconds, read.written) < (spin.cpu_milliseconds, Some(1)), "{read:?}");
    assert_eq!((idle.cpu_milliseconds, idle.read, idle.written), (0, Some(0), Some(0)));
    assert!(idle.milliseconds > 0 && idle.milliseconds < 60_000, "{idle:?}");

    // It may run just then.
    let woke =
        (0..20).find_map(|_| task(&polled.why(&[]), polled.pid("tick")).woke.clone()).expect("it is blocked again");
    assert_eq!((woke["doing"].as_str(), woke["besides"].as_str()), (Some("waits"), Some("timeout")), "{woke}");
    assert_eq!(woke["causes"][0]["operation"].as_str(), Some("poll"), "{woke}");
}
