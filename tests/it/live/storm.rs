//! Processes and pipes that come and go while the scan looks.

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

#[test]
fn thirty_scans_in_a_fork_storm() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("storm", user);
        for _ in 0..30 / User::all().len() {
            let report = lspipe(PLAIN).user(user).report();
            scene.truth.assert_pipe("stable", &report);
        }
        // What vanished is normal, and nothing to speak of.
        let stable = scene.truth.id("stable");
        for args in [&[][..], &["-e"], &["--ndjson"], &["fds", &scene.pid().to_string()]] {
            let selected = if args.first() == Some(&"fds") { &["-q"][..] } else { &["-q", &stable] };
            let output = lspipe([args, selected].concat()).user(user).run().expect(0);
            assert!(output.text().contains(&stable) && output.stderr.is_empty(), "{output:?}");
        }
    }
}
