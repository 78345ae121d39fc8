//! Ends that keep others waiting: leaked, stalled, hidden, not yet there; and pipelines with nothing wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::{assert_claims, assert_waits, claim, fd_of, findings_of, why};
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{lspipe, prompt};
use crate::support::scene::Scene;
use crate::support::text::{named, pids};
use crate::support::turn;
use crate::support::user::User;

/// A daemon that inherited a write end, a process that has a FIFO open `O_RDWR`, a program that does not know what it holds.
#[test]
fn write_ends_in_the_hands_of_strangers() {
    need!(Need::PYTHON, Need::Program("sleep"));
    for &user in User::all() {
        for (kind, name, access) in [
            ("daemon", "pipe", "w"),
            ("fresh", "pipe", "w"),
            ("rw", "fifo", "rw"),
            ("helper", "pipe", "w"),
            ("both", "pipe", "w"),
        ] {
            let scene = Scene::start_with("why_leaks", user, &[kind]);
            let (reader, holder) = (scene.truth.number("/reader"), scene.truth.number("/holder"));
            let id = scene.truth.id(name);
            let report = why(user, [""; 0]);
            scene.truth.assert_pipe(name, &report);
            let findings = assert_claims(&scene, &report, &[claim("leaked-write-end", [reader, holder], [&id])]);
            assert_eq!(findings[0].processes[0].pid, reader, "who is blocked comes first");
            // What wrote a moment ago may write again.
            let severity = if kind == "fresh" { "info" } else { "warning" };
            assert_eq!(findings[0].severity, severity, "{:#?}", findings[0]);
            assert!(pids(&findings[0].message).contains(&holder), "{:#?}", findings[0]);
            // The waiting process is reported with the end that it reads, and the holder of the other with that.
            let line = |role: &str| findings[0].evidence.iter().find(|line| line.role == role).expect("a line");
            for (role, pid, access) in [("waits", reader, "r"), ("holder", holder, access)] {
                let (named, fd) = (named(line(role)), fd_of(&scene, pid, name, access).expect("one"));
                assert!(named.1.contains(&pid) && named.3.contains(&fd), "no {pid}, fd {fd}: {:#?}", findings[0]);
            }
            assert_waits(&scene, &report, &[(reader, "read", fd_of(&scene, reader, name, "r"), Some(&id), &[holder])]);
            let wait = report.waits().iter().find(|wait| wait.pid == reader).expect("a wait");
            assert_eq!(wait.waker_keys(), [(holder, None, fd_of(&scene, holder, name, access))]);
        }
    }
}

/// Orphans come to the first process of a PID namespace, also where that is a shell, which starts pipelines too. It is reported in the same
/// way from inside and from outside.
#[test]
fn a_shell_that_is_an_init_has_what_it_started_and_what_came_to_it() {
    need!(Need::Root, Need::PYTHON, Need::Program("unshare"), Need::Program("nsenter"));
    need!(Need::Program("setsid"), Need::Program("sleep"), Need::Program("cat"));
    for (how, expected) in [("adopted", &["leaked-write-end"][..]), ("started", &[]), ("steps", &[])] {
        let scene = Scene::start_with("why_init", User::Me, &[how]);
        let pipe = scene.truth.text("/pipe");
        let ask = || lspipe(["why", "--json", pipe]);
        for output in [ask().run(), ask().inside(scene.truth.number("/init")).run()] {
            let report = Report::parse(&output.stdout);
            let codes: Vec<&str> = report.findings().iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(codes, expected, "{how}: {:#?}", report.findings());
        }
    }
}

/// Who receives the other one may be the true writer.
#[test]
fn a_leak_is_suspected_while_another_write_end_is_in_flight() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_leaks", user, &["flight"]);
        let (reader, holder) = (scene.truth.number("/reader"), scene.truth.number("/holder"));
        let report = why(user, [""; 0]);
        let findings =
            assert_claims(&scene, &report, &[claim("leaked-write-end", [reader, holder], [&scene.truth.id("pipe")])]);
        assert_eq!((findings[0].severity.as_str(), findings[0].certainty.as_str()), ("warning", "suspected"));
        let mut doubts = findings[0].doubts.iter();
        assert!(doubts.any(|it| it.what == "scm-rights" && it.pid == Some(scene.pid())), "{:#?}", findings[0]);
    }
}

