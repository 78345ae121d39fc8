//! Reading survives anything: files that are cut, changed by a byte, or by somebody with other ideas.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::findings::{self, Phrases};
use crate::judge::dataflow::MarkKind;
use crate::render::columns::Column;
use crate::render::{DrawingFormat, Format, Style, TableFormat};
use crate::report::{Judgment, ReportView, Scope};

/// A report of everything that may be told: by `why`, `fds` and `--probe`, of FIFOs and hidden ends.
pub(crate) const WHOLE: &str = r#"{"schema_version":1,"host":{"hostname":"web1","kernel":"6.18.44","boot_id":"0-1"},"taken_at":"2026-11-22T16:38:00.123Z",
"scan":{"proc":"/proc","complete":false,"processes":9,"unreadable":1,"vanished":0},
"unreadable":[{"pid":7,"command":"\ufffd","command_bytes":"/w==","uid":0,"what":"fd","error":"ETIMEDOUT","fd":3,"fds":1,"mount":"/mnt","may_hold":{"read":true,"write":false,"anonymous":true}}],
"processes":[{"pid":5,"ppid":1,"pgid":5,"sid":5,"uid":0,"user":"root","command":"cat","cmdline":["cat","\ufffd"],"cmdline_bytes":["Y2F0","/w=="],"state":"S","started_at":"2026-11-22T16:30:00.000Z","ns_pid":null,"container":null,"unit":"a.service"},
{"pid":6,"ppid":5,"pgid":5,"sid":5,"uid":7,"user":null,"command":"sh","cmdline":[],"state":null,"started_at":null,"ns_pid":2,"container":"abc","unit":null}],
"pipes":[{"id":"pipe:[12]","kind":"anonymous","inode":12,"device":"0:15","path":null,"deleted":false,
"readers":[{"pid":5,"tid":null,"fd":0,"access":"r","flags":["O_CLOEXEC"],"command":"cat","uid":0,"user":"root"}],"writers":[],"openers":[],"queued":1,"capacity":65536,"full":false,"hidden_readers":null,"hidden_writers":true,
"hidden_by":[{"how":"scm-rights","pid":6,"fd":4,"command":"sh"}]},
{"id":"fifo:[0:26:9]","kind":"fifo","inode":9,"device":"0:26","path":"/run/f","deleted":true,
"readers":[{"pid":6,"tid":8,"fd":3,"access":"rw","flags":null,"command":"sh","uid":7,"user":null}],
"writers":[{"pid":6,"tid":8,"fd":3,"access":"rw","flags":null,"command":"sh","uid":7,"user":null}],
"openers":[{"pid":6,"tid":9,"access":"r","command":"sh"}],"queued":null,"capacity":null,"hidden_readers":null,"hidden_writers":null}],
"descriptors":[{"pid":5,"tid":null,"fd":0,"access":"r","type":"FIFO","flags":["O_CLOEXEC"],"target":"pipe:[12]","pipe":"pipe:[12]"},{"pid":5,"tid":null,"fd":1,"access":null,"type":null,"flags":null,"target":null,"pipe":null}],
"threads":[{"pid":5,"ppid":1,"pgid":5,"sid":5,"command":"cat","tracer":6,"tasks":[{"tid":5,"doing":"waits","causes":[{"operation":"read","access":"r","fd":0,"pipe":"pipe:[12]"}],"besides":"timeout","idle_seconds":1.5},
{"tid":50,"doing":"sleeps","sleep":{"on":"file-in-pipe","pipe":"pipe:[12]","fd":3,"target":"/x","place":"fuse"},"idle_seconds":null},{"tid":51,"doing":"waits","causes":[{"operation":"wait","child":6}],"idle_seconds":null}]}],
"waits":[{"pid":5,"tid":5,"command":"cat","operation":"read","access":"r","fd":0,"pipe":"pipe:[12]","path":null,"wakers":[],"besides":"timeout","certainty":"seen","idle_seconds":1.5}],
"findings":[{"code":"hidden-end","severity":"warning","certainty":"proven","message":"m","evidence":[{"role":"waits","text":"t"}],"advice":"a","processes":[{"pid":5,"tid":5,"command":"cat"}],"pipes":["pipe:[12]"],
"doubts":[{"what":"scm-rights","pid":6,"fd":4,"command":"sh","pipe":null},{"what":"name","pid":null,"fd":null,"command":null,"pipe":"fifo:[0:26:9]"},{"what":"handler","pid":5,"fd":null,"command":"cat","pipe":null}]}]}
"#;

