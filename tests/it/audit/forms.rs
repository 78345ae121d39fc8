//! An audit as text, as JSON and as lines, its exit status, and what its options leave out.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{Machine, ONLY};
use crate::support::promises::CODES;
use crate::support::report::{AuditLine, Counts, Report};
use crate::support::run::lspipe;
use crate::support::text::{assert_facts, blocks, numbers, pids, pipes};

const CODES_OF_ONLY: [&str; 4] = ["self-deadlock", "leaked-write-end", "stalled-reader", "no-reader"];

#[test]
fn as_text() {
    let machine = Machine::start(1);
    let output = machine.audit_all(&["--ignore=inherited-end,crosses-users,no-writer", "--severity=warning"]).expect(1);
    let (found, beside) = blocks(output.text());
    let heads: Vec<_> = found.iter().map(|it| (it.severity, it.code, pids(it.message), pipes(it.message))).collect();
    let pipe = |number: u32| BTreeSet::from([format!("pipe:[{number}]")]);
    assert_eq!(
        heads,
        [
            ("error", "self-deadlock", [1001].into(), [].into()),
            ("warning", "leaked-write-end", [1010, 1011].into(), pipe(7002)),
            ("warning", "stalled-reader", [1020, 1021].into(), pipe(7003)),
        ]
    );
    assert_eq!(numbers(&beside), [3, 1, 2], "so many findings, errors and warnings: {beside:?}");
    let why = lspipe(["why", "--proc", machine.tree.root().to_str().expect("UTF-8")]).run().expect(1);
    let each = |text: &str| text.rsplit_once("\n\n").expect("more follows").0.to_owned();
    assert!(why.text().starts_with(&each(output.text())), "each is told as `why` does: {}", why.text());

    // What is only worth knowing is counted, unless it was asked for.
    let output = machine
        .audit_all(&["--ignore=self-deadlock,leaked-write-end,stalled-reader,inherited-end,crosses-users"])
        .expect(0);
    let (found, beside) = blocks(output.text());
    assert!(found.is_empty(), "{}", output.text());
    assert_facts(&beside.join("\n"), &["2", "no-reader", "--severity info", "--explain"]);
    assert!(numbers(&beside).iter().all(|number| *number == 2), "{beside:?}");
    for args in [
        ["--only=no-reader", "-q"],
        ["--severity=info", "--ignore=self-deadlock,leaked-write-end,stalled-reader,inherited-end,crosses-users"],
    ] {
        let output = machine.audit_all(&args).expect(0);
        let (found, beside) = blocks(output.text());
        let heads: Vec<_> = found.iter().map(|it| (it.severity, it.code, pipes(it.message))).collect();
        assert_eq!(heads, [7004, 7005].map(|number| ("info", "no-reader", pipe(number))), "{}", output.text());
        assert!(numbers(&beside).iter().all(|number| *number == 2), "{beside:?}");
        assert!(!numbers(&beside).is_empty() && !beside.join("\n").contains("--severity"), "{beside:?}");
    }

    // That nothing is wrong is said, and otherwise where not all could be seen.
    let whole = machine.audit_all(&["--only=deadlock"]).expect(0);
    fs::remove_dir_all(machine.process(30).join("fd")).expect("remove a table");
    let half = machine.audit_all(&["-q", "--only=deadlock"]).expect(0);
    for output in [&whole, &half] {
        let (found, beside) = blocks(output.text());
        assert_eq!((found.len(), beside.len()), (0, 1), "{}", output.text());
    }
    assert_ne!(whole.text(), half.text());
}

