//! `--confirm`: what was only passing is dropped, and what stands is reported.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Machine, ONLY};
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{Running, lspipe};
use crate::support::scene::Scene;
use crate::support::user::User;

/// The pause: time enough to see that it has begun, and to change everything.
const PAUSE: &str = "6";
/// Who sleeps for longer than this sleeps between the two looks: within a look it is for less.
const SURELY: Duration = Duration::from_millis(1200);

/// Waits until lspipe is between its two looks.
fn wait_for_pause(running: &Running) {
    let process = format!("/proc/{}", running.looker());
    let sleeping = || {
        let read = |name: &str| fs::read_to_string(format!("{process}/{name}")).unwrap_or_default();
        let switches = read("status").lines().find(|line| line.starts_with("voluntary")).map(str::to_owned);
        // Every process may see where its own threads sleep.
        (read("wchan").contains("nanosleep")).then_some(switches).flatten()
    };
    let end = Instant::now() + Duration::from_secs(60);
    let mut since = (Instant::now(), sleeping());
    while since.1.is_none() || since.0.elapsed() < SURELY {
        assert!(Instant::now() < end, "it does not sleep");
        thread::sleep(Duration::from_millis(20));
        let now = sleeping();
        if now != since.1 {
            since = (Instant::now(), now);
        }
    }
}

/// The findings that stand after something was done between the two looks: code, and the processes in it.
fn standing(running: Running, between: impl FnOnce()) -> Vec<(String, Vec<u32>)> {
    let report = report_after(running, between);
    assert_eq!(report.audit.as_ref().and_then(|audit| audit.confirmed_after), Some(6.0));
    found(&report)
}

fn found(report: &Report) -> Vec<(String, Vec<u32>)> {
    let pids = |finding: &crate::support::report::Finding| finding.processes.iter().map(|task| task.pid).collect();
    report.findings().iter().map(|finding| (finding.code.clone(), pids(finding))).collect()
}

/// The report of both looks.
fn report_after(mut running: Running, between: impl FnOnce()) -> Report {
    wait_for_pause(&running);
    // It has all the time that this takes: the pause goes on for it as long as it is stopped.
    let pid = i32::try_from(running.looker()).ok().and_then(Pid::from_raw).expect("a PID");
    kill_process(pid, Signal::STOP).expect("stop lspipe");
    between();
    kill_process(pid, Signal::CONT).expect("let it go on");
    let mut lines = running.lines();
    Report::parse(lines.next().expect("a report").as_bytes())
}

/// `why` drops the same, and shows the waits of the second look.
#[test]
fn why_confirms_as_an_audit_does() {
    let machine = Machine::start(1);
    let root = machine.tree.root().to_str().expect("UTF-8");
    let args = ["why", "--proc", root, "--json", "--only=leaked-write-end,stalled-reader", "--confirm", PAUSE];
    let report = report_after(lspipe(args).spawn(), || {
        machine.ends(11);
        machine.job(40, "yes").fd(1040, 1, "pipe:[800]", "01");
        machine.writes(40, 1);
        machine.job(41, "less").fd(1041, 0, "pipe:[800]", "00");
        machine.stops(41);
    });
    assert_eq!(found(&report), [("stalled-reader".to_owned(), vec![1020, 1021])]);
    assert!(report.waits().iter().any(|wait| wait.pid == 1040), "it waits at the second look");
    // At once, both are found.
    let at_once = lspipe(&args[..5]).run().expect(1);
    assert_eq!(found(&Report::parse(&at_once.stdout)).len(), 2);
}

