//! The tables against the truth: every row, every cell.

use std::collections::BTreeSet;

use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::user::User;

/// Scenes without white space in their names, so that cells part at white space.
const SCENES: [&str; 5] = ["anonymous", "duplicates", "fifos", "threads", "leader"];

/// The report of a scene as JSON, which is compared with the truth, and a table, which is compared with that.
fn views(name: &str, user: User, form: &[&str]) -> (Scene, Report, Table) {
    let scene = Scene::start(name, user);
    let root = scene.pid().to_string();
    let selection = ["-p", &root, "--descendants"];
    let report = lspipe(selection).user(user).report();
    if name != "threads" {
        // Which of two threads names their table is for the test of threads.
        scene.truth.assert_whole(&report);
    }
    let output = lspipe([&selection[..], form].concat()).user(user).run().expect(0);
    (scene, report, Table::parse(output.text()))
}

#[test]
fn a_row_for_each_pipe() {
    need!(Need::PYTHON);
    for &user in User::all() {
        for scene in SCENES {
            let (_scene, report, table) = views(scene, user, &[]);
            assert_eq!(table.header(), ["PIPE", "KIND", "READERS", "WRITERS", "NAME"]);
            let ids: Vec<&str> = table.rows().iter().filter_map(|row| row.split_whitespace().next()).collect();
            assert_eq!(ids, report.pipes.iter().map(|pipe| pipe.id.as_str()).collect::<Vec<_>>(), "rows in order");
            for pipe in &report.pipes {
                let missing = missing_end(&report);
                let cell = |ends: &[_]| match ends {
                    [] => missing.to_owned(),
                    ends => ends.iter().map(end).collect::<Vec<_>>().join(";"),
                };
                let path = pipe.path.as_deref().unwrap_or("-");
                let expected = [&pipe.id, &pipe.kind, &cell(&pipe.readers), &cell(&pipe.writers), path];
                assert_eq!(table.row(&pipe.id), expected);
            }
        }
    }
}

#[test]
fn a_row_for_each_end() {
    need!(Need::PYTHON);
    for &user in User::all() {
        for scene in SCENES {
            let (_scene, report, table) = views(scene, user, &["-e"]);
            let columns = "PID TID USER COMMAND FD MODE FLAGS PIPE KIND PEERS SHARED NAME";
            assert_eq!(table.header().join(" "), columns);
            let rows: BTreeSet<Vec<String>> = table.rows().iter().map(|row| cells(row)).collect();
            assert_eq!(rows.len(), table.rows().len(), "no row twice");
            let missing = missing_end(&report);
            let or_dash = |text: String| {
                if text.is_empty() { "-".to_owned() } else { text }
            };
            let mut expected = BTreeSet::new();
            for pipe in &report.pipes {
                for this in pipe.ends() {
                    let across = |access: &str| this.access == "rw" || access == "rw" || access != this.access;
                    let (other, same): (Vec<_>, Vec<_>) =
                        pipe.ends().filter(|end| end.key() != this.key()).partition(|end| across(&end.access));
                    let sorted = |mut ends: Vec<&crate::support::report::End>| {
                        ends.sort_by_key(|end| end.key());
                        ends.into_iter().map(end).collect::<Vec<_>>()
                    };
                    let peers = if other.is_empty() { missing.to_owned() } else { sorted(other).join(";") };
                    let shared = or_dash(sorted(same).join(";"));
                    let user = this.user.clone().or(this.uid.map(|uid| uid.to_string()));
                    expected.insert(vec![
                        this.pid.to_string(),
                        or_dash(this.tid.map(|tid| tid.to_string()).unwrap_or_default()),
                        user.expect("a user"),
                        this.command.clone(),
                        this.fd.to_string(),
                        this.access.clone(),
                        or_dash(this.flags.as_ref().expect("flags").join(",")),
                        pipe.id.clone(),
                        pipe.kind.clone(),
                        peers,
                        shared,
                        or_dash(pipe.path.clone().unwrap_or_default()),
                    ]);
                }
            }
            assert_eq!(rows, expected);
        }
    }
}

/// All sharers stand in the row of their pipe; the row of each end names some of the others and counts the rest, so that
/// the output grows with the number of ends and not with its square. And it is the same each time.
#[test]
fn three_hundred_processes_on_one_pipe() {
    need!(Need::PYTHON);
    let scene = Scene::start("sharers", User::Me);
    let root = scene.pid().to_string();
    let run = |form: &[&str]| lspipe([&["-p", &root, "--descendants"], form].concat()).run().expect(0);

    let report = Report::parse(&run(&["--json"]).stdout);
    scene.truth.assert_whole(&report);
    let shared = &report.pipes[0];
    assert_eq!((shared.readers.len(), shared.writers.len()), (300, 301));
    let table = Table::parse(run(&[]).text());
    for (column, ends) in [("READERS", &shared.readers), ("WRITERS", &shared.writers)] {
        let expected: Vec<String> = ends.iter().map(end).collect();
        assert_eq!(table.cell(&shared.id, column), expected.join(";"));
    }

    let table = Table::parse(run(&["-e"]).text());
    assert_eq!(table.rows().len(), 601);
    for row in table.rows() {
        let cells = cells(row);
        // The peers, and those that share its side.
        let counts = [&cells[9], &cells[10]].map(|cell| {
            let others: Vec<&str> = cell.split(';').collect();
            let (rest, named) = others.split_last().expect("ends");
            let rest: usize =
                rest.strip_prefix('+').and_then(|rest| rest.parse().ok()).unwrap_or_else(|| panic!("{row}"));
            named.len() + rest
        });
        let expected = if cells[5] == "r" { [301, 299] } else { [300, 300] };
        assert_eq!(counts, expected, "{row}");
    }

    for form in [&[][..], &["-e"], &["-t"]] {
        assert_eq!(run(form).stdout, run(form).stdout, "{form:?}");
    }
    assert_eq!(Report::parse(&run(&["--json"]).stdout).pipes, report.pipes);
}

/// What stands where no end was seen: only a complete scan knows that there is none.
fn missing_end(report: &Report) -> &'static str {
    if report.scan.complete { "-" } else { "?" }
}

/// `PID,COMMAND,FDmode`, and the thread after the PID where the table is a thread's.
fn end(end: &crate::support::report::End) -> String {
    let tid = end.tid.map(|tid| format!("/{tid}")).unwrap_or_default();
    format!("{}{tid},{},{}{}", end.pid, end.command, end.fd, end.access)
}

fn cells(row: &str) -> Vec<String> {
    row.split_whitespace().map(str::to_owned).collect()
}