/// A FIFO opened for reading and one opened for writing, with no process on the other side.
#[test]
fn opens_that_nobody_meets() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_opens", user);
        let report = why(user, [""; 0]);
        let told = |name: &str| {
            let text = |field| scene.truth.text(&format!("/{name}/{field}")).to_owned();
            (scene.truth.number(&format!("/{name}/pid")), text("id"), text("path"))
        };
        let claims = ["read", "written"].map(|name| claim("blocked-open", [told(name).0], [&told(name).1]));
        let findings = assert_claims(&scene, &report, &claims);
        for finding in findings {
            assert_eq!((finding.severity.as_str(), finding.certainty.as_str()), ("info", "inferred"), "{finding:#?}");
        }
        for (name, access) in [("read", "r"), ("written", "w")] {
            let (pid, id, path) = told(name);
            let waits: Vec<_> = report.waits().iter().filter(|wait| wait.pid == pid).collect();
            assert_eq!(waits.len(), 1, "{waits:#?}");
            let wait = waits[0];
            assert_eq!((wait.operation.as_str(), wait.fd, wait.pipe.as_ref()), ("open", None, Some(&id)), "{wait:?}");
            assert_eq!(
                (real(wait.path.as_deref()), wait.certainty.as_str()),
                (Some(path.clone().into()), "seen"),
                "{wait:?}"
            );
            assert_opener(&report, &id, (pid, access));
            // Asked for by its path, in the plain report, too.
            let named = lspipe([&path]).user(user).report();
            assert_eq!(named.pipes.len(), 1);
            assert_opener(&named, &id, (pid, access));
            assert_eq!(real(named.pipes[0].path.as_deref()), Some(path.clone().into()), "{:?}", named.pipes[0]);
            // And nothing but that when `why` is asked about it.
            let only = why(user, [&path]);
            assert_claims(&scene, &only, &[claim("blocked-open", [pid], [&id])]);
            assert_eq!(only.waits().iter().map(|wait| wait.pid).collect::<Vec<_>>(), [pid]);
        }
    }
}

/// A path means what it means to the process that opens it, also where it leads elsewhere for us.
#[test]
fn opens_by_names_that_lead_elsewhere_for_us() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let scene = Scene::start("why_places", User::Me);
    let pid = |name: &str| scene.truth.number(&format!("/{name}"));
    let there = scene.truth.names().filter(|name| *name != "gone");
    let ids: BTreeMap<&str, String> = there.map(|name| (name, scene.truth.id(name))).collect();
    let mut claims: Vec<_> = ids.iter().map(|(name, id)| claim("blocked-open", [pid(name)], [id])).collect();
    claims.push(claim("blocked-open", [pid("gone")], []));
    // From outside, and from the mounts of the scene.
    let inside = lspipe(["why", "--json"]).mounts_of(scene.pid()).run();
    for report in [why(User::Me, [""; 0]), Report::parse(&inside.stdout)] {
        assert_claims(&scene, &report, &claims);
        for (name, id) in &ids {
            assert_opener(&report, id, (pid(name), "r"));
        }
        let gone = report.waits().iter().find(|wait| wait.pid == pid("gone")).expect("a wait");
        assert_eq!((gone.path.as_deref(), &gone.pipe), (Some("fifo"), &None), "no name leads there");
    }
    // By a name of ours, too.
    let jail = scene.dir().join("stage/jail/data");
    for name in ["relative", "absolute", "above", "linked"] {
        assert_opener(&lspipe([jail.join(name)]).report(), &ids[name], (pid(name), "r"));
    }
}

/// To look up what a process opens may be to ask a dead file system.
#[test]
fn opens_on_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let usual = lspipe(["why", "--json"]).run().took;
    let scene = Scene::start("why_fuse_open", User::Me);
    let opener = scene.truth.number("/opener");
    let output = prompt(usual, || lspipe(["why", "--json"]).run());
    let report = Report::parse(&output.stdout);
    assert_claims(&scene, &report, &[claim("blocked-open", [opener], [])]);
}

/// One opens it by a path that leads out of its folder and back.
fn real(path: Option<&str>) -> Option<PathBuf> {
    path.filter(|path| path.starts_with('/')).and_then(|path| fs::canonicalize(path).ok())
}

#[track_caller]
fn assert_opener(report: &Report, id: &str, expected: (u32, &str)) {
    let pipe = report.pipe(id).expect("a FIFO that is only being opened is listed");
    assert!(pipe.readers.is_empty() && pipe.writers.is_empty(), "{pipe:#?}");
    let openers: Vec<_> = pipe.openers.iter().map(|opener| (opener.pid, opener.access.as_str())).collect();
    assert_eq!(openers, [expected]);
}