#[test]
fn what_passes_between_the_looks_is_dropped() {
    let machine = Machine::start(1);
    // More that hang, each of which will change in another way; and one that stays.
    for (number, pid) in (40..70).step_by(10).enumerate() {
        let inode = format!("pipe:[{}]", 8000 + number);
        machine.job(pid, "yes").fd(1000 + pid, 1, &inode, "01");
        machine.writes(pid, 1);
        machine.job(pid + 1, "less").fd(1000 + pid + 1, 0, &inode, "00");
        machine.stops(pid + 1);
    }
    let stat = |pid: u32| machine.process(pid).join("stat");
    let running = lspipe(machine.args(&[ONLY, "--json", "--confirm", PAUSE])).spawn();
    let found = standing(running, || {
        // The leaked end goes, as does the writer of one of the two pipes without a reader.
        machine.ends(11);
        fs::remove_file(machine.process(30).join("fd/2")).expect("remove");
        // Another process of the same number, of the same name, in the same wait.
        let text = fs::read_to_string(stat(40)).expect("stat");
        assert_eq!(text.matches(" 0 1 0 100 ").count(), 1, "{text}");
        fs::write(stat(40), text.replace(" 0 1 0 100 ", " 0 1 0 101 ")).expect("write");
        // It was woken and waits again, at another place of its program.
        let call = fs::read_to_string(machine.process(50).join("syscall")).expect("syscall");
        fs::write(machine.process(50).join("syscall"), call.replace("0x7f000000", "0x7f000010")).expect("write");
        // The reader goes on, and then is stopped once more: that is no other hang.
        machine.tree.blocked(1061, 'S', "230 0x1 0x1 0x7ffc 0x0", "hrtimer_nanosleep");
        machine.stops(61);
    });
    let expected = [
        ("self-deadlock", vec![1001]),
        ("stalled-reader", vec![1020, 1021]),
        ("stalled-reader", vec![1060, 1061]),
        ("no-reader", vec![1030]),
    ];
    assert_eq!(found, expected.map(|(code, pids)| (code.to_owned(), pids)));
}

#[test]
fn what_is_new_at_the_second_look_is_not_told() {
    let machine = Machine::start(1);
    let running = lspipe(machine.args(&["--only=stalled-reader", "--json", "--confirm", PAUSE])).spawn();
    let found = standing(running, || {
        machine.job(40, "yes").fd(1040, 1, "pipe:[800]", "01");
        machine.writes(40, 1);
        machine.job(41, "less").fd(1041, 0, "pipe:[800]", "00");
        machine.stops(41);
    });
    assert_eq!(found, [("stalled-reader".to_owned(), vec![1020, 1021])]);
}

/// A shell that holds an end starts one child after the other, and each has the end too, and is gone at the next look.
#[test]
fn what_children_come_and_go_with_stands() {
    let machine = Machine::start(1);
    let leaked = "pipe:[7002]";
    let sleeps = |pid: u32, parent: u32, uid: u32, inode: &str| {
        machine.tree.child(1000 + pid, 1000 + parent, uid, "sleep").session(1000 + pid, 1011, 1011);
        machine.tree.fd(1000 + pid, 1, inode, "01");
        machine.tree.blocked(1000 + pid, 'S', "230 0x1 0x1 0x7ffc 0x0", "hrtimer_nanosleep");
    };
    sleeps(12, 11, 1000, leaked);
    // Root reads what a user's shell writes, and another pipe that users write to only now and then.
    machine.tree.child(1080, 1, 0, "reader").fd(1080, 0, "pipe:[900]", "00").fd(1080, 3, "pipe:[901]", "00");
    machine.tree.child(1081, 1, 1000, "sh").fd(1081, 1, "pipe:[900]", "01");
    sleeps(82, 81, 1000, "pipe:[900]");
    sleeps(83, 1, 1000, "pipe:[901]");
    let only = "--only=leaked-write-end,crosses-users";
    let running = lspipe(machine.args(&[only, "--json", "--confirm", PAUSE])).spawn();
    let found = standing(running, || {
        for pid in [12, 82, 83] {
            machine.ends(pid);
        }
        sleeps(13, 11, 1000, leaked);
        sleeps(84, 81, 1000, "pipe:[900]");
        sleeps(85, 1, 1000, "pipe:[901]");
    });
    let expected = [("leaked-write-end", vec![1010, 1011, 1013]), ("crosses-users", vec![1080, 1081, 1084])];
    assert_eq!(found, expected.map(|(code, pids)| (code.to_owned(), pids)));
}

/// The same on live processes: a writer that gets room between the looks, and one that does not.
#[test]
fn a_live_writer_that_goes_on_is_dropped() {
    need!(Need::PYTHON);
    let [stays, passes] = [(); 2].map(|()| Scene::start("why_stopped", User::Me));
    let [staying, passing] = [&stays, &passes].map(|scene| ["/writer", "/reader"].map(|who| scene.truth.number(who)));
    let running = lspipe(["audit", "-q", "--only=stalled-reader", "--json", "--confirm", PAUSE]).spawn();
    let found = standing(running, || {
        let reader = i32::try_from(passing[1]).ok().and_then(Pid::from_raw).expect("a PID");
        // Its pipe has no reader any more, and the writer gets EPIPE.
        kill_process(reader, Signal::KILL).expect("kill");
    });
    let ours: Vec<_> =
        found.iter().filter(|(_, pids)| pids.iter().any(|pid| [staying, passing].concat().contains(pid))).collect();
    assert_eq!(ours, [&("stalled-reader".to_owned(), staying.to_vec())]);
}
