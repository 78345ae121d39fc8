//! Pipes without a reader, of live processes: what is left over of a pipeline, and what outlived its client.

use super::why;
use crate::support::need::{Need, need};
use crate::support::report::Finding;
use crate::support::scene::Scene;
use crate::support::user::User;

/// Maximum number of looks at a process that is awake at times.
const LOOKS: usize = 100;

/// The findings about a pipe.
fn about(user: User, pipe: &str) -> Vec<Finding> {
    let report = why(user, [""; 0]);
    report.findings().iter().filter(|finding| finding.pipes.iter().any(|id| id == pipe)).cloned().collect()
}

#[test]
fn a_writer_for_which_a_shell_waits_is_left_over_unless_it_sleeps() {
    need!(Need::PYTHON, Need::Program("sleep"), Need::Program("cat"), Need::Program("sh"));
    for &user in User::all() {
        for how in ["filter", "survivor"] {
            let scene = Scene::start_with("why_leftover", user, &[how]);
            let [writer, waiter] = ["/writer", "/waiter"].map(|name| scene.truth.number(name));
            let mut findings = Vec::new();
            for _ in 0..LOOKS {
                findings = about(user, scene.truth.text("/pipe"));
                if findings.iter().any(|it| it.severity == "warning") {
                    break;
                }
            }
            let [finding] = &findings[..] else { panic!("{findings:#?}") };
            assert_eq!((finding.code.as_str(), finding.pids()), ("no-reader", [writer, waiter].into()), "{finding:#?}");
            assert!(finding.advice.contains(&format!("`kill {writer}`")), "{finding:#?}");
        }
        let scene = Scene::start_with("why_leftover", user, &["sleeps"]);
        for finding in about(user, scene.truth.text("/pipe")) {
            assert_eq!((finding.code.as_str(), finding.severity.as_str()), ("no-reader", "info"), "{finding:#?}");
        }
    }
}

#[test]
fn a_process_that_lost_its_stdin_and_its_stdout_is_one_finding() {
    need!(Need::Root, Need::PYTHON, Need::Program("sleep"));
    let scene = Scene::start_with("why_leftover", User::Me, &["server"]);
    let (stdin, stdout) = (scene.truth.text("/stdin"), scene.truth.text("/pipe"));
    let findings = about(User::Me, stdout);
    if !why(User::Me, [""; 0]).scan.complete {
        assert_eq!(findings, [], "what could not be read may have the ends");
        return;
    }
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!((finding.code.as_str(), finding.severity.as_str()), ("no-reader", "info"), "{finding:#?}");
    assert_eq!(finding.pids(), [scene.truth.number("/writer")].into(), "{finding:#?}");
    assert_eq!(about(User::Me, stdin), findings, "said once");
}
