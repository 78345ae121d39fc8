//! Threads: fd tables that /proc/PID/fd does not show.

use super::{PLAIN, assert_scene};
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

#[test]
fn threads_with_tables_of_their_own() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("threads", user);
        let report = lspipe(PLAIN).user(user).report();
        // Two threads share one of the tables: it is listed once, under either of them.
        let pair = [scene.truth.number("/threads/pair/0"), scene.truth.number("/threads/pair/1")];
        let pipe = report.pipe(&scene.truth.id("pair")).expect("listed");
        let tid = pipe.readers.first().and_then(|end| end.tid).expect("the read end is in a thread's table");
        assert!(pair.contains(&tid), "{tid} is none of {pair:?}");
        scene.truth.with_tid(pair[0], tid).assert_whole(&report);

        let alone = scene.truth.number("/threads/alone");
        let ends = scene.truth.ends_of("private");
        assert_eq!(ends.len(), 1, "the process itself has closed it: {ends:?}");
        assert_eq!(ends[0].1, Some(alone));
    }
}

#[test]
fn exited_leader() {
    need!(Need::PYTHON);
    assert_scene("leader", |scene, _| {
        let pid = scene.truth.number("/leaderless");
        let ends = scene.truth.ends_of("from_leaderless");
        let (_, tid, ..) = ends.iter().find(|end| end.0 == pid).expect("an end of its");
        assert!(tid.is_some_and(|tid| tid != pid), "the end is the living thread's: {ends:?}");
    });
}