/// Findings that say the same of the same commands are one in the text, with a number; JSON has each, and the text where it is asked for.
#[test]
fn what_is_alike_is_counted() {
    let machine = Machine::start(1);
    for (number, pid) in (40..64).step_by(4).enumerate() {
        let inode = format!("pipe:[{}]", 8000 + number);
        machine.job(pid, "yes").fd(1000 + pid, 1, &inode, "01");
        machine.writes(pid, 1);
        machine.job(pid + 1, "less").fd(1000 + pid + 1, 0, &inode, "00");
        machine.stops(pid + 1);
    }
    // Another command, by itself.
    machine.job(70, "yes").fd(1070, 1, "pipe:[8100]", "01");
    machine.writes(70, 1);
    machine.job(71, "more").fd(1071, 0, "pipe:[8100]", "00");
    machine.stops(71);
    let ignore = "--ignore=inherited-end,crosses-users,no-writer,self-deadlock,leaked-write-end";
    let output = machine.audit_all(&[ignore, "--severity=warning"]).expect(1);
    let (found, beside) = blocks(output.text());
    let heads: Vec<_> = found.iter().map(|it| (it.code, pids(it.message))).collect();
    assert_eq!(heads, [("stalled-reader", [1020, 1021].into()), ("stalled-reader", [1070, 1071].into())]);
    let counted =
        "  and 6 more stalled-reader like it on pipe:[8000], pipe:[8001], pipe:[8002] and 3 more; --full prints each";
    let lines: Vec<&str> = output.text().lines().filter(|line| line.contains(" like it")).collect();
    assert_eq!(lines, [counted]);
    assert_eq!(numbers(&beside)[0], 8, "the number is that of all: {beside:?}");

    for args in [&["--full", "--severity=warning"][..], &["--severity=info"]] {
        let output = machine.audit_all(&[&[ignore], args].concat()).expect(1);
        let stalled = blocks(output.text()).0.iter().filter(|it| it.code == "stalled-reader").count();
        assert_eq!((stalled, output.text().contains(" like it")), (8, false), "{args:?}");
    }
    let report = Report::parse(&machine.audit_all(&[ignore, "--severity=warning", "--json"]).expect(1).stdout);
    assert_eq!(report.findings().len(), 8);
}

#[test]
fn as_json() {
    let machine = Machine::start(1);
    let report = Report::parse(&machine.audit(&["--json"]).expect(1).stdout);
    let audit = report.audit.as_ref().expect("an audit");
    assert_eq!((&audit.severity[..], audit.known, audit.confirmed_after), ("info", 0, None));
    assert_eq!((&audit.codes[..], audit.not_judged.len()), (&CODES_OF_ONLY.map(str::to_owned)[..], 0));
    let codes: Vec<&str> = report.findings().iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["self-deadlock", "leaked-write-end", "stalled-reader", "no-reader", "no-reader"]);
    // The rest is what `why` reports.
    let why = lspipe(["why", "--json", "--proc", machine.tree.root().to_str().expect("UTF-8")]).run().expect(1);
    let why = Report::parse(&why.stdout);
    assert!(why.audit.is_none());
    assert_eq!((report.waits(), &report.scan, &report.host), (why.waits(), &why.scan, &why.host));
    let shared: Vec<_> =
        why.findings().iter().filter(|finding| CODES_OF_ONLY.contains(&finding.code.as_str())).collect();
    assert_eq!(report.findings().iter().collect::<Vec<_>>(), shared);

    let all = Report::parse(&machine.audit_all(&["--json"]).expect(1).stdout);
    assert_eq!(all.audit.expect("an audit").codes, CODES);
}

#[test]
fn as_lines() {
    let machine = Machine::start(1);
    let whole = Report::parse(&machine.audit(&["--json"]).expect(1).stdout);
    let read = |text: &str| -> Vec<AuditLine> {
        assert!(text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
    };
    let mut lines = read(machine.audit(&["--ndjson"]).expect(1).text());
    assert!(
        lines.iter().all(|line| line.schema_version == 1 && (&line.host, &line.scan) == (&whole.host, &whole.scan))
    );
    assert!(lines.windows(2).all(|pair| pair[0].taken_at == pair[1].taken_at));
    let last = lines.pop().expect("a last line");
    assert!(last.finding.is_none());
    let summary = last.summary.expect("the whole");
    assert_eq!((summary.pipes, summary.ends), (5, 8));
    assert_eq!(summary.findings, Counts { error: 1, warning: 2, info: 2 });
    let audit = whole.audit.as_ref().expect("an audit");
    assert_eq!(
        (&summary.codes, &summary.not_judged, &summary.severity, summary.known, summary.confirmed_after),
        (&audit.codes, &audit.not_judged, &audit.severity, audit.known, audit.confirmed_after)
    );
    let findings: Vec<_> = lines.into_iter().map(|line| line.finding.expect("a finding")).collect();
    assert_eq!(findings, whole.findings());

    // Of a host on which nothing is wrong, a fleet sees that it was audited.
    let lines = read(machine.audit_all(&["--ndjson", "--only=deadlock"]).expect(0).text());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line.summary.as_ref().expect("the whole").findings, Counts::default());
}

