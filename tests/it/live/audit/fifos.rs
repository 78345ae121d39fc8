//! FIFOs that other users may open, and those that no process can open any more.

use std::collections::BTreeMap;

use super::{about, assert_claims, audit, claim};
use crate::support::facts::Directories;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text::assert_facts;
use crate::support::turn;
use crate::support::user::User;

#[test]
fn fifos_that_others_may_open() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("audit_fifos", User::Me);
    let report = audit(User::Me, "fifo-exposed", &["-l"]);
    scene.truth.assert_whole(&report);
    // Which users may do what, and which are named.
    let cases = BTreeMap::from([
        ("written", ("error", "others write", &["root"][..])),
        ("read", ("warning", "others read", &["root"])),
        ("both", ("error", "others write and read", &["root"])),
        ("replaced", ("warning", "others replace", &[])),
        ("group", ("info", "group writes", &["group 65534", "root"])),
        ("owner", ("info", "owner writes", &["user 65534", "root"])),
        ("theirs", ("info", "owner writes and replaces", &["user 65534", "root"])),
        ("moved", ("info", "owner replaces", &["user 65534"])),
        ("members", ("info", "group replaces", &["group 65534"])),
        ("jailed", ("error", "others write", &["root"])),
        ("cell", ("error", "others write", &["root"])),
        ("nobodys", ("info", "others write to a user", &["user 65534"])),
    ]);
    let expected: Vec<_> = cases
        .iter()
        .map(|(name, (severity, _, _))| {
            let holder = match *name {
                "nobodys" => scene.truth.number("/other"),
                "jailed" | "cell" => scene.truth.number(&format!("/{name}")),
                _ => scene.pid(),
            };
            claim(&format!("{severity} proven"), [holder], [&scene.truth.id(name)])
        })
        .collect();
    let findings = assert_claims(&scene, &report, &expected);
    // The same is said in the same words, of whatever FIFO, and nothing else is.
    let mut sentences: BTreeMap<String, &str> = BTreeMap::new();
    for (name, (_, said, who)) in cases {
        let finding = about(&scene, &findings, name);
        let pipe = report.pipe(&scene.truth.id(name)).expect("listed");
        let path = pipe.path.as_deref().expect("a path");
        assert_facts(&finding.message, &[&[path], who].concat());
        let before = sentences.insert(finding.message.replace(path, ""), said);
        assert!(before.is_none_or(|before| before == said), "of {before:?} and of {said}: {}", finding.message);
    }
    assert_eq!(sentences.len(), 10, "{sentences:#?}");
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
    // No other user is in the group `nobody`, and others may neither pass nor replace.
    let members = Directories { owner: true, group_replaces: Some(65534), ..Directories::default() };
    assert_eq!(file("members").3, Some(members));
}

#[test]
fn fifos_that_were_removed() {
    need!(Need::PYTHON);
    let _alone = turn::alone();
    for &user in User::all() {
        let scene = Scene::start("audit_deleted", user);
        let [used, left] = ["used", "left"].map(|name| scene.truth.id(name));
        let pid = scene.pid();
        // Who could not be read may have the other side, but for what the kernel says to --probe.
        let report = audit(user, "deleted-fifo", &["--probe"]);
        let expected = [claim("info proven", [pid], [&used]), claim("warning proven", [pid], [&left])];
        let findings = assert_claims(&scene, &report, &expected);
        let [of_used, of_left] = ["used", "left"].map(|name| about(&scene, &findings, name).message.as_str());
        assert!(of_left.contains("writer") && !of_used.contains("writer"), "{findings:#?}");
        let report = audit(user, "deleted-fifo", &[]);
        let severity = if report.scan.complete && report.hidden.is_empty() { "warning" } else { "info" };
        let expected = [claim("info proven", [pid], [&used]), claim(&format!("{severity} proven"), [pid], [&left])];
        assert_claims(&scene, &report, &expected);
        // A plain report asks nothing of this.
        assert!(lspipe([""; 0]).user(user).report().pipes.iter().all(|pipe| pipe.file.is_none()));
    }
}

/// Where the directories of a FIFO do not answer, they are a doubt, and all the rest is reported, at once.
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
