//! Pipes whose sides are held by different ones: users, namespaces, sessions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{assert_claims, audit, claim};
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text::{assert_facts, pids};
use crate::support::user::User;

/// The device and the inode of a link such as `pid:[4026531836]`.
fn namespace(pid: u32) -> u64 {
    let link = fs::read_link(format!("/proc/{pid}/ns/pid")).expect("read a link of ns");
    let inode = link.to_str().and_then(|link| link.strip_prefix("pid:[")?.strip_suffix(']'));
    inode.expect("pid:[…]").parse().expect("a number")
}

#[test]
fn pipes_between_users() {
    need!(Need::Root, Need::PYTHON);
    let cases = [
        // The other user created it.
        ("theirs-reads", Some("warning proven"), &["user 65534", "root"][..]),
        ("theirs-writes", Some("warning proven"), &["root", "user 65534"]),
        // Root created it, and a sibling has it.
        ("apart-reads", Some("info proven"), &["user 65534", "root"]),
        ("apart-writes", Some("info proven"), &["root", "user 65534"]),
        // Root has started the other.
        ("reads", Some("info proven"), &["user 65534", "root"]),
        ("writes", Some("info proven"), &["root", "user 65534"]),
        ("both", Some("info proven"), &["root", "user 65534"]),
        ("others", Some("info proven"), &["user 65534", "user 64321"]),
        ("alike", None, &[]),
    ];
    let mut sentences = BTreeSet::new();
    for (kind, words, users) in cases {
        let scene = Scene::start_with("audit_users", User::Me, &[kind]);
        let id = scene.truth.id("pipe");
        let holders = scene.truth.ends_of("pipe").iter().map(|end| end.0).collect::<Vec<_>>();
        let report = audit(User::Me, "crosses-users", &["-l"]);
        let expected: Vec<_> = words.map(|words| claim(words, holders, [&id])).into_iter().collect();
        let findings = assert_claims(&scene, &report, &expected);
        for finding in findings {
            assert_facts(&finding.message, &[&[id.as_str()], users].concat());
            // Which way it goes makes another sentence, by the order of the users or by the words.
            let sentence = (words, finding.message.replace(&id, ""));
            let is_alike = !sentences.insert(sentence);
            assert_eq!(is_alike, ["reads", "writes"].contains(&kind), "{kind}: {}", finding.message);
            let created = finding.details.as_ref().is_some_and(|details| details["created_by_root"] == true);
            assert_eq!(created, words == Some("info proven") && !["both", "others"].contains(&kind), "{kind}");
        }
        // The owner of a pipe is in its inode: who created it.
        let owner = if kind.starts_with("theirs") { 65534 } else { 0 };
        assert_eq!(report.pipe(&id).expect("listed").file.as_ref().expect("a file").owner, owner, "{kind}");
    }
}

/// The pipeline that lspipe itself writes to is none of its findings, though it crosses users, and another one like it is.
#[test]
fn own_pipeline_is_no_finding() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start_with("audit_users", User::Me, &["writes"]);
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    let inode = rustix::fs::fstat(&writer).expect("fstat").st_ino;
    // Somebody else's `less`, with the other side.
    let mut less = std::process::Command::new("sleep");
    User::Nobody.apply(&mut less);
    let mut less = less.arg("600").stdin(std::process::Stdio::from(reader)).spawn().expect("start sleep");
    let audit = lspipe(["audit", "--json", "--only", "crosses-users"]).stdout(writer.into()).spawn();
    // What it writes fits into the pipe, or it is still there to be looked at: either way only the test reads it.
    let path = format!("/proc/{}/fd/0", less.id());
    let mut text = Vec::new();
    let mut from = fs::File::open(path).expect("open the pipe of sleep");
    std::io::Read::read_to_end(&mut from, &mut text).expect("read");
    drop(audit);
    less.kill().expect("kill sleep");
    less.wait().expect("wait for sleep");
    let report = Report::parse(&text);
    let own = format!("pipe:[{inode}]");
    assert!(report.pipe(&own).is_some(), "its own pipe is listed");
    assert!(!report.findings().iter().any(|finding| finding.pipes.contains(&own)), "{:#?}", report.findings());
    let other = scene.truth.id("pipe");
    assert!(report.findings().iter().any(|finding| finding.pipes.contains(&other)), "{:#?}", report.findings());
    // Nor is it when the report was saved that way, and is judged again.
    let saved = scene.dir().join("saved.json");
    fs::write(&saved, &text).expect("write");
    let path = saved.to_str().expect("UTF-8");
    let again = lspipe(["audit", "--json", "--only", "crosses-users", "--from", path]).run();
    let again = Report::parse(&again.stdout);
    let told = |report: &Report| report.findings().iter().map(|it| it.pipes.clone()).collect::<Vec<_>>();
    assert_eq!(told(&again), told(&report));
}