/// Anything but one of these and nothing else would be a line that no program can merge.
#[test]
fn lines_keep_the_schema() {
    let machine = Machine::start(1);
    let schema: Value = serde_json::from_slice(&lspipe(["--generate", "schema"]).run().expect(0).stdout).expect("JSON");
    let line =
        serde_json::json!({ "$schema": schema["$schema"], "$ref": "#/$defs/AuditLine", "$defs": schema["$defs"] });
    let report = jsonschema::validator_for(&schema).expect("a schema");
    let line = jsonschema::validator_for(&line).expect("a schema");
    let parse = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    assert!(report.is_valid(&parse(machine.audit_all(&["--json"]).expect(1).text())));
    let output = machine.audit_all(&["--ndjson"]).expect(1);
    for text in output.text().lines() {
        let good = parse(text);
        assert!(line.is_valid(&good), "{text}");
        let fields: Vec<&String> = good.as_object().expect("an object").keys().collect();
        for field in fields {
            let mut bad = good.clone();
            bad.as_object_mut().expect("an object").remove(field);
            assert!(!line.is_valid(&bad), "{field} may be missing");
            let mut bad = good.clone();
            bad[field] = serde_json::json!(0.5);
            assert!(!line.is_valid(&bad), "{field} may be anything");
        }
    }
}

#[test]
fn what_is_asked_for_narrows() {
    let machine = Machine::start(1);
    let codes = |args: &[&str]| -> Vec<String> {
        let report = Report::parse(&machine.audit(&[args, &["--json"]].concat()).stdout);
        report.findings().iter().map(|finding| finding.code.clone()).collect()
    };
    let all = ["self-deadlock", "leaked-write-end", "stalled-reader", "no-reader", "no-reader"];
    assert_eq!(codes(&[]), all);
    assert_eq!(codes(&["--severity", "info"]), all);
    assert_eq!(codes(&["--severity", "warning"]), all[..3]);
    assert_eq!(codes(&["--severity", "error"]), all[..1]);
    assert_eq!(codes(&["--ignore", "no-reader,leaked-write-end"]), ["self-deadlock", "stalled-reader"]);
    assert_eq!(codes(&["--ignore", "no-reader", "--ignore", "stalled-reader"]), all[..2]);
    // Each --only adds to what is asked for.
    let both = machine.audit_all(&["--json", "--only=no-reader", "--only", "self-deadlock"]);
    let both = Report::parse(&both.expect(1).stdout);
    assert_eq!(both.audit.expect("an audit").codes, ["self-deadlock", "no-reader"]);
}

#[test]
fn the_exit_status_is_of_what_is_reported() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    for (args, status) in [
        (&[ONLY][..], 1),
        (&["--only=no-reader"], 0),
        (&["--only=leaked-write-end"], 1),
        (&["--only=deadlock"], 0),
        (&[ONLY, "--ignore=self-deadlock,leaked-write-end,stalled-reader"], 0),
        (&["--only=leaked-write-end", "--severity=error"], 0),
        (&[ONLY, "--require-complete"], 1),
        (&[ONLY, "--write-baseline", &file], 0),
        (&[ONLY, "--baseline", &file], 0),
        (&[ONLY, "--baseline", &file, "--require-complete"], 0),
    ] {
        for form in [&[][..], &["--json"], &["--ndjson"], &["--metrics"]] {
            machine.audit_all(&[args, form].concat()).expect(status);
        }
    }
    fs::remove_dir_all(machine.process(30).join("fd")).expect("remove a table");
    machine.audit(&["-q"]).expect(1);
    machine.audit(&["-q", "--require-complete"]).expect(2);
    machine.audit(&["-q", "--require-complete", "--baseline", &file]).expect(2);
}

#[test]
fn explain_tells_of_every_code() {
    for code in CODES {
        let output = lspipe(["audit", "--explain", code]).run().expect(0);
        let text = output.text();
        assert!(text.contains(code) && text.lines().count() >= 3, "{code}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{code}: {text}");
    }
}
