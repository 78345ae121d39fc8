//! A file and a line of the registry make a code exist everywhere.

use clap::Parser as _;

use super::*;
use crate::baseline::Baseline;
use crate::cli::Cli;
use crate::render::{Format, SCHEMA, Style};
use crate::report::{Judgment, ReportView, Scope};

/// A FIFO of that path with a reader, process 1, and a writer, process 2.
fn dummy() -> (PipeGraph, Finding) {
    let pipe = Pipe { ends: vec![reads(1), writes(2)], path: Some("/dummy".into()), ..Pipe::unknown(FIFO) };
    let graph = with_pipe(machine([process(1, 7, 1), process(2, 7, 1)]), pipe);
    let findings = diagnose(&graph, &NO_THREADS).word(&graph, &NO_THREADS).findings;
    let [finding] = findings.try_into().unwrap();
    (graph, finding)
}

fn drawn(format: &Format, audited: Option<&AuditScope>) -> String {
    let (graph, finding) = dummy();
    let diagnosis = Diagnosis { waits: Vec::new(), findings: vec![finding] };
    let (users, scope) = (Users::default(), Scope::Everything);
    let judgment = Judgment {
        diagnosis: &diagnosis,
        groups: &NO_THREADS,
        scope: &scope,
        audit: audited,
        why: None,
        may_probe: false,
        from_file: false,
    };
    let view = ReportView { judgment: Some(judgment), ..ReportView::of_pipes(&graph, &users) };
    let mut bytes = Vec::new();
    view.render(format, &Style::default(), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn options_know_it() {
    for option in ["--only=dummy", "--ignore=dummy", "--explain=dummy"] {
        let cli = Cli::try_parse_from(["lspipe", "audit", option]);
        assert!(cli.is_ok(), "{option}: {:?}", cli.err());
    }
    let wrong = Cli::try_parse_from(["lspipe", "audit", "--only=x"]).unwrap_err().to_string();
    assert!(wrong.contains("dummy"), "{wrong}");
    let mut text = Vec::new();
    crate::render::explain(Some(Code::Dummy), &Style::default(), &mut text).unwrap();
    assert!(text.starts_with(b"dummy\n\nA FIFO has the path"));
}

/// Of the schema, the enum of the codes and the data come from the registry; the committed one leaves the dummy out.
#[test]
fn schema_comes_from_the_registry() {
    for code in Code::ALL {
        assert_eq!(SCHEMA.contains(&format!("\"{code}\"")), *code != Code::Dummy, "{code}");
    }
}

#[test]
fn outputs_have_it() {
    let (graph, finding) = dummy();
    assert!(
        drawn(&Format::Text, None).starts_with("notice: dummy: /dummy is a dummy\n\nNo errors or warnings, 1 notice.")
    );
    let scope = AuditScope {
        codes: Code::ALL.to_vec(),
        not_judged: Vec::new(),
        severity: Severity::Info,
        each: true,
        filtered: false,
        known: 0,
        confirmed_after: None,
        took: std::time::Duration::ZERO,
    };
    assert!(drawn(&Format::Text, Some(&scope)).starts_with("notice: dummy: /dummy is a dummy\n"));
    assert!(drawn(&Format::Metrics, Some(&scope)).contains("lspipe_findings{code=\"dummy\",severity=\"info\"} 1\n"));
    let json: serde_json::Value = serde_json::from_str(&drawn(&Format::Json, None)).unwrap();
    let details = &json["findings"][0]["details"];
    assert_eq!((&details["code"], &details["holders"][1]), (&"dummy".into(), &2.into()));
    let diagnosis = Diagnosis { waits: Vec::new(), findings: vec![finding] };
    let marks = diagnosis.dataflow(&graph, &NO_THREADS).marks;
    assert_eq!(marks[&Pid(2)].iter().map(|mark| mark.kind).collect::<Vec<_>>(), [MarkKind::BlockedWriter]);
}

#[test]
fn files_have_it() {
    let (graph, finding) = dummy();
    let json = serde_json::to_string(&finding).unwrap();
    assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    Baseline::new([&finding], &graph, &NO_THREADS).write(&path).unwrap();
    let known = Baseline::read(&path).unwrap();
    assert!(known.knows(&finding, &graph, &NO_THREADS));
}