/// Whatever else goes on, nothing is wrong with a pipeline that works, nor with one that waits for its writer.
#[test]
fn fifty_looks_at_healthy_pipelines_in_a_fork_storm() {
    need!(Need::PYTHON, Need::Program("yes"), Need::Program("cat"), Need::Program("sleep"));
    for &user in User::all() {
        let storm = Scene::start("storm", user);
        let scene = Scene::start("why_healthy", user);
        let mut busy = BTreeSet::new();
        for _ in 0..50 / User::all().len() {
            let report = why(user, [""; 0]);
            for scene in [&scene, &storm] {
                let findings = findings_of(scene, &report);
                let wrong: Vec<_> =
                    findings.iter().filter(|finding| finding.is_alarming() || finding.is_deadlock()).collect();
                assert!(wrong.is_empty(), "{wrong:#?}");
            }
            scene.truth.assert_pipe("busy", &report);
            for name in ["lazy", "tokens", "jobs"] {
                scene.truth.assert_pipe(name, &report);
            }
            let lazy = report.waits().iter().find(|wait| wait.pipe == Some(scene.truth.id("lazy"))).expect("a wait");
            assert_eq!((lazy.operation.as_str(), lazy.fd, lazy.wakers.len()), ("read", Some(0), 1), "{lazy:?}");
            let waits = report.waits().iter().filter(|wait| wait.pipe == Some(scene.truth.id("busy")));
            busy.extend(waits.map(|wait| wait.operation.clone()));
        }
        assert!(busy.is_subset(&["read", "write"].map(str::to_owned).into()), "{busy:?}");
    }
}

#[test]
fn reader_that_was_stopped() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_stopped", user);
        let (reader, writer, id) =
            (scene.truth.number("/reader"), scene.truth.number("/writer"), scene.truth.id("pipe"));
        let report = why(user, [""; 0]);
        scene.truth.assert_whole(&report);
        let findings = assert_claims(&scene, &report, &[claim("stalled-reader", [writer, reader], [&id])]);
        assert_eq!(findings[0].processes[0].pid, writer, "who is blocked comes first");
        assert_eq!(findings[0].severity, "warning", "{:#?}", findings[0]);
        assert!(findings[0].advice.contains(&format!("kill -CONT {reader}")), "{:#?}", findings[0]);
        assert_waits(&scene, &report, &[(writer, "write", fd_of(&scene, writer, "pipe", "w"), Some(&id), &[reader])]);
    }
}

/// The only write end is in no fd table: it is in a message on its way to another process.
#[test]
fn write_end_in_flight() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_flight", user);
        let (reader, id) = (scene.truth.number("/reader"), scene.truth.id("pipe"));
        let report = why(user, [""; 0]);
        assert_claims(&scene, &report, &[claim("hidden-end", [reader], [&id])]);
        assert!(
            !report.findings().iter().any(|finding| finding.code == "no-writer" && finding.pipes.contains(&id)),
            "there is one"
        );
        assert_waits(&scene, &report, &[(reader, "read", fd_of(&scene, reader, "pipe", "r"), Some(&id), &[])]);
    }
}

/// Every process of the container could be read, so that no rights are missing: the place to look from is another.
#[test]
fn write_end_outside_of_the_container() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let scene = Scene::start_with("why_alone", User::Me, &["outside"]);
    let output = lspipe(["why", "-p", "1", "--json"]).inside(scene.truth.number("/init")).run().expect(0);
    let report = Report::parse(&output.stdout);
    let [finding] = report.findings() else { panic!("not one finding: {:#?}", report.findings()) };
    let doubts: Vec<&str> = finding.doubts.iter().map(|doubt| doubt.what.as_str()).collect();
    assert_eq!((finding.code.as_str(), finding.pids()), ("hidden-end", [1].into()), "{finding:#?}");
    assert!(doubts.contains(&"outside") && !doubts.contains(&"unreadable"), "{finding:#?}");
    assert!(finding.advice.contains("outside") && !finding.advice.contains("root"), "{finding:#?}");
}

/// A writer in splice(2) from a dead file system holds the lock of the pipe. Whoever asks the kernel about the pipe hangs with it:
/// `why` must not.
#[test]
fn writer_that_splices_from_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let usual = lspipe(["why", "--json"]).run().took;
    let scene = Scene::start("why_fuse", User::Me);
    let (reader, writer, id) = (scene.truth.number("/reader"), scene.truth.number("/writer"), scene.truth.id("pipe"));
    let output = prompt(usual, || lspipe(["why", "--json"]).run());
    let report = Report::parse(&output.stdout);
    assert_eq!(output.code(), Some(report.status()));
    scene.truth.assert_whole(&report);
    // The writer may go on whenever its file system does.
    assert!(!findings_of(&scene, &report).iter().any(|finding| finding.is_deadlock()), "{:#?}", report.findings());
    let waits: Vec<_> = report.waits().iter().filter(|wait| wait.pid == reader).collect();
    assert_eq!(waits.len(), 1, "{waits:#?}");
    assert_eq!((waits[0].operation.as_str(), waits[0].pipe.as_ref()), ("read", Some(&id)), "{waits:#?}");
    assert_eq!(waits[0].besides.as_deref(), Some("lock"), "{waits:#?}");
    assert!(waits[0].wakers.iter().any(|waker| waker.pid == writer), "{waits:#?}");
    for args in [&["why"][..], &["why", "-p", &reader.to_string()]] {
        prompt(usual, || lspipe(args).run());
    }
}
