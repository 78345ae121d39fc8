//! FIFOs that others may open, and those that nobody can open any more.

use std::collections::BTreeMap;

use super::{about, assert_claims, audit, claim};
use crate::support::facts::Directories;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::turn;
use crate::support::user::User;

#[test]
fn fifos_that_others_may_open() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("audit_fifos", User::Me);
    let report = audit(User::Me, "fifo-exposed", &["-l"]);
    scene.truth.assert_whole(&report);
    let cases = BTreeMap::from([
        ("written", ("error", "everybody may write to what root reads")),
        ("read", ("warning", "everybody may read what root writes")),
        ("both", ("error", "everybody may write to what root reads; everybody may read what root writes")),
        ("replaced", ("warning", "everybody may put another file in its place")),
        ("group", ("info", "group 65534 may write to what root reads")),
        ("owner", ("info", "user 65534 may write to what root reads")),
        ("theirs", ("info", "user 65534 may write to what root reads; user 65534 may put another file in its place")),
        ("moved", ("info", "user 65534 may put another file in its place")),
        ("members", ("info", "group 65534 may put another file in its place")),
        ("jailed", ("error", "everybody may write to what root reads")),
        ("cell", ("error", "everybody may write to what root reads")),
        ("nobodys", ("info", "everybody may write to what user 65534 reads")),
    ]);
    let expected: Vec<_> = cases
        .iter()
        .map(|(name, (severity, _))| {
            let holder = match *name {
                "nobodys" => scene.truth.number("/other"),
                "jailed" | "cell" => scene.truth.number(&format!("/{name}")),
                _ => scene.pid(),
            };
            claim(&format!("{severity} proven"), [holder], [&scene.truth.id(name)])
        })
        .collect();
    let findings = assert_claims(&scene, &report, &expected);
    for (name, (_, said)) in cases {
        let finding = about(&scene, &findings, name);
        let pipe = report.pipe(&scene.truth.id(name)).expect("listed");
        let path = pipe.path.as_deref().expect("a path");
        assert_eq!(finding.message, format!("{path} is open to others: {said}"));
    }
    // What it judged by.
    let file = |name: &str| {
        let file = report.pipe(&scene.truth.id(name)).and_then(|pipe| pipe.file.clone()).expect("a file");
        (file.owner, file.group, file.mode, file.directories)
    };
    let way = |owner, group, others, replaceable| {
        let replaces = Directories { owner, group, others, replaceable, ..Directories::default() };
        Some(replaces)
    };
    assert_eq!(file("written"), (0, 0, "0622".to_owned(), way(true, true, true, false)));
    assert_eq!(file("closed"), (0, 0, "0666".to_owned(), way(true, false, false, false)));
    assert_eq!(file("replaced"), (0, 0, "0600".to_owned(), way(true, true, true, true)));
    assert_eq!(file("sticky"), (0, 0, "0600".to_owned(), way(true, true, true, false)));
    assert_eq!(file("grouped"), (0, 65534, "0620".to_owned(), way(true, false, false, false)));
    assert_eq!(file("group"), (0, 65534, "0620".to_owned(), way(true, true, false, false)));
    // By modes alone, which mean nothing to root.
    let theirs =
        Directories { owner: false, owner_replaces: Some(65534), owner_passes: Some(65534), ..Directories::default() };
    assert_eq!(file("theirs").3, Some(theirs));
    // Nobody is of nobody's group, and others may neither pass nor replace.
    let members = Directories { owner: true, group_replaces: Some(65534), ..Directories::default() };
    assert_eq!(file("members").3, Some(members));
}

#[test]
fn fifos_that_were_removed() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("audit_deleted", user);
        let [used, left] = ["used", "left"].map(|name| scene.truth.id(name));
        let pid = scene.pid();
        // Who could not be read may have the other side, but for what the kernel says to --probe.
        let report = audit(user, "deleted-fifo", &["--probe"]);
        let expected = [claim("info proven", [pid], [&used]), claim("warning proven", [pid], [&left])];
        let findings = assert_claims(&scene, &report, &expected);
        assert!(about(&scene, &findings, "left").message.contains("has no writer"), "{findings:#?}");
        let report = audit(user, "deleted-fifo", &[]);
        let severity = if report.scan.complete && report.hidden.is_empty() { "warning" } else { "info" };
        let expected = [claim("info proven", [pid], [&used]), claim(&format!("{severity} proven"), [pid], [&left])];
        assert_claims(&scene, &report, &expected);
        // A plain report asks nothing of this.
        assert!(lspipe([""; 0]).user(user).report().pipes.iter().all(|pipe| pipe.file.is_none()));
    }
}

/// Where the directories of a FIFO do not answer, they are a doubt, and all the rest is told, at once.
#[test]
fn fifo_on_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let scene = Scene::start("fuse", User::Me);
    let (holder, fifo) = (scene.truth.number("/holder"), scene.truth.id("fifo"));
    let report = audit(User::Me, "fifo-exposed", &[]);
    scene.truth.assert_whole(&report);
    assert!(!report.unreadable.iter().any(|gap| gap.pid == holder), "{:?}", report.unreadable);
    let file = report.pipe(&fifo).and_then(|pipe| pipe.file.clone()).expect("its own mode was known before");
    assert_eq!((file.mode.as_str(), file.directories), ("0644", None));
    let findings = assert_claims(&scene, &report, &[claim("warning suspected", [holder], [&fifo])]);
    let doubts: Vec<_> = findings[0].doubts.iter().map(|doubt| (doubt.what.as_str(), doubt.pipe.as_ref())).collect();
    assert_eq!(doubts, [("directories", Some(&fifo))]);
}
