//! Real processes, and what becomes of their pipes.

use std::collections::BTreeMap;

use super::super::Folder;
use super::{assert_same, diff, difference};
use crate::support::need::{Need, need};
use crate::support::report::{Difference, PipeChange};
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::text::assert_notes;
use crate::support::user::User;

/// The changes that have to do with these processes: by pipe, what became of it, and its ends.
fn changes_of(difference: &Difference, pids: &[u32]) -> BTreeMap<String, (String, Vec<String>)> {
    let is_theirs = |pipe: &&PipeChange| pipe.ends.iter().any(|end| pids.contains(&end.pid));
    let brief = |pipe: &PipeChange| {
        assert!(pipe.certain && pipe.ends.iter().all(|end| end.certain), "{pipe:?}");
        let ends = pipe.ends.iter().map(|end| end.brief()).collect();
        (pipe.id.clone(), (pipe.change.clone(), ends))
    };
    difference.pipes.iter().filter(is_theirs).map(brief).collect()
}

#[test]
fn what_became_of_the_pipes_of_a_scene() {
    need!(Need::PYTHON, Need::Program("sleep"), Need::FirstPidNamespace);
    for &user in User::all() {
        let folder = Folder::of(user);
        let scene = Scene::start("changes", user);
        let truth = &scene.truth;
        let pid = |name: &str| truth.number(&format!("/pids/{name}"));
        let fd = |name: &str, index: usize| truth.number(&format!("/fds/{name}/{index}"));
        let end = |name: &str, access: &str| {
            let ends = truth.ends_of(name);
            ends.iter().find(|end| end.3 == access).map(|end| (end.0, end.2)).expect("an end")
        };
        let old = folder.save_as(user, "old", ["-q"]);
        let more = scene.go_on();
        let new = folder.save_as(user, "new", ["-q"]);
        let number = |pointer: &str| more.pointer(pointer).and_then(serde_json::Value::as_u64).expect("a number");

        let (me, goes, execs) = (pid("self"), pid("goes"), pid("execs"));
        let gained = u32::try_from(number("/gained")).expect("a PID");
        let comes = format!("pipe:[{}]", number("/comes/inode"));
        let difference = difference(&old, &new);
        assert!(difference.same_boot);
        let row = |change: &str, ends: Vec<String>| (change.to_owned(), ends);
        let (goes_r, goes_w) = (end("goes", "r").1, end("goes", "w").1);
        let expected = BTreeMap::from([
            (
                truth.id("goes"),
                row("went", vec![format!("-{goes},python3,{goes_r}r"), format!("-{goes},python3,{goes_w}w")]),
            ),
            (truth.id("execs"), row("changed", vec![format!("~{execs},sleep,{}w", end("execs", "w").1)])),
            (truth.id("gains"), row("changed", vec![format!("+{gained},python3,{}w", fd("gains", 1))])),
            (truth.id("loses"), row("changed", vec![format!("-{me},python3,{}w", fd("loses", 1))])),
            (truth.id("flag"), row("changed", vec![format!("~{me},python3,{}r", fd("flag", 0))])),
            (
                comes.clone(),
                row(
                    "came",
                    vec![
                        format!("+{me},python3,{}r", number("/comes/fds/0")),
                        format!("+{me},python3,{}w", number("/comes/fds/1")),
                    ],
                ),
            ),
        ]);
        assert_eq!(changes_of(&difference, &[me, goes, execs, pid("other"), gained]), expected);
        assert!(difference.pipe(&truth.id("stays")).is_none(), "nothing became of that");

        // The name of the FIFO is gone, and no process has closed it.
        let fifo = difference.pipe(&truth.id("fifo")).expect("it has no name any more");
        assert_eq!((fifo.change.as_str(), fifo.deleted, fifo.ends.len()), ("changed", true, 0));
        // What the ends were.
        let was = |name: &str| {
            difference.pipe(&truth.id(name)).and_then(|pipe| pipe.ends[0].was.clone()).expect("what it was")
        };
        assert_eq!(was("execs").command, "python3");
        assert_eq!(was("flag").flags, Some(vec!["O_CLOEXEC".to_owned()]));

        // The table says the same, and which other processes are there.
        let output = diff(&["-q"], &old, &new).expect(1);
        let table = Table::parse(output.text());
        assert_eq!(table.header(), ["+-~", "PIPE", "READERS", "WRITERS", "NAME"]);
        let cells = |id: &str| -> Vec<String> {
            let row = table.rows().iter().find(|row| row.split_whitespace().nth(1) == Some(id)).expect("a row");
            row.split_whitespace().map(str::to_owned).collect()
        };
        let (other, execs_w) = (pid("other"), end("execs", "w").1);
        assert_eq!(
            cells(&truth.id("execs")),
            [
                "~",
                &truth.id("execs"),
                &format!("={other},python3,{}r", end("execs", "r").1),
                &format!("~{execs},sleep,{execs_w}w(was:python3)"),
                "-"
            ]
        );
        assert_eq!(
            cells(&truth.id("gains"))[2..],
            [
                format!("={me},python3,{}r", fd("gains", 0)),
                format!("+{gained},python3,{0}w;={me},python3,{0}w", fd("gains", 1)),
                "-".to_owned()
            ]
        );
        assert_eq!(cells(&truth.id("flag"))[2], format!("~{me},python3,{}r(+O_NONBLOCK)", fd("flag", 0)));
        assert_eq!(cells(&truth.id("fifo"))[4], format!("{}(+deleted)", truth.text("/path")));
        assert_eq!(cells(&comes)[0], "+");

        // The other way round what came went.
        let back = super::difference(&new, &old);
        let turned = |(change, ends): &(String, Vec<String>)| {
            let word = match change.as_str() {
                "came" => "went",
                "went" => "came",
                other => other,
            };
            (word.to_owned(), ends.len())
        };
        let counts =
            |changes: BTreeMap<String, (String, Vec<String>)>, turn: bool| -> BTreeMap<String, (String, usize)> {
                let told = |row: &(String, Vec<String>)| if turn { turned(row) } else { (row.0.clone(), row.1.len()) };
                changes.iter().map(|(id, row)| (id.clone(), told(row))).collect()
            };
        let pids = [me, goes, execs, gained];
        assert_eq!(counts(changes_of(&back, &pids), true), counts(changes_of(&difference, &pids), false));
    }
}

