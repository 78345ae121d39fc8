//! lspipe on live processes: each test has a scene built, which knows what it made, and compares the whole answer with it.

mod anonymous;
mod audit;
mod fd_tables;
mod fds_files;
mod few_files;
mod fifos;
mod fuse;
mod graph;
mod hostile;
mod lent;
mod limits;
mod namespaces;
mod output;
mod pipes_by_name;
mod private_fuse;
mod probe;
mod select;
mod silent;
mod storm;
mod tables;
mod tasks;
mod users;
mod why;

use std::collections::BTreeSet;

use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// Without arguments.
const PLAIN: [&str; 0] = [];

/// Has the scene built under every user that can be, and asserts that lspipe under that user reports the whole truth about
/// it. `also` may look further.
#[track_caller]
fn assert_scene(name: &str, also: impl Fn(&Scene, &Report)) {
    for &user in User::all() {
        let scene = Scene::start(name, user);
        let report = lspipe(PLAIN).user(user).report();
        scene.truth.assert_whole(&report);
        also(&scene, &report);
    }
}

/// The ids of all pipes in a report.
fn ids(report: &Report) -> BTreeSet<String> {
    report.pipes.iter().map(|pipe| pipe.id.clone()).collect()
}