fn refusal(bytes: &[u8]) -> Option<String> {
    let error = parse(bytes).err()?.to_string();
    assert!(!error.chars().any(char::is_control), "{error:?} is one line, and obeys nobody");
    assert!(error.chars().count() < 400, "{error:?} is too long to be read");
    Some(error)
}

/// The reason why the report is refused with another value in that place.
#[track_caller]
fn with(pointer: &str, value: &Value) -> Option<String> {
    let mut report: Value = serde_json::from_str(WHOLE).unwrap();
    *report.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
    refusal(report.to_string().as_bytes())
}

#[test]
fn the_whole_is_read() {
    let saved = parse(WHOLE.as_bytes()).unwrap();
    assert_eq!((saved.graph.pipes.len(), saved.graph.processes.len(), saved.groups.len()), (2, 2, 1));
    assert_eq!(saved.diagnosis.as_ref().map(|it| (it.waits.len(), it.findings.len())), Some((1, 1)));
    assert!(saved.has_all_of_why() && saved.audit.is_none());
    answer_all(&saved);
    assert_eq!(saved.users.of_name("root"), Some(crate::model::Uid(0)));
    // Whoever is told of in any place is a process that was there.
    let known: Vec<u32> = saved.graph.parents.keys().map(|pid| pid.0).collect();
    assert_eq!(known, [5, 6, 7]);
}

#[test]
fn a_suspected_finding_of_an_older_report_says_why_it_is_not_proven() {
    let caveat = |change: &dyn Fn(&mut Value)| {
        let mut report: Value = serde_json::from_str(WHOLE).unwrap();
        change(&mut report["findings"][0]);
        let mut diagnosis = parse(report.to_string().as_bytes()).unwrap().diagnosis.unwrap();
        diagnosis.findings.remove(0).caveat
    };
    let suspected = caveat(&|finding| finding["certainty"] = json!("suspected")).unwrap();
    assert!(suspected.starts_with("Not proven: ") && suspected.contains("sh (PID 6)"), "{suspected}");
    assert_eq!(caveat(&|_| ()), None, "of a proven one there is nothing to say");
    let as_written = caveat(&|finding| {
        finding["certainty"] = json!("suspected");
        finding["caveat"] = json!("c");
    });
    assert_eq!(as_written.as_deref(), Some("c"));
}

#[test]
fn a_drawing_of_an_older_report_has_its_marks() {
    let mut report: Value = serde_json::from_str(WHOLE).unwrap();
    let finding = &mut report["findings"][0];
    finding["code"] = json!("leaked-write-end");
    finding["processes"] = json!([{"pid": 5, "tid": 5}, {"pid": 6, "tid": 6}]);
    let marks = |report: &Value| {
        let saved = parse(report.to_string().as_bytes()).unwrap();
        let dataflow = saved.diagnosis.unwrap().dataflow(&saved.graph, &saved.groups);
        dataflow.marks.iter().map(|(pid, marks)| (pid.0, marks[0].kind)).collect::<Vec<_>>()
    };
    assert_eq!(marks(&report), [(5, MarkKind::NoEndOfFile), (6, MarkKind::LeakedWriteEnd)]);
    report["findings"][0]["code"] = json!("blocked-open");
    assert_eq!(marks(&report), [(5, MarkKind::BlockedOpen), (6, MarkKind::BlockedOpen)]);
}

#[test]
fn details_are_those_of_the_code() {
    let with_details = |code: &str| {
        let mut report: Value = serde_json::from_str(WHOLE).unwrap();
        report["findings"][0]["code"] = json!(code);
        report["findings"][0]["details"] = json!({"code": "no-writer", "pipe": "pipe:[12]"});
        refusal(report.to_string().as_bytes())
    };
    assert_eq!(with_details("no-writer"), None);
    assert!(with_details("no-reader").unwrap().contains("a finding `no-reader` has the details of `no-writer`"));
}

