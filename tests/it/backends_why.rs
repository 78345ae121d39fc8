//! What threads do, by both backends: the kernel's own lists spare most looks into /proc, and say the same; and they name waits that /proc
//! does not.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{Lspipe, lspipe};
use crate::support::scene::Scene;
use crate::support::user::User;

/// Options of setpriv(1): an ordinary user with two capabilities.
const NOBODY_WITH_TWO: [&str; 5] =
    ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+bpf,+perfmon", "--ambient-caps=+bpf,+perfmon"];

/// How far idle times of two runs may differ, in seconds: the clocks of processors are read at another moment each time.
const CLOCKS: f64 = 0.5;

#[track_caller]
fn why(backend: &str, with: impl Fn(Lspipe) -> Lspipe) -> Value {
    let output = with(lspipe(["why", "--json", "-q", "--backend", backend])).run();
    assert!(matches!(output.code(), Some(0 | 1)), "{}", output.stderr);
    // It keeps every promise that holds for any report.
    Report::parse(&output.stdout);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["scan"]["backend"], backend);
    json
}

fn list<'a>(json: &'a Value, name: &str) -> &'a [Value] {
    json[name].as_array().map_or(&[], Vec::as_slice)
}

fn is_of(value: &Value, pids: &BTreeSet<u32>) -> bool {
    value["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).is_some_and(|pid| pids.contains(&pid))
}

/// What these processes do and wait for. The idle times apart, each made the time since when it is idle.
fn part(json: &Value, pids: &BTreeSet<u32>) -> (Value, Vec<Option<f64>>) {
    let taken_at: jiff::Timestamp = json["taken_at"].as_str().and_then(|it| it.parse().ok()).expect("a time");
    let taken_at = taken_at.as_millisecond() as f64 / 1000.0;
    let (mut groups, mut since) = (Vec::new(), Vec::new());
    for group in list(json, "threads").iter().filter(|group| is_of(group, pids)) {
        let mut group = group.clone();
        // Only a second look knows it, and whether there is one depends on the whole machine.
        group.as_object_mut().expect("a process").remove("activity");
        for task in group["tasks"].as_array_mut().expect("tasks") {
            let idle = task.as_object_mut().expect("a task").remove("idle_seconds");
            since.push(idle.and_then(|idle| idle.as_f64()).map(|idle| taken_at - idle));
        }
        groups.push(group);
    }
    let waits: Vec<Value> = list(json, "waits")
        .iter()
        .filter(|wait| is_of(wait, pids))
        .map(|wait| {
            let mut wait = wait.clone();
            wait.as_object_mut().expect("a wait").remove("idle_seconds");
            wait
        })
        .collect();
    (serde_json::json!({"threads": groups, "waits": waits}), since)
}

/// Each way to wait, and processes of many threads.
#[test]
fn both_backends_say_the_same_of_threads() {
    need!(Need::Bpf, Need::PYTHON);
    let scenes: [(&str, &[&str]); 12] = [
        ("why_fork", &["gone"]),
        ("why_fork", &["waits"]),
        ("why_popen", &["writes"]),
        ("why_popen", &["waits"]),
        ("why_threads", &["sleep"]),
        ("why_channels", &[]),
        ("why_polled", &[]),
        ("why_opens", &[]),
        ("why_stopped", &[]),
        ("why_leaks", &["flight"]),
        ("why_wide", &["epoll", "64"]),
        ("threads", &[]),
    ];
    for (name, arguments) in scenes {
        let scene = Scene::start_with(name, User::Me, arguments);
        let pids = scene.truth.pids();
        // On a busy machine a thread may be seen on its way back to sleep; but not each time.
        for attempt in 0.. {
            let [(walked, walked_since), (listed, listed_since)] =
                ["proc", "bpf"].map(|backend| part(&why(backend, |run| run), &pids));
            assert!(!list(&walked, "threads").is_empty(), "{name} {arguments:?} has no threads");
            let is_near = |(one, other): (&Option<f64>, &Option<f64>)| {
                one.zip(*other).map_or(*one == *other, |(one, other)| (one - other).abs() < CLOCKS)
            };
            if listed == walked && listed_since.iter().zip(&walked_since).all(is_near) {
                break;
            }
            assert!(
                attempt < 3,
                "{name} {arguments:?}: {listed:#} since {listed_since:?}, not {walked:#} since {walked_since:?}"
            );
        }
    }
}

/// The system calls of processes of root are not for others to read, nor is where they sleep.
#[test]
fn waits_that_proc_refuses_to_name() {
    need!(Need::Bpf, Need::Root, Need::PYTHON, Need::Program("setpriv"));
    for (name, arguments) in [("why_fork", &["gone"][..]), ("why_popen", &["writes"]), ("why_popen", &["waits"])] {
        let scene = Scene::start_with(name, User::Me, arguments);
        let pids = scene.truth.pids();
        let as_nobody = |run: Lspipe| run.setpriv(&NOBODY_WITH_TWO);
        let facts = |json: &Value| -> Vec<Value> {
            let (part, _) = part(json, &pids);
            let of_pipe = |wait: &&Value| wait["pipe"].as_str().is_some_and(|pipe| pipe.starts_with("pipe:"));
            list(&part, "waits")
                .iter()
                .filter(of_pipe)
                .map(|wait| {
                    let field = |name: &str| wait[name].clone();
                    serde_json::json!([field("pid"), field("tid"), field("operation"), field("pipe"), field("fd")])
                })
                .collect()
        };
        let (root, refused) = (facts(&why("proc", |run| run)), facts(&why("proc", as_nobody)));
        assert!(!root.is_empty() && refused.is_empty(), "{name}: {root:?} {refused:?}");
        assert_eq!(facts(&why("bpf", as_nobody)), root, "{name}");
        assert_eq!(facts(&why("bpf", |run| run)), root, "{name}");
    }
}

/// Who is blocked in opening a FIFO holds no end of it: an open file of ours shows it where the FIFO is named.
#[test]
fn opens_that_proc_refuses_to_name() {
    need!(Need::Bpf, Need::Root, Need::PYTHON, Need::Program("setpriv"));
    let scene = Scene::start("why_opens", User::Me);
    for (name, access) in [("read", "r"), ("written", "w")] {
        let told = |field| scene.truth.text(&format!("/{name}/{field}")).to_owned();
        let (path, id, pid) = (told("path"), told("id"), scene.truth.number(&format!("/{name}/pid")));
        for command in [&[][..], &["why"]] {
            let opener = |backend| -> Option<Value> {
                let args = [command, &["--json", "--backend", backend, &path]].concat();
                let output = lspipe(args).setpriv(&NOBODY_WITH_TWO).run();
                let json: Value = serde_json::from_slice(&output.stdout).ok()?;
                list(&json, "pipes").iter().find(|pipe| pipe["id"] == id.as_str()).map(|pipe| pipe["openers"].clone())
            };
            let seen = opener("bpf");
            let expected = serde_json::json!([{"pid": pid, "tid": pid, "command": "python3", "access": access}]);
            assert_eq!(seen, Some(expected), "{name} {command:?}");
            assert_eq!(opener("proc"), None, "{name} {command:?}");
        }
    }
}
