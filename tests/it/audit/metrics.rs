//! Metrics: every number, and that the programs that are to read them can.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Machine, ONLY};
use crate::support::need::{Need, need, program};
use crate::support::promises::{CODES, severities};
use crate::support::run::lspipe;
use crate::support::text::assert_notes;

/// The numbers of `Machine`, but for those that no test can know. What each is about may be said in any words.
const KNOWN: &str = r#"# HELP lspipe_pipes [HELP]
# TYPE lspipe_pipes gauge
lspipe_pipes{kind="anonymous"} 5
lspipe_pipes{kind="fifo"} 0
# HELP lspipe_ends [HELP]
# TYPE lspipe_ends gauge
lspipe_ends{access="r"} 3
lspipe_ends{access="w"} 5
lspipe_ends{access="rw"} 0
# HELP lspipe_processes [HELP]
# TYPE lspipe_processes gauge
lspipe_processes 7
# HELP lspipe_unreadable_processes [HELP]
# TYPE lspipe_unreadable_processes gauge
lspipe_unreadable_processes 0
# HELP lspipe_scan_complete [HELP]
# TYPE lspipe_scan_complete gauge
lspipe_scan_complete 1
# HELP lspipe_findings [HELP]
# TYPE lspipe_findings gauge
lspipe_findings{code="self-deadlock",severity="error"} 1
lspipe_findings{code="self-deadlock",severity="warning"} 0
lspipe_findings{code="leaked-write-end",severity="warning"} 1
lspipe_findings{code="leaked-write-end",severity="info"} 0
lspipe_findings{code="stalled-reader",severity="warning"} 1
lspipe_findings{code="stalled-reader",severity="info"} 0
lspipe_findings{code="no-reader",severity="warning"} 0
lspipe_findings{code="no-reader",severity="info"} 2
# HELP lspipe_known_findings [HELP]
# TYPE lspipe_known_findings gauge
lspipe_known_findings 0
# HELP lspipe_scan_duration_seconds [HELP]
# TYPE lspipe_scan_duration_seconds gauge
lspipe_scan_duration_seconds [SECONDS]
# HELP lspipe_scan_timestamp_seconds [HELP]
# TYPE lspipe_scan_timestamp_seconds gauge
lspipe_scan_timestamp_seconds [SECONDS]
# HELP lspipe_build_info [HELP]
# TYPE lspipe_build_info gauge
lspipe_build_info{version="[VERSION]"} 1
"#;

