//! An `io_uring` goes on without any thread, and holds files that no fd table shows, whether it has a descriptor or not.

use super::{findings_of, why};
use crate::support::need::{Need, need};
use crate::support::scene::Scene;
use crate::support::user::User;

#[test]
fn ring_without_a_descriptor() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_uring", user);
        if scene.truth.number("/rings") == 0 {
            eprintln!("skipped: this kernel has no io_uring, or does not allow it");
            return;
        }
        let report = why(user, [""; 0]);
        let [plain, ring, open] = ["/plain", "/ring", "/open"].map(|name| scene.truth.number(name));
        // What is queued in a ring may write into the pipe that its process reads.
        let findings = findings_of(&scene, &report);
        let pids: Vec<_> = findings.iter().map(|finding| finding.pids()).collect();
        assert_eq!(pids, [[plain].into()], "{findings:#?}");
        // It may hold an end of any pipe, but for one whose list of files can be read.
        let doubts: Vec<_> = findings[0].doubts.iter().filter(|doubt| doubt.what == "io_uring").collect();
        assert!(doubts.iter().any(|doubt| (doubt.pid, doubt.fd) == (Some(ring), None)), "{doubts:#?}");
        assert!(!doubts.iter().any(|doubt| doubt.pid == Some(open)), "{doubts:#?}");
        assert_eq!((findings[0].code.as_str(), findings[0].certainty.as_str()), ("self-deadlock", "suspected"));
        assert!(report.hidden.iter().any(|suspect| suspect.pid == Some(ring)), "{:#?}", report.hidden);
    }
}
