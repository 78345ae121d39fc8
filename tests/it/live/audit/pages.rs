//! Users whose pipes take more pages than the kernel likes.

use super::audit;
use crate::support::need::{Need, need};
use crate::support::report::{Finding, Report};
use crate::support::scene::Scene;
use crate::support::text::{assert_facts, has_fact};
use crate::support::turn;
use crate::support::user::{User, somebody};

/// The only finding about the user, if there is one.
#[track_caller]
fn of_user<'a>(report: &'a Report, user: &str) -> Option<&'a Finding> {
    let mut found = report.findings().iter().filter(|finding| has_fact(&finding.message, user));
    let first = found.next();
    assert!(found.next().is_none(), "{:#?}", report.findings());
    first
}

#[test]
fn user_over_the_soft_limit() {
    need!(Need::Root, Need::PYTHON, Need::UsualPipeLimits);
    let _alone = turn::alone();
    let (soft, hard) = (16384, 0);
    // Nobody else's pipes are to count.
    let user = somebody(1).to_string();
    for (more, near) in [(6, "over"), (-6, "near"), (-300, "far")] {
        let scene = Scene::start_with("audit_pages", User::Me, &[&user, &more.to_string()]);
        let pipes = u64::from(scene.truth.number("/pipes"));
        let makers = scene.truth.numbers("makers");
        for probe in [&["-l"][..], &["-l", "--probe"]] {
            let report = audit(User::Me, "pipe-pages", probe);
            let limits = report.limits.as_ref().expect("limits");
            assert_eq!((limits.pipe_user_pages_soft, limits.pipe_user_pages_hard), (Some(soft), Some(hard)));
            let Some(finding) = of_user(&report, &user) else {
                assert_eq!(near, "far", "{:#?}", report.findings());
                continue;
            };
            // All have so many of the usual size, and what is beyond is of two pages.
            let pages = pipes.min(soft / 16) * 16 + pipes.saturating_sub(soft / 16) * 2;
            let certainty = if probe.len() == 1 { "inferred" } else { "proven" };
            let severity = match near {
                "over" => "warning",
                "near" => "info",
                _ => panic!("{finding:#?}"),
            };
            assert_eq!((finding.severity.as_str(), finding.certainty.as_str()), (severity, certainty), "{finding:#?}");
            let numbers = [pages, pipes, soft].map(|number| number.to_string());
            assert_facts(&finding.message, &[&user, &numbers[0], &numbers[1], &numbers[2], "pipe-user-pages-soft"]);
            assert!(finding.pids().iter().all(|pid| makers.contains(pid)), "{finding:#?}, made by {makers:?}");
        }
    }
}

/// The kernel's own count includes pipes of another size, of which /proc shows nothing.
#[test]
fn pages_that_the_kernel_counts() {
    need!(Need::Root, Need::PYTHON, Need::UsualPipeLimits, Need::Bpf);
    let _alone = turn::alone();
    let user = somebody(2).to_string();
    let scene = Scene::start_with("audit_pages", User::Me, &[&user, "-40"]);
    let pipes = u64::from(scene.truth.number("/pipes"));
    let report = audit(User::Me, "pipe-pages", &["-l", "--backend", "bpf"]);
    let finding = of_user(&report, &user).expect("it is near the limit");
    assert_eq!((finding.severity.as_str(), finding.certainty.as_str()), ("info", "proven"), "{finding:#?}");
    let numbers = [pipes * 16, pipes, 16384].map(|number| number.to_string());
    assert_facts(&finding.message, &[&user, &numbers[0], &numbers[1], &numbers[2], "pipe-user-pages-soft"]);
    let large = Scene::start_with("large_pipe", User::Me, &[&user, "256"]);
    let report = audit(User::Me, "pipe-pages", &["-l", "--backend", "bpf"]);
    drop(large);
    let finding = of_user(&report, &user).expect("it is nearer to the limit");
    assert_eq!((finding.severity.as_str(), finding.certainty.as_str()), ("info", "proven"), "{finding:#?}");
    let numbers = [pipes * 16 + 256, pipes + 1].map(|number| number.to_string());
    assert_facts(&finding.message, &[&user, &numbers[0], &numbers[1]]);
}