#[test]
fn cut_anywhere_it_is_refused_as_such() {
    let whole = WHOLE.trim_end();
    for length in 0..whole.len() {
        let reason = refusal(&whole.as_bytes()[..length]).unwrap_or_else(|| panic!("{length} bytes are no report"));
        let expected = if length == 0 { "the file is empty" } else { "the report is truncated: it ends at line " };
        assert!(reason.starts_with(expected), "{length} bytes: {reason}");
    }
    assert_eq!(refusal(whole.as_bytes()), None);
}

#[test]
fn values_without_sense_are_refused() {
    let cases = [
        ("/taken_at", json!("noon"), r#"noon"#),
        (
            "/scan/complete",
            json!(true),
            r#"scan.complete and scan.unreadable contradict the list of what is unreadable"#,
        ),
        (
            "/scan/unreadable",
            json!(2),
            r#"scan.complete and scan.unreadable contradict the list of what is unreadable"#,
        ),
        ("/unreadable/0/what", json!("fds"), r#"fds"#),
        ("/unreadable/0/command_bytes", json!("%"), r#"%"#),
        ("/unreadable/0/fd", json!(null), "invalid type: null"),
        ("/processes/1/pid", json!(5), r#"process 5 is listed twice"#),
        ("/processes/1/pid", json!(8), r#"process 6 is at fifo:[0:26:9], and is not listed"#),
        ("/processes/0/started_at", json!("0"), r#"0"#),
        ("/pipes/0/id", json!("pipe:[012]"), r#"pipe:[012]"#),
        ("/pipes/0/id", json!("pipe:[13]"), r#"pipe:[13] has another kind, device or inode than its id says"#),
        ("/pipes/0/kind", json!("fifo"), r#"pipe:[12] has another kind, device or inode than its id says"#),
        ("/pipes/1/device", json!("0:27"), r#"fifo:[0:26:9] has another kind, device or inode than its id says"#),
        ("/pipes/1/inode", json!(10), r#"fifo:[0:26:9] has another kind, device or inode than its id says"#),
        ("/pipes/0/device", json!("pipefs"), r#"pipefs"#),
        ("/pipes/0/readers/0/access", json!("w"), r#"pipe:[12] has a reader with access "w""#),
        ("/pipes/0/readers/0/access", json!("rw"), r#"pipe:[12] has an end with access "rw" on one side only"#),
        ("/pipes/0/readers/0/access", json!("x"), r#"x"#),
        ("/pipes/0/readers/0/flags", json!(["O_X"]), r#"O_X"#),
        ("/pipes/1/writers", json!([]), r#"fifo:[0:26:9] has an end with access "rw" on one side only"#),
        (
            "/pipes/1/writers/0/fd",
            json!(4),
            r#"descriptor 4 of process 6 is listed differently, or too often, at fifo:[0:26:9]"#,
        ),
        (
            "/pipes/1/writers/0/access",
            json!("w"),
            r#"descriptor 3 of process 6 is listed differently, or too often, at fifo:[0:26:9]"#,
        ),
        ("/pipes/0/hidden_by/0/how", json!("magic"), r#"magic"#),
        ("/descriptors/0/type", json!("DOOR"), r#"DOOR"#),
        ("/threads/0/tasks/0/doing", json!("dreams"), r#"dreams"#),
        ("/threads/0/tasks/1/sleep", json!(null), "invalid type: null"),
        ("/threads/0/tasks/0/idle_seconds", json!(-1.0), r#"-1.0"#),
        ("/threads/0/tasks/0/idle_seconds", json!(1e300), r#"1e+300"#),
        ("/threads/0/tasks/0/causes/0/operation", json!("seek"), r#"seek"#),
        ("/waits/0/certainty", json!("sure"), r#"sure"#),
        ("/findings/0/code", json!("sloth"), r#"sloth"#),
        ("/findings/0/severity", json!("fatal"), r#"fatal"#),
        ("/findings/0/evidence/0/role", json!("villain"), r#"villain"#),
        ("/findings/0/doubts/0/what", json!("fate"), r#"fate"#),
        ("/taken_at", json!("\u{1b}[31m\n\u{202e}"), r"\u{1b}[31m\n\u{202e}"),
        ("/waits/0/certainty", json!("\u{1b}[31m\u{202e}"), "unknown variant `\\x1b[31m"),
    ];
    for (pointer, value, expected) in cases {
        let reason = with(pointer, &value).unwrap_or_else(|| panic!("{pointer} may be {value}"));
        assert!(reason.contains(expected), "{pointer} = {value}: {reason}");
    }
    let long = with("/taken_at", &json!("x".repeat(100_000))).unwrap();
    assert!(long.contains('…') && long.contains(" at line 1 column "), "{long}");
    let long = with("/pipes/0/inode", &json!("x".repeat(100_000))).unwrap();
    assert!(long.contains('…') && long.contains(" at line 1 column "), "{long}");
}

#[test]
fn numbers_beyond_their_range_are_refused() {
    for (pointer, number) in [
        ("/processes/0/pid", json!(-1)),
        ("/processes/0/pid", json!(4_294_967_296_u64)),
        ("/pipes/0/readers/0/fd", json!(0.5)),
        ("/pipes/0/inode", json!(1e30)),
        ("/scan/processes", json!(-5)),
    ] {
        let reason = with(pointer, &number).unwrap_or_else(|| panic!("{pointer} may be {number}"));
        // Of an object that is flattened, serde names no field.
        let place = &pointer[1..pointer.find("/0").map_or(pointer.len(), |at| at)];
        assert!(reason.starts_with(&format!("not a complete lspipe report: {}", place.replace('/', "."))), "{reason}");
        assert!(reason.contains(": invalid "), "{reason}");
    }
}

/// A field that is missing, or of another type, in every object of it.
#[test]
fn what_must_be_there_is_missed() {
    for pointer in [
        "/host",
        "/taken_at",
        "/scan",
        "/unreadable",
        "/processes",
        "/pipes",
        "/scan/complete",
        "/pipes/0/id",
        "/pipes/0/readers/0/fd",
    ] {
        let mut report: Value = serde_json::from_str(WHOLE).unwrap();
        let (object, field) = pointer.rsplit_once('/').unwrap();
        report.pointer_mut(object).and_then(Value::as_object_mut).unwrap().remove(field).unwrap();
        let reason = refusal(report.to_string().as_bytes()).unwrap();
        let place = object.trim_start_matches('/').replace("/0", "[0]").replace('/', ".");
        let separator = if place.is_empty() { "" } else { ": " };
        let expected = format!("not a complete lspipe report: {place}{separator}missing field `{field}` at line 1 ");
        assert!(reason.starts_with(&expected), "{reason}");
    }
}

/// Adding a field keeps the version.
#[test]
fn fields_of_a_later_lspipe_are_passed_over() {
    let mut report: Value = serde_json::from_str(WHOLE).unwrap();
    for place in [
        "",
        "/host",
        "/scan",
        "/unreadable/0",
        "/processes/0",
        "/pipes/0",
        "/pipes/0/readers/0",
        "/threads/0",
        "/waits/0",
        "/findings/0",
    ] {
        report
            .pointer_mut(place)
            .and_then(Value::as_object_mut)
            .unwrap()
            .insert("news".to_owned(), json!({"a": [1, null]}));
    }
    assert_eq!(refusal(report.to_string().as_bytes()), None);
}

#[test]
fn paths_lead_to_the_pipes_of_the_report() {
    let saved = parse(WHOLE.as_bytes()).unwrap();
    let at = |path: &str| -> Vec<String> { saved.pipes_at(Path::new(path)).iter().map(ToString::to_string).collect() };
    assert_eq!(at("/run/f"), ["fifo:[0:26:9]"]);
    assert_eq!(at("/run/./f"), ["fifo:[0:26:9]"]);
    assert_eq!(at("/proc/5/fd/0"), ["pipe:[12]"]);
    // The table of a thread is not that of its process.
    assert_eq!(at("/proc/6/task/8/fd/3"), ["fifo:[0:26:9]"]);
    assert_eq!(at("/proc/8/fd/3"), ["fifo:[0:26:9]"]);
    for nothing in [
        "/run",
        "/proc/6/fd/3",
        "/proc/5/fd/1",
        "/proc/5/fd/x",
        "/proc/5/fd",
        "/proc/5/fd/0/",
        "/proc/5/fd/0/x",
        "pipe:[12]",
    ] {
        let expected: &[&str] = if nothing == "/proc/5/fd/0/" { &["pipe:[12]"] } else { &[] };
        assert_eq!(at(nothing), expected, "{nothing}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn changed_bytes_never_panic(changes in proptest::collection::vec((0..WHOLE.len(), any::<u8>()), 1..4)) {
        let mut bytes = WHOLE.as_bytes().to_vec();
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        refusal(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(refusal(&bytes).is_some());
    }

    /// Another number, word, list or nothing in the place of any value.
    #[test]
    fn changed_values_never_panic(place in any::<prop::sample::Index>(), value in prop_oneof![
        Just(json!(null)), Just(json!(-1)), Just(json!(u64::MAX)), Just(json!("")), Just(json!([])), Just(json!({})),
        Just(json!(true)), Just(json!(0.5)), any::<u32>().prop_map(Value::from), any::<String>().prop_map(Value::from),
    ]) {
        let mut report: Value = serde_json::from_str(WHOLE).unwrap();
        let mut places = Vec::new();
        pointers(&report, String::new(), &mut places);
        let place = place.get(&places);
        *report.pointer_mut(place).unwrap() = value;
        let bytes = report.to_string();
        if refusal(bytes.as_bytes()).is_none() {
            answer_all(&parse(bytes.as_bytes()).unwrap());
        }
    }
}

/// Every question, in every form: what is read is good for all of them.
fn answer_all(saved: &Saved) {
    let Saved { graph, users, groups, .. } = saved;
    let mut diagnosis = saved.diagnosis.clone().unwrap_or_default();
    let drawing = diagnosis.dataflow(graph, groups);
    let phrases = Phrases { graph, groups, users };
    let rules = findings::audit(&phrases, Some(1));
    diagnosis.findings = findings::merge(std::mem::take(&mut diagnosis.findings), rules);
    let columns: Vec<Column> = Column::ALL.iter().copied().filter(|column| column.is_selectable()).collect();
    let whole = TableFormat { columns: Column::ALL.to_vec(), asked_for: true, headings: true };
    let forms = [
        Format::Ends(TableFormat { columns, asked_for: true, headings: true }),
        Format::Tables { table: whole, ids: true },
        Format::Json,
        Format::Ndjson,
        Format::Text,
        Format::Drawing(DrawingFormat::Tree),
        Format::Drawing(DrawingFormat::Json),
    ];
    let scopes = [
        Scope::Everything,
        Scope::Processes(graph.parents.keys().copied().collect()),
        Scope::Pipes(graph.pipes.iter().map(|pipe| pipe.id).collect()),
    ];
    for scope in &scopes {
        let judgment = Judgment {
            diagnosis: &diagnosis,
            groups,
            scope,
            audit: None,
            why: None,
            may_probe: false,
            from_file: true,
        };
        let view = ReportView { graph, users, judgment: Some(judgment), dataflow: Some(&drawing) };
        for format in &forms {
            for width in [None, Some(60)] {
                let mut text = Vec::new();
                let style = Style { width, rows: width, ..Style::default() };
                view.render(format, &style, &mut text).unwrap();
                let text = String::from_utf8(text).unwrap();
                assert!(!text.chars().any(|c| c != '\n' && c.is_ascii_control()), "{format:?}: {text:?}");
            }
        }
    }
}

fn pointers(value: &Value, here: String, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| pointers(value, format!("{here}/{name}"), all)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, format!("{here}/{index}"), all));
        }
        _ => {}
    }
    all.push(here);
}
