//! Every file of a process, spoilt in every way, and exactly what is lost by it.

use serde_json::{Value, json};

use super::Damage::{Binary, Denied, Empty, Fifo, File, Folder, Huge, Loop, Missing, Short};
use super::{Damage, ONE_SIDED, Stage, UNHARMED, VICTIM, find, rows, victims_ends};

/// What of the process, why, and which descriptor if it is one.
type Gap = (&'static str, &'static str, Option<u32>);

const BOTH: &[u32] = &[3, 4];
const NONE: &[u32] = &[];
const NO_GAP: &[Gap] = &[];

/// Spoils a file of the victim in each of these ways; then the victim has these ends, and these gaps are reported.
#[track_caller]
fn check(file: &str, cases: &[(Damage, &[u32], &[Gap])]) {
    for &(damage, ends, gaps) in cases {
        let mut stage = Stage::new();
        let path = stage.victim(file);
        stage.spoil(&path, damage);
        let after = stage.survive();

        assert_eq!(victims_ends(&after), ends, "{file} {damage:?}");
        let told: Vec<Value> = after["unreadable"].as_array().expect("an array").clone();
        let told: Vec<_> = told
            .iter()
            .map(|gap| (gap["pid"].clone(), gap["what"].clone(), gap["error"].clone(), gap["fd"].clone()))
            .collect();
        let expected: Vec<_> =
            gaps.iter().map(|&(what, error, fd)| (json!(VICTIM), json!(what), json!(error), json!(fd))).collect();
        assert_eq!(told, expected, "{file} {damage:?}");
        if !ends.is_empty() {
            assert_facts(file, damage, &after);
        }
        // It is not known that no process holds the other end.
        let hides = gaps.iter().any(|(what, ..)| *what != "cmdline");
        let table = stage.run(&[]);
        let writers = rows(table.text(), ONE_SIDED)[0][3].clone();
        assert_eq!(writers, if hides { "?" } else { "-" }, "{file} {damage:?}");
    }
}

/// The facts that are only in this file are unknown, and all others are what they were.
#[track_caller]
fn assert_facts(file: &str, damage: Damage, after: &Value) {
    let told_by: &[&str] = match file {
        "stat" => &["ppid", "pgid", "sid", "state", "started_at"],
        "status" => &["uid", "ns_pid"],
        "cgroup" => &["container", "unit"],
        "cmdline" => &["cmdline", "cmdline_bytes"],
        _ => &[],
    };
    let [before, after] = [&UNHARMED.1, after].map(|report| find(&report["processes"], "pid", VICTIM));
    for (name, value) in before.as_object().expect("an object") {
        if !told_by.contains(&name.as_str()) {
            assert_eq!(&after[name], value, "{name} with {file} {damage:?}");
        } else if damage.leaves_nothing() && file != "cmdline" {
            assert_eq!(after[name], Value::Null, "{name} with {file} {damage:?}");
        }
    }
}

/// A file of facts: without it the ends are what they were, and nothing but its facts is unknown.
const FACTS: &[(Damage, &[u32], &[Gap])] = &[
    (Missing, BOTH, NO_GAP),
    (Empty, BOTH, NO_GAP),
    (Short, BOTH, NO_GAP),
    (Huge, BOTH, NO_GAP),
    (Binary, BOTH, NO_GAP),
    (Loop, BOTH, NO_GAP),
    (Folder, BOTH, NO_GAP),
    (Fifo, BOTH, NO_GAP),
    (Denied, BOTH, NO_GAP),
];

#[test]
fn stat() {
    check("stat", FACTS);
}

#[test]
fn status() {
    check("status", FACTS);
}

#[test]
fn comm() {
    check("comm", FACTS);
}

#[test]
fn cgroup() {
    check("cgroup", FACTS);
}

#[test]
fn cmdline() {
    check(
        "cmdline",
        &[
            (Missing, BOTH, &[("cmdline", "ENOENT", None)]),
            (Empty, BOTH, NO_GAP),
            (Short, BOTH, NO_GAP),
            (Huge, BOTH, NO_GAP),
            (Binary, BOTH, NO_GAP),
            (Loop, BOTH, &[("cmdline", "ELOOP", None)]),
            (Folder, BOTH, &[("cmdline", "EISDIR", None)]),
            (Fifo, BOTH, NO_GAP),
            (Denied, BOTH, &[("cmdline", "EACCES", None)]),
        ],
    );
}

#[test]
fn fd() {
    check(
        "fd",
        &[
            (Missing, NONE, &[("fd_table", "ENOENT", None)]),
            (Empty, NONE, NO_GAP),
            (File, NONE, &[("fd_table", "ENOTDIR", None)]),
            (Loop, NONE, &[("fd_table", "ELOOP", None)]),
            (Fifo, NONE, &[("fd_table", "ENOTDIR", None)]),
            (Denied, NONE, &[("fd_table", "EACCES", None)]),
        ],
    );
}