/// The lines that are values.
fn values(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| line.starts_with("lspipe_"));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn without_times(text: &str) -> String {
    let cut = |line: &str| match line.split_once("_seconds ") {
        _ if line.starts_with("# HELP ") => {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            assert!(words.len() == 4 && words[3].ends_with('.'), "no sentence: {line}");
            format!("# HELP {} [HELP]\n", words[2])
        }
        Some((name, _)) if !line.starts_with('#') => format!("{name}_seconds [SECONDS]\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(cut).collect()
}

#[test]
fn every_number() {
    let machine = Machine::start(1);
    let before = jiff::Timestamp::now().as_duration().as_secs_f64();
    let output = machine.audit(&["--metrics"]).expect(1);
    let known = KNOWN.replace("[VERSION]", env!("CARGO_PKG_VERSION"));
    assert_eq!(without_times(output.text()), known);
    let values = values(output.text());
    let taken_at = values["lspipe_scan_timestamp_seconds"];
    // To the millisecond.
    assert!((before - 0.001..=before + 60.0).contains(&taken_at), "{taken_at}, not {before}");
    assert!((0.0..60.0).contains(&values["lspipe_scan_duration_seconds"]));

    // Not in the place of the baseline, however that is spelt.
    let name = machine.file("one");
    fs::create_dir(machine.file("folder")).expect("create a folder");
    for (option, other) in [("--baseline", name.clone()), ("--write-baseline", machine.file("folder/../one"))] {
        let output = machine.audit(&["--metrics-file", &name, option, &other]).expect(2);
        assert_notes(&output.stderr, &[&[&name, "--metrics-file", "baseline"]]);
    }
    // Beside any other form, and after the baseline.
    let (file, baseline) = (machine.file("lspipe.prom"), machine.file("known.json"));
    machine.audit(&["--metrics-file", &file, "--json"]).expect(1);
    assert_eq!(without_times(&fs::read_to_string(&file).expect("the metrics")), known);
    machine.audit_all(&["--write-baseline", &baseline, "--only=no-reader"]).expect(0);
    fs::remove_dir_all(machine.process(21).join("fd")).expect("remove a table");
    let output = machine.audit(&["-q", "--metrics", "--baseline", &baseline, "--severity=warning"]).expect(1);
    let values = self::values(output.text());
    assert_eq!(values["lspipe_known_findings"], 0.0, "what is not asked for is not known either");
    assert_eq!((values["lspipe_scan_complete"], values["lspipe_unreadable_processes"]), (0.0, 1.0));
    assert!(values.keys().all(|name| !name.contains("info\"")), "nobody looked for those");
}

/// For an alert, what was not found is 0, for each code in each severity; the names are as the rest of the outputs has them.
#[test]
fn every_code_is_there() {
    let machine = Machine::start(1);
    let values = values(machine.audit_all(&["--metrics"]).expect(1).text());
    let found = values.keys().filter(|name| name.starts_with("lspipe_findings{")).cloned();
    let pairs = CODES.into_iter().flat_map(|code| severities(code).iter().map(move |severity| (code, severity)));
    let expected = pairs.map(|(code, severity)| format!("lspipe_findings{{code=\"{code}\",severity=\"{severity}\"}}"));
    assert_eq!(found.collect::<BTreeSet<_>>(), expected.collect());
}

#[test]
fn promtool_has_nothing_to_say() {
    need!(Need::Program("promtool"));
    let machine = Machine::start(1);
    for args in [&["--metrics"][..], &["--metrics", "--only=deadlock", "--severity=error"]] {
        let mut tool = Command::new(program("promtool").expect("checked by need"));
        tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tool = tool.spawn().expect("start promtool");
        let text = machine.audit_all(args).stdout;
        tool.stdin.take().expect("captured").write_all(&text).expect("write");
        let said = tool.wait_with_output().expect("promtool");
        assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
    }
}

/// The alerts fire when they should, and not when they should not: their own tests say so.
#[test]
fn alerts_do_what_they_are_for() {
    need!(Need::Program("promtool"));
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/prometheus");
    for args in [["check", "rules", "lspipe.rules.yml"], ["test", "rules", "lspipe.rules.test.yml"]] {
        let mut tool = Command::new(program("promtool").expect("checked by need"));
        let said = tool.args(args).current_dir(&dir).output().expect("run promtool");
        assert!(said.status.success(), "{said:?}");
    }
    // And they are about metrics that there are.
    let text = fs::read_to_string(dir.join("lspipe.rules.yml")).expect("the rules");
    let word = |rest: &str| rest.chars().take_while(|it| it.is_ascii_lowercase() || *it == '_').collect::<String>();
    let names: Vec<String> = text.split("lspipe_").skip(1).map(word).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        assert!(KNOWN.contains(&format!("# TYPE lspipe_{name} gauge\n")), "{name}");
    }
}

/// A `node_exporter` of Debian that serves one directory, killed when dropped.
struct Exporter {
    child: Child,
    port: u16,
}

impl Exporter {
    fn start(directory: &str) -> Self {
        // Free a moment ago; should another take it, the exporter ends and the test with it.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let child = Command::new(program("prometheus-node-exporter").expect("checked by need"))
            .args(["--collector.disable-defaults", "--collector.textfile"])
            .arg(format!("--collector.textfile.directory={directory}"))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start node_exporter");
        Self { child, port }
    }

    /// What it serves, once it does.
    fn serves(&mut self) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("ask");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("an answer");
                assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
                return answer;
            }
            assert!(self.child.try_wait().expect("wait").is_none(), "node_exporter ended");
            assert!(Instant::now() < end, "node_exporter does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn node_exporter_serves_them() {
    need!(Need::Program("prometheus-node-exporter"));
    let machine = Machine::start(1);
    let dir = machine.dir.path().join("textfile");
    fs::create_dir(&dir).expect("mkdir");
    let file = super::path(&dir.join("lspipe.prom"));
    // What a killed audit leaves is not read.
    fs::write(dir.join(".lspipe.prom.x7Kd20"), "half of a l").expect("write");
    let audit = || {
        let args = machine.args(&[ONLY, "--metrics-file", &file]);
        lspipe(args).run();
        values(&fs::read_to_string(&file).expect("the metrics"))
    };
    let written = audit();
    let mut exporter = Exporter::start(&super::path(&dir));
    let served = exporter.serves();
    assert_eq!(values(&served), written);
    let errors = served.lines().find(|line| line.starts_with("node_textfile_scrape_error"));
    assert_eq!(errors, Some("node_textfile_scrape_error 0"));

    machine.ends(11);
    let later = audit();
    assert_ne!(later, written);
    assert_eq!(values(&exporter.serves()), later, "the next time it serves the new ones");
}
