//! What has to be said of a scene: codes, severities and processes. No sentence of a finding decides.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use regex_lite::Regex;
use serde_json::Value;

use super::stage::Stage;

/// A hang is reported once it has lasted for 10 s.
const AGE: Duration = Duration::from_secs(11);
/// How long the right answer may take to come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_secs(2);

/// What lspipe has to say of a hang.
#[derive(Clone, Copy, Default)]
pub(super) struct Hang {
    find: Option<(&'static [&'static str], &'static [&'static str])>,
    once: Option<(&'static [&'static str], &'static str)>,
    ask: Option<Ask>,
}

/// What the text of `why -p ROLE` has to hold, as roles or regular expressions, and what it must not hold.
#[derive(Clone, Copy)]
struct Ask {
    role: &'static str,
    holds: &'static [&'static str],
    lacks: &'static [&'static str],
}

/// A finding with one of these codes, a warning or an error, has to have all of these roles among its processes.
pub(super) const fn find(codes: &'static [&'static str], roles: &'static [&'static str]) -> Hang {
    Hang { find: Some((codes, roles)), once: None, ask: None }
}

/// No finding is asked for: see the other methods.
pub(super) const fn nothing() -> Hang {
    Hang { find: None, once: None, ask: None }
}

impl Hang {
    /// One finding of `lspipe audit --probe` with one of these codes, of any severity, names this role, and no second one. In a PID namespace
    /// only the kernel knows that a side has no end.
    pub(super) const fn once(mut self, codes: &'static [&'static str], role: &'static str) -> Self {
        self.once = Some((codes, role));
        self
    }

    pub(super) const fn ask(
        mut self,
        role: &'static str,
        holds: &'static [&'static str],
        lacks: &'static [&'static str],
    ) -> Self {
        self.ask = Some(Ask { role, holds, lacks });
        self
    }

    /// What is wrong with what lspipe says now.
    fn judge(self, stage: &Stage) -> Result<(), String> {
        let report = json(stage, &["why", "--json", "-q"]);
        let findings = report["findings"].as_array().expect("findings");
        let of = |codes: &'static [&'static str]| {
            move |finding: &&Value| codes.contains(&finding["code"].as_str().expect("a code"))
        };
        if let Some((codes, roles)) = self.find {
            let expected: BTreeSet<u32> = roles.iter().map(|role| stage.pid(role)).collect();
            let mut hits = findings.iter().filter(of(codes)).filter(|finding| is_bad(finding));
            if !hits.any(|finding| numbers(finding).is_superset(&expected)) {
                return Err(format!("no {codes:?} names {roles:?}: {}", list(findings)));
            }
        }
        if let Some((codes, role)) = self.once {
            let pid = stage.pid(role);
            let report = json(stage, &["audit", "--probe", "--json", "-q"]);
            let findings = report["findings"].as_array().expect("findings");
            let hits = findings.iter().filter(of(codes)).filter(|finding| numbers(finding).contains(&pid)).count();
            if hits != 1 {
                return Err(format!("{hits} findings of {codes:?} name {role}: {}", list(findings)));
            }
        }
        if let Some(Ask { role, holds, lacks }) = self.ask {
            let output = stage.lspipe(&["why", "-p", &stage.pid(role).to_string()]);
            let text = output.text();
            let has = |pattern: &str| {
                let pattern = match stage.is_role(pattern) {
                    true => format!(r"\b{}\b", stage.pid(pattern)),
                    false => pattern.to_owned(),
                };
                Regex::new(&pattern).expect("a regular expression").is_match(text)
            };
            if let Some(lack) = holds.iter().find(|pattern| !has(pattern)) {
                return Err(format!("why -p {role} does not hold {lack}:\n{text}"));
            }
            if let Some(wrong) = lacks.iter().find(|pattern| has(pattern)) {
                return Err(format!("why -p {role} holds {wrong}:\n{text}"));
            }
        }
        Ok(())
    }

    /// Asserts that the scene is explained, at the latest when patience ends.
    #[track_caller]
    pub(super) fn check(self, script: &str) {
        let stage = Stage::start(script);
        let end = Instant::now() + PATIENCE;
        thread::sleep(AGE);
        while let Err(wrong) = self.judge(&stage) {
            assert!(Instant::now() < end, "{wrong}\n{}", stage.log());
            thread::sleep(PAUSE);
        }
    }
}

/// Neither `why` nor `audit` says more than info of healthy programs, also when they have been idle for 10 s and more.
pub(super) struct Quiet;

impl Quiet {
    #[track_caller]
    pub(super) fn check(self, script: &str) {
        let stage = Stage::start(script);
        let start = Instant::now();
        let mut looks = 0;
        while looks < 6 || start.elapsed() < AGE + PAUSE * 2 {
            for command in ["why", "audit"] {
                let report = json(&stage, &[command, "--json", "-q"]);
                let bad: Vec<String> = bad(&report).into_iter().map(Value::to_string).collect();
                let age = start.elapsed();
                assert!(bad.is_empty(), "{command} after {age:?}:\n{}\n{}", bad.join("\n"), stage.log());
            }
            looks += 1;
            thread::sleep(PAUSE);
        }
    }
}

/// The report of a run in the namespace, whatever its exit status.
#[track_caller]
pub(super) fn json(stage: &Stage, args: &[&str]) -> Value {
    let output = stage.lspipe(args);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", output.stderr))
}

/// Its warnings and errors.
pub(super) fn bad(report: &Value) -> Vec<&Value> {
    report["findings"].as_array().expect("findings").iter().filter(|finding| is_bad(finding)).collect()
}

fn is_bad(finding: &Value) -> bool {
    matches!(finding["severity"].as_str(), Some("warning" | "error"))
}

/// Severity and code of each, for a test that fails.
fn list(findings: &[Value]) -> String {
    let told = findings.iter().map(|it| format!("{} {} {:?}", it["severity"], it["code"], numbers(it)));
    told.collect::<Vec<_>>().join(", ")
}

/// The PIDs in a finding: those of its fields, and those that its evidence names.
fn numbers(finding: &Value) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    collect(finding, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<u32>) {
    let small = |number: &Value| number.as_u64().and_then(|number| u32::try_from(number).ok());
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match small(field) {
                    Some(number) if ["pid", "tid", "tgid", "process"].contains(&key.as_str()) => {
                        found.insert(number);
                    }
                    _ => collect(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::String(text) => {
            let pids = Regex::new(r"PID (\d+)").expect("a regular expression");
            found.extend(pids.captures_iter(text).filter_map(|hit| hit[1].parse::<u32>().ok()));
        }
        _ => {}
    }
}
