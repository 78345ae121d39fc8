//! What is written of a finding is read back as it was, and obeys the rules of its texts.

use super::testing::{blocked, group, opening};
use super::*;
use crate::model::{Operation, TaskState};

/// Some of each command: of two processes at a pipe, one at a FIFO that is deleted, and one that opens another.
fn findings() -> Vec<Finding> {
    let ends = [end(2, 0, AccessMode::Read), end(3, 143, AccessMode::Write)];
    let mut scene = Scene::new(
        [
            group(2, 9, 9, "cat", blocked(Operation::Read, ID, ends[0])),
            group(3, 1, 3, "daemon", TaskState::Stopped),
            group(4, 9, 9, "odd\u{1b}", opening("/odd\u{1b}[2J", AccessMode::Read, None, true)),
            group(5, 9, 9, "sh", TaskState::Runs),
        ],
        &[(ID, &ends), (FIFO, &[writes(5)])],
    );
    scene.pipe(FIFO).deleted = true;
    scene.graph.processes.get_mut(&Pid(3)).unwrap().uid = Some(Uid(0));
    let mut findings = diagnose(&scene.graph, &scene.groups).word(&scene.graph, &scene.groups).findings;
    findings.extend(audited(&scene.graph, &scene.groups));
    findings
}

#[test]
fn a_finding_reads_back_as_it_was() {
    let findings = findings();
    let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    let expected = [Code::BlockedOpen, Code::LeakedWriteEnd, Code::NoReader, Code::CrossesUsers, Code::DeletedFifo];
    assert_eq!(codes, expected);
    for finding in findings {
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(json["details"]["code"], json["code"]);
        assert_eq!(serde_json::from_value::<Finding>(json.clone()).unwrap(), finding, "{json:#}");
        // One of an older version has no data.
        let mut old = json;
        old.as_object_mut().unwrap().remove("details");
        assert_eq!(serde_json::from_value::<Finding>(old).unwrap(), Finding { details: None, ..finding });
    }
}

#[test]
fn no_name_escapes_from_a_text() {
    for finding in findings() {
        let evidence = finding.evidence.iter().map(|line| &line.text);
        for text in evidence.chain([&finding.message, &finding.advice]) {
            assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        }
        assert!(finding.advice.ends_with('.') && !finding.message.ends_with('.'), "{finding:#?}");
    }
}
