//! `lspipe why` on live processes that are blocked in known ways, and on some that only seem to be.

mod ages;
mod channels;
mod deadlocks;
mod deleted;
mod ends;
mod epolls;
mod leftover;
mod polled;
mod rights;
mod rings;
mod text;
mod uring;
mod wide;

use std::collections::BTreeSet;
use std::ffi::OsStr;

use crate::support::report::{Finding, Report, Wait};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// What `lspipe why` answers this user, after checking that its exit status goes with it.
#[track_caller]
fn why<I: IntoIterator<Item: AsRef<OsStr>>>(user: User, args: I) -> Report {
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let output = lspipe(["why".into(), "--json".into()].into_iter().chain(args)).user(user).run();
    let report = Report::parse(&output.stdout);
    assert_eq!(output.code(), Some(report.status()), "{:#?}", report.findings());
    report
}

/// Code, pids and pipes of a finding.
type Claim = (String, BTreeSet<u32>, BTreeSet<String>);

fn claim<'a>(code: &str, pids: impl IntoIterator<Item = u32>, pipes: impl IntoIterator<Item = &'a String>) -> Claim {
    (code.to_owned(), pids.into_iter().collect(), pipes.into_iter().cloned().collect())
}

/// The findings that have to do with the scene, but for ends that are just not there.
pub(super) fn findings_of<'a>(scene: &Scene, report: &'a Report) -> Vec<&'a Finding> {
    let (pids, pipes) = (scene.truth.pids(), scene.truth.ids());
    let is_ours = |finding: &&Finding| {
        !finding.pids().is_disjoint(&pids) || finding.pipes.iter().any(|pipe| pipes.contains(pipe))
    };
    let is_blocked = |finding: &&Finding| !["no-reader", "no-writer"].contains(&finding.code.as_str());
    report.findings().iter().filter(is_ours).filter(is_blocked).collect()
}

/// Asserts that the report claims this about the scene and nothing else, and returns the findings.
#[track_caller]
fn assert_claims<'a>(scene: &Scene, report: &'a Report, expected: &[Claim]) -> Vec<&'a Finding> {
    let mut expected = expected.to_vec();
    expected.sort();
    let findings = findings_of(scene, report);
    let mut found: Vec<Claim> =
        findings.iter().map(|finding| claim(&finding.code, finding.pids(), &finding.pipes)).collect();
    found.sort();
    assert_eq!(found, expected, "{findings:#?}\n{:#?}", waits_of(report, &scene.truth.pids()));
    findings
}

/// Asserts that a deadlock is reported as certain as it can be: proven, unless a process that could not be read, or is outside the PID
/// namespace, may have an end too. What cannot be an end is no doubt. What other tests have in flight meanwhile may be one.
#[track_caller]
fn assert_certain(report: &Report, finding: &Finding) {
    let hidden = ["scm-rights", "exiting", "io_uring"];
    let is_hidden = |what: &str| hidden.contains(&what);
    let mut doubts = finding.doubts.iter().map(|doubt| doubt.what.as_str());
    assert!(doubts.clone().all(|what| is_hidden(what) || ["unreadable", "outside"].contains(&what)), "{finding:#?}");
    assert_eq!(doubts.any(is_hidden), !report.hidden.is_empty(), "{finding:#?}");
    let is_outside = finding.doubts.iter().any(|doubt| doubt.what == "outside");
    assert_eq!(is_outside, report.scan.outside.is_some(), "{finding:#?}");
    assert!(finding.doubts.is_empty() || !report.hidden.is_empty() || !report.scan.complete, "{finding:#?}");
    // Of those all that is known is that they have descriptors.
    let opaque = report.unreadable.iter().filter(|gap| gap.what == "fd_table" && gap.fds.is_some_and(|fds| fds > 0));
    for gap in opaque {
        // Of many, some are named.
        let is_named = finding.doubts.iter().any(|doubt| doubt.pid == Some(gap.pid));
        assert!(is_named || finding.doubts_omitted > 0, "{gap:?} is no doubt in {finding:#?}");
    }
    let (certainty, severity) = if finding.doubts.is_empty() { ("proven", "error") } else { ("suspected", "warning") };
    assert_eq!((finding.certainty.as_str(), finding.severity.as_str()), (certainty, severity), "{finding:#?}");
}

/// A wait in a form that compares well: pid, operation, fd, pipe, the pids of the wakers, and what besides could end it.
type WaitFacts = (u32, String, Option<u32>, Option<String>, Vec<u32>, Option<String>);

/// The same of a wait that nothing but the wakers can end.
type Expected<'a> = (u32, &'a str, Option<u32>, Option<&'a String>, &'a [u32]);

/// What these processes wait for, in the order of the report. All of it must be known for sure.
#[track_caller]
fn waits_of(report: &Report, pids: &BTreeSet<u32>) -> Vec<WaitFacts> {
    let waits: Vec<&Wait> = report.waits().iter().filter(|wait| pids.contains(&wait.pid)).collect();
    assert!(waits.iter().all(|wait| wait.certainty == "seen"), "{waits:#?}");
    let facts = |wait: &&Wait| {
        let wakers = wait.wakers.iter().map(|waker| waker.pid).collect();
        (wait.pid, wait.operation.clone(), wait.fd, wait.pipe.clone(), wakers, wait.besides.clone())
    };
    waits.iter().map(facts).collect()
}

/// Asserts what the processes of the scene wait for: each thing, and nothing else. The order is the report's to keep.
#[track_caller]
fn assert_waits(scene: &Scene, report: &Report, expected: &[Expected<'_>]) {
    let mut expected: Vec<WaitFacts> = expected
        .iter()
        .map(|(pid, operation, fd, pipe, wakers)| {
            (*pid, (*operation).to_owned(), *fd, pipe.cloned(), wakers.to_vec(), None)
        })
        .collect();
    expected.sort();
    let mut found = waits_of(report, &scene.truth.pids());
    // The scene reads what the test says from a socket, which is not a part of it.
    let is_socket = |wait: &WaitFacts| wait.3.as_ref().is_some_and(|pipe| pipe.starts_with("unix:"));
    if !expected.iter().any(is_socket) {
        found.retain(|wait| !is_socket(wait));
    }
    found.sort();
    assert_eq!(found, expected);
}

/// The descriptor by which that process has that pipe on that side, which must be one.
#[track_caller]
fn fd_of(scene: &Scene, pid: u32, pipe: &str, access: &str) -> Option<u32> {
    let ends = scene.truth.ends_of(pipe);
    let mut fds = ends.iter().filter(|end| end.0 == pid && end.3 == access).map(|end| end.2);
    let fd = fds.next().unwrap_or_else(|| panic!("{pid} has no {access} end of {pipe}"));
    assert!(fds.next().is_none(), "several ends");
    Some(fd)
}
