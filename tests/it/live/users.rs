//! Other people's processes, seen without root: what cannot be read is counted, said, and never taken for absent.

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::user::{NOBODY, User};

#[test]
fn other_side_of_the_fence() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("users", User::Me);
    let (nobody, root) = (scene.truth.number("/nobody"), scene.truth.number("/root"));

    let all = lspipe(PLAIN).report();
    scene.truth.assert_whole(&all);
    assert!(
        !all.unreadable
            .iter()
            .any(|gap| [nobody, root].contains(&gap.pid)),
        "root reads them: {:?}",
        all.unreadable
    );

    let report = lspipe(PLAIN).user(User::Nobody).report();
    let gap = report
        .unreadable
        .iter()
        .find(|gap| gap.pid == root)
        .expect("root's process is named as unreadable");
    assert_eq!(
        (gap.what.as_str(), gap.error.as_str(), gap.uid),
        ("fd_table", "EACCES", Some(0))
    );
    assert!(!report.unreadable.iter().any(|gap| gap.pid == nobody));
    assert!(!report.scan.complete);

    let id = |name| scene.truth.id(name);
    let output = lspipe(PLAIN).user(User::Nobody).run().expect(0);
    let table = Table::parse(output.text());
    // Root's ends may be there for all that nobody can see.
    assert_eq!(table.cell(&id("to_root"), "READERS"), "?");
    assert_eq!(table.cell(&id("to_nobody"), "WRITERS"), "?");
    assert_ne!(table.cell(&id("to_root"), "WRITERS"), "?");
    assert_ne!(table.cell(&id("to_nobody"), "READERS"), "?");
    assert!(
        !table.rows().iter().any(|row| row.contains(&id("own"))),
        "nobody sees no end of this one"
    );
    scene.truth.seen_in(&[nobody]).assert_whole(&report);
}

#[test]
fn incompleteness_is_said_once_and_may_be_an_error() {
    need!(Need::Root, Need::PYTHON);
    let _scene = Scene::start("users", User::Me);
    let run = |args: &[&str], code| lspipe(args).user(User::Nobody).run().expect(code);

    let plain = run(&[], 0);
    let count = lspipe(PLAIN).user(User::Nobody).report().scan.unreadable;
    assert!(count > 0);
    assert!(
        plain.stderr.contains("root") && plain.stderr.to_lowercase().contains("cap_sys_ptrace"),
        "{}",
        plain.stderr
    );
    assert!(plain.stderr.starts_with("lspipe: "), "{}", plain.stderr);
    let number = plain
        .stderr
        .split(|c: char| !c.is_ascii_digit())
        .find(|word| !word.is_empty());
    // Processes come and go between the two runs, so that the number need not be the same.
    assert!(
        number.is_some_and(|number| number.parse::<usize>().is_ok_and(|number| number > 0)),
        "{}",
        plain.stderr
    );

    assert_eq!(run(&["-q"], 0).stderr, "");
    assert_eq!(run(&["-q", "--json"], 0).stderr, "");
    let strict = run(&["--require-complete"], 2);
    assert!(
        !strict.stdout.is_empty(),
        "the report is written all the same"
    );
    assert!(strict.stderr.starts_with("lspipe: "), "{}", strict.stderr);
}

/// Whose processes they are is told by number where there is no name, and by number alone where names are not wanted.
#[test]
fn user_names_and_numbers() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start_with("choice", User::Me, &["3999999999"]);
    let gamma = scene.truth.number("/pids/gamma");
    let report = lspipe(PLAIN).report();
    scene.truth.assert_whole(&report);
    let process = |pid| {
        report
            .processes
            .iter()
            .find(|process| process.pid == pid)
            .expect("listed")
    };
    assert_eq!(
        (process(gamma).uid, process(gamma).user.as_deref()),
        (Some(3_999_999_999), None)
    );
    let alpha = process(scene.truth.number("/pids/alpha"));
    assert_eq!((alpha.uid, alpha.user.as_deref()), (Some(0), Some("root")));

    let numeric = lspipe(["-l"]).report();
    assert!(
        numeric
            .processes
            .iter()
            .all(|process| process.user.is_none()),
        "-l looks no name up"
    );
    scene.truth.assert_whole(&numeric);
    assert_eq!(User::Nobody.uid(), NOBODY);
}
