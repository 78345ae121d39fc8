//! FIFOs that were removed while a process waits in open(2) of them.

use super::{assert_claims, claim, why};
use crate::support::need::{Need, need};
use crate::support::scene::Scene;
use crate::support::text::pids;
use crate::support::user::User;

/// Nobody can open it any more: only a signal ends that, and to open it by its path would make another file, or wait just the same.
#[test]
fn opens_that_nobody_can_meet_any_more() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let (gone, there) = (Scene::start("audit_gone", user), Scene::start("why_opens", user));
        let report = why(user, [""; 0]);
        for name in ["read", "written"] {
            let of = |scene: &Scene| {
                let pid = scene.truth.number(&format!("/{name}/pid"));
                let finding = report.findings().iter().find(|it| it.pids().contains(&pid)).expect("a finding");
                assert_eq!((finding.code.as_str(), finding.certainty.as_str()), ("blocked-open", "inferred"));
                let wait = report.waits().iter().find(|wait| wait.pid == pid).expect("a wait");
                (pid, wait.path.clone().expect("a path"), finding)
            };
            let (pid, path, finding) = of(&gone);
            assert!(pids(&finding.advice).contains(&pid), "only a signal ends it: {finding:#?}");
            assert!(!finding.advice.contains(&format!("cat {path}")), "{finding:#?}");
            // Of one that is still there, another advice is right.
            let (_, its_path, its) = of(&there);
            assert!(its.advice.contains(&its_path), "{its:#?}");
            assert_ne!(finding.advice.replace(&path, ""), its.advice.replace(&its_path, ""));
        }
        let claims = ["read", "written"].map(|name| gone.truth.number(&format!("/{name}/pid")));
        assert_claims(&gone, &report, &claims.map(|pid| claim("blocked-open", [pid], [])));
    }
}
