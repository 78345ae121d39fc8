//! The rules of `lspipe audit` on live processes that do what each is about, and what only looks like it.

mod ends;
mod fifos;
mod pages;
mod sides;

use std::collections::BTreeSet;

use crate::support::report::{Finding, Report};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// What `lspipe audit` answers this user about findings of one code, after checking that its exit status goes with it.
#[track_caller]
fn audit(user: User, code: &str, more: &[&str]) -> Report {
    let args = ["audit", "--json", "--only", code].into_iter().chain(more.iter().copied());
    let output = lspipe(args).user(user).run();
    let report = Report::parse(&output.stdout);
    assert_eq!(output.code(), Some(report.status()), "{:#?}", report.findings());
    assert!(report.findings().iter().all(|finding| finding.code == code), "{:#?}", report.findings());
    report
}

/// Severity, certainty, pids and pipes of a finding.
type Claim = (String, String, BTreeSet<u32>, BTreeSet<String>);

fn claim<'a>(words: &str, pids: impl IntoIterator<Item = u32>, pipes: impl IntoIterator<Item = &'a String>) -> Claim {
    let (severity, certainty) = words.split_once(' ').expect("two words");
    (severity.to_owned(), certainty.to_owned(), pids.into_iter().collect(), pipes.into_iter().cloned().collect())
}

/// Asserts that the report claims this about the processes and pipes of the scene and nothing else, and returns the findings in
/// the order of the report.
#[track_caller]
fn assert_claims<'a>(scene: &Scene, report: &'a Report, expected: &[Claim]) -> Vec<&'a Finding> {
    let (pids, pipes) = (scene.truth.pids(), scene.truth.ids());
    let is_ours = |finding: &&Finding| {
        !finding.pids().is_disjoint(&pids) || finding.pipes.iter().any(|pipe| pipes.contains(pipe))
    };
    let findings: Vec<&Finding> = report.findings().iter().filter(is_ours).collect();
    let facts = |finding: &&Finding| {
        claim(&format!("{} {}", finding.severity, finding.certainty), finding.pids(), &finding.pipes)
    };
    let mut found: Vec<Claim> = findings.iter().map(facts).collect();
    let mut expected = expected.to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{findings:#?}");
    findings
}

/// The only finding about a pipe of the scene.
#[track_caller]
fn about<'a>(scene: &Scene, findings: &[&'a Finding], name: &str) -> &'a Finding {
    let id = scene.truth.id(name);
    let mut found = findings.iter().filter(|finding| finding.pipes.contains(&id));
    match (found.next(), found.next()) {
        (Some(finding), None) => finding,
        _ => panic!("not one finding about {name}: {findings:#?}"),
    }
}