#[test]
fn pipe_out_of_a_pid_namespace() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("pidns", User::Me);
    let id = scene.truth.id("out");
    let holders: Vec<u32> = scene.truth.ends_of("out").iter().map(|end| end.0).collect();
    let report = audit(User::Me, "crosses-containers", &[]);
    let findings = assert_claims(&scene, &report, &[claim("info proven", holders.iter().copied(), [&id])]);
    for pid in holders {
        let inode = namespace(pid);
        let process = report.processes.iter().find(|process| process.pid == pid).expect("listed");
        assert_eq!(process.pid_namespace, Some(inode));
        assert!(findings[0].message.contains(&inode.to_string()), "{:#?}", findings[0]);
    }
}

#[test]
fn ends_in_another_session() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let cases = [
            ("daemon", Some("warning inferred")),
            ("reads", Some("info inferred")),
            // The same program, which knows what it has.
            ("child", None),
            ("pool", None),
            ("cloexec", None),
            ("apart", None),
        ];
        for (kind, words) in cases {
            let scene = Scene::start_with("audit_inherited", user, &[kind]);
            let (holder, id) = (scene.truth.number("/holder"), scene.truth.id("pipe"));
            let report = audit(user, "inherited-end", &[]);
            scene.truth.assert_pipe("pipe", &report);
            let expected: Vec<_> = words.map(|words| claim(words, [holder], [&id])).into_iter().collect();
            let findings = assert_claims(&scene, &report, &expected);
            for finding in findings {
                assert!(pids(&finding.message).contains(&holder) && finding.message.contains(&id), "{finding:#?}");
                // What does not come is EPIPE where a read end is kept, and the end of file where a write end is.
                assert_eq!(finding.message.contains("EPIPE"), kind == "reads", "{kind}: {finding:#?}");
                assert_eq!(finding.message.contains("EOF"), kind != "reads", "{kind}: {finding:#?}");
            }
        }
    }
}

/// The session that started the first process of a container is 0 there, and so is that of all that it starts.
#[test]
fn ends_beside_a_session_from_outside() {
    need!(Need::Root, Need::Program("unshare"), Need::Program("setsid"), Need::Program("sleep"), Need::Program("cat"));
    const SCENE: &str = "\
        cd \"$2\" || exit
        { setsid --fork sh -c ': >led; exec sleep 600'; : >left; exec sleep 600; } | cat &
        until [ -e led ] && [ -e left ]; do sleep 0.01; done
        \"$1\" audit --json --only inherited-end";
    let stage = tempfile::tempdir().expect("a folder");
    let output = std::process::Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SCENE, "sh"])
        .args([Path::new(env!("CARGO_BIN_EXE_lspipe")), stage.path()])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("start unshare");
    let report = Report::parse(&output.stdout);
    let [finding] = report.findings() else { panic!("not one finding: {:#?}", report.findings()) };
    assert_eq!((finding.severity.as_str(), finding.certainty.as_str()), ("warning", "inferred"));
    let session = |pid: u32| report.processes.iter().find(|process| process.pid == pid).and_then(|process| process.sid);
    let pipe = report.pipe(&finding.pipes[0]).expect("listed");
    assert!(pipe.readers.iter().all(|end| session(end.pid) == Some(0)), "{:#?}", report.processes);
    for pid in finding.pids() {
        assert_eq!(session(pid), Some(pid), "of its own session: {:#?}", report.processes);
        assert!(pipe.writers.iter().any(|end| end.pid == pid), "{pipe:#?}");
    }
    assert_eq!(pipe.writers.len(), 2, "{pipe:#?}");
    assert_eq!(finding.pids().len(), 1, "{finding:#?}");
}

/// Pipelines with nothing wrong, and the jobs of a make: no other process has their ends.
#[test]
fn healthy_pipelines_in_a_fork_storm() {
    need!(Need::PYTHON, Need::Program("yes"), Need::Program("cat"), Need::Program("sleep"));
    for &user in User::all() {
        let storm = Scene::start("storm", user);
        let scene = Scene::start("why_healthy", user);
        for code in ["crosses-users", "crosses-containers", "inherited-end", "fifo-exposed", "deleted-fifo"] {
            let report = audit(user, code, &[]);
            assert_claims(&scene, &report, &[]);
            assert_claims(&storm, &report, &[]);
        }
    }
}