/// A PID that is used again, and a machine that was started again, have nothing of what was before.
#[test]
fn the_same_number_is_not_the_same_process() {
    need!(Need::PYTHON);
    let folder = Folder::new();
    let scene = Scene::start("choice", User::Me);
    let beta = scene.truth.number("/pids/beta");
    let old = folder.save("old", ["-q"]);
    let bytes = old.bytes();
    let new = folder.put("new", &bytes);
    assert_same(&diff(&["-q"], &old, &new));

    new.edit(|json| {
        let processes = json["processes"].as_array_mut().expect("processes");
        let process = processes.iter_mut().find(|process| process["pid"] == beta).expect("listed");
        process["started_at"] = "2040-01-01T00:00:00.000Z".into();
    });
    let told = difference(&old, &new);
    let ends: Vec<(String, u32)> =
        told.pipes.iter().flat_map(|pipe| &pipe.ends).map(|end| (end.change.clone(), end.pid)).collect();
    let held = old.json()["pipes"]
        .as_array()
        .expect("pipes")
        .iter()
        .map(|pipe| {
            let ends =
                |side: &str| pipe[side].as_array().expect("ends").iter().filter(|end| end["pid"] == beta).count();
            ends("readers") + ends("writers")
        })
        .sum::<usize>();
    assert!(held > 1 && ends.len() == 2 * held, "{ends:?}");
    assert!(ends.iter().all(|(_, pid)| *pid == beta), "{ends:?}");
    assert_eq!(ends.iter().filter(|(change, _)| change == "went").count(), held, "{ends:?}");

    // By another clock of that machine it is the same, if that gives another time of the boot too.
    let later = |time: &mut serde_json::Value| {
        let then: jiff::Timestamp = time.as_str().expect("a time").parse().expect("a time");
        *time = format!("{:.3}", then + jiff::SignedDuration::from_secs(1)).into();
    };
    let new = folder.put("new", &bytes);
    new.edit(|json| {
        let processes = json["processes"].as_array_mut().expect("processes").iter_mut();
        processes.for_each(|process| later(&mut process["started_at"]));
    });
    assert_eq!(diff(&["-q"], &old, &new).code(), Some(1));
    new.edit(|json| later(&mut json["host"]["booted_at"]));
    assert_same(&diff(&["-q"], &old, &new));

    let new = folder.put("new", &bytes);
    new.edit(|json| json["host"]["boot_id"] = "another".into());
    let output = diff(&[], &old, &new).expect(1);
    let note = output.stderr.split_inclusive('\n').next().expect("a note");
    assert_notes(note, &[&[old.path(), new.path()]]);
    let told = difference(&old, &new);
    let pipes = old.json()["pipes"].as_array().expect("pipes").len();
    assert!(!told.same_boot);
    assert_eq!((told.summary.pipes.went, told.summary.pipes.came, told.summary.pipes.changed), (pipes, pipes, 0));
    assert_eq!((told.summary.pipes.uncertain, told.summary.ends.uncertain), (0, 0));
}