#[test]
fn fd_of_one_descriptor() {
    check(
        "fd/3",
        &[
            (Missing, &[4], NO_GAP),
            (File, &[4], &[("fd", "EINVAL", Some(3))]),
            (Folder, &[4], &[("fd", "EINVAL", Some(3))]),
            (Fifo, &[4], &[("fd", "EINVAL", Some(3))]),
            // A link that leads nowhere is one to a file that the tree does not hold.
            (Loop, &[4], NO_GAP),
        ],
    );
}

#[test]
fn fdinfo() {
    // Which pipes they are is known; which end of them is not.
    check(
        "fdinfo",
        &[
            (Missing, NONE, &[("fd", "ENOENT", Some(3)), ("fd", "ENOENT", Some(4))]),
            (Empty, NONE, &[("fd", "ENOENT", Some(3)), ("fd", "ENOENT", Some(4))]),
            (File, NONE, &[("fd", "ENOTDIR", Some(3)), ("fd", "ENOTDIR", Some(4))]),
            (Loop, NONE, &[("fd", "ELOOP", Some(3)), ("fd", "ELOOP", Some(4))]),
            (Fifo, NONE, &[("fd", "ENOTDIR", Some(3)), ("fd", "ENOTDIR", Some(4))]),
            (Denied, NONE, &[("fd", "EACCES", Some(3)), ("fd", "EACCES", Some(4))]),
        ],
    );
}

#[test]
fn fdinfo_of_one_descriptor() {
    check(
        "fdinfo/3",
        &[
            (Missing, &[4], &[("fd", "ENOENT", Some(3))]),
            (Empty, &[4], &[("fd", "EINVAL", Some(3))]),
            (Short, &[4], &[("fd", "EINVAL", Some(3))]),
            (Huge, BOTH, NO_GAP),
            (Binary, &[4], &[("fd", "EINVAL", Some(3))]),
            (Loop, &[4], &[("fd", "ELOOP", Some(3))]),
            (Folder, &[4], &[("fd", "EISDIR", Some(3))]),
            (Fifo, &[4], &[("fd", "EINVAL", Some(3))]),
            (Denied, &[4], &[("fd", "EACCES", Some(3))]),
        ],
    );
}

#[test]
fn task() {
    check(
        "task",
        &[
            // A saved tree need not have the threads.
            (Missing, BOTH, NO_GAP),
            (Empty, BOTH, NO_GAP),
            (File, BOTH, &[("tasks", "ENOTDIR", None)]),
            (Loop, BOTH, &[("tasks", "ELOOP", None)]),
            (Fifo, BOTH, &[("tasks", "ENOTDIR", None)]),
            (Denied, BOTH, &[("tasks", "EACCES", None)]),
        ],
    );
}

/// The folder of the process itself.
#[test]
fn process() {
    check(
        "",
        &[
            (Missing, NONE, NO_GAP),
            (Empty, NONE, &[("fd_table", "ENOENT", None)]),
            (File, NONE, &[("fd_table", "ENOTDIR", None)]),
            (Loop, NONE, &[("fd_table", "ELOOP", None)]),
            (Fifo, NONE, &[("fd_table", "ENOTDIR", None)]),
            (Denied, NONE, &[("fd_table", "EACCES", None)]),
        ],
    );
}

/// What the tree says of the machine.
#[test]
fn machine() {
    for file in
        ["stat", "sys", "sys/kernel", "sys/kernel/hostname", "sys/kernel/osrelease", "sys/kernel/random/boot_id"]
    {
        let damages: &[Damage] = if ["sys", "sys/kernel"].contains(&file) {
            &[Missing, Empty, File, Loop, Fifo, Denied]
        } else {
            &[Missing, Empty, Short, Huge, Binary, Loop, Folder, Fifo, Denied]
        };
        for &damage in damages {
            let mut stage = Stage::new();
            let path = stage.tree.root().join(file);
            stage.spoil(&path, damage);
            // Of the neighbours nothing but when they were started depends on it.
            let output = stage.run(&["--json"]).expect(0);
            let report = super::json(&output);
            assert_eq!(report["pipes"].as_array().map(Vec::len), Some(3), "{file} {damage:?}");
            assert_eq!(report["scan"]["complete"], true, "{file} {damage:?}");
            if damage == Missing {
                let lost = match file {
                    "stat" => find(&report["processes"], "pid", 100)["started_at"].clone(),
                    "sys/kernel/osrelease" => report["host"]["kernel"].clone(),
                    "sys/kernel/random/boot_id" => report["host"]["boot_id"].clone(),
                    _ => report["host"]["hostname"].clone(),
                };
                assert_eq!(lost, Value::Null, "{file}");
            }
        }
    }
}
