//! Saved reports that were damaged at random, and every question about them: none makes it panic, and no answer is much larger than its
//! file. The same inputs at each run; `LSPIPE_MUTATIONS=300000` tries more of them.

use std::fs;

use clap::Parser as _;
use serde_json::{Value, json};

use super::*;
use crate::cli::{Action, Cli};
use crate::report_file::tests::WHOLE;

/// How many inputs there are.
const INPUTS: usize = 1200;

/// How many questions are asked about each input that is read. All questions have their turn.
const QUESTIONS: usize = 5;

/// Each command with its formats, and with what it is asked about.
const FORMS: [(&str, &[&str]); 5] = [
    (
        "",
        &[
            "",
            "-n",
            "-e",
            "-t",
            "-t --readers",
            "-t --writers",
            "--ndjson",
            "-J",
            "-l",
            "-e --color=always",
            "-o +FLAGS",
        ],
    ),
    ("why", &["", "-J", "-l", "--color=always"]),
    (
        "audit",
        &["", "-J", "--ndjson", "--metrics", "--severity info", "--max-ends 1", "--only fifo-exposed,no-reader", "-q"],
    ),
    ("graph", &["", "-J", "--format dot", "--format mermaid", "--color=always"]),
    ("fds", &["5", "6", "5,6 -J", "7"]),
];

const SELECTIONS: [&str; 13] = [
    "",
    "-p 5",
    "-p 6,9 --descendants",
    "-c cat",
    "-c /./",
    "-u 0",
    "-u root",
    "-k fifo",
    "--no-writer",
    "--no-reader -k anonymous",
    "pipe:[12]",
    "/run/f",
    "12",
];

const WIDTHS: [Option<u16>; 5] = [None, Some(1), Some(20), Some(80), Some(u16::MAX)];

/// The command lines of all questions about one report.
fn questions() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (command, formats) in FORMS {
        let selections: &[&str] = if matches!(command, "audit" | "fds") { &[""] } else { &SELECTIONS };
        for words in
            formats.iter().flat_map(|format| selections.iter().map(move |it| format!("{command} {format} {it}")))
        {
            all.push(words.split_whitespace().map(str::to_owned).collect());
        }
    }
    all
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % limit.max(1)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The places of all values.
fn pointers(value: &Value, here: &str, all: &mut Vec<String>) {
    let mut below = |name: &str, value: &Value| pointers(value, &format!("{here}/{name}"), all);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value)),
        _ => {}
    }
    all.push(here.to_owned());
}

/// Changes one value, or where it is.
fn damage(report: &mut Value, random: &mut Random) {
    let mut places = Vec::new();
    pointers(report, "", &mut places);
    let place = random.pick(&places).clone();
    let (object, field) = place.rsplit_once('/').unwrap_or_default();
    match random.below(6) {
        0 => match report.pointer_mut(object) {
            Some(Value::Object(fields)) => drop(fields.remove(field)),
            Some(Value::Array(items)) => drop(field.parse().ok().map(|at: usize| items.remove(at))),
            _ => {}
        },
        1 => {
            if let Some(Value::Array(items)) = report.pointer_mut(object)
                && let Some(item) = field.parse().ok().and_then(|at: usize| items.get(at)).cloned()
            {
                items.extend(std::iter::repeat_n(item, 1 + random.below(40)));
            }
        }
        // What another field of that name has.
        2 | 3 => {
            let same: Vec<&String> = places.iter().filter(|it| it.rsplit('/').next() == Some(field)).collect();
            let other = report.pointer(random.pick(&same).as_str()).cloned();
            if let (Some(value), Some(other)) = (report.pointer_mut(&place), other) {
                *value = other;
            }
        }
        _ => {
            let numbers = [json!(0), json!(1), json!(5), json!(-1), json!(u32::MAX), json!(i64::MAX), json!(u64::MAX)];
            let others = [json!(null), json!(true), json!(""), json!([]), json!({}), json!(0.5), json!(1e300)];
            let texts = [
                "\u{1b}[31m`\u{202e}, (PID 1)\n",
                "pipe:[18446744073709551615]",
                "fifo:[0:26:9]",
                "9999-12-31T23:59:59Z",
            ];
            let value = match random.below(5) {
                0 | 1 => random.pick(&numbers).clone(),
                2 => random.pick(&others).clone(),
                3 => json!(random.pick(&texts)),
                _ if random.below(2) == 0 => json!("x".repeat(random.below(3000))),
                _ => (0..random.below(300)).fold(json!(null), |within, _| json!([within])),
            };
            if let Some(place) = report.pointer_mut(&place) {
                *place = value;
            }
        }
    }
}

fn mutated(seed: &Value, random: &mut Random) -> Vec<u8> {
    let mut report = seed.clone();
    for _ in 0..=random.below(4) {
        damage(&mut report, random);
    }
    let mut bytes = report.to_string().into_bytes();
    if random.below(4) == 0 {
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(random.below(256)).unwrap();
            }
        }
        bytes.truncate(bytes.len() - random.below(2) * random.below(bytes.len()));
    }
    bytes
}

/// What a command line prints, its notes and its error included.
fn ask(words: &[String], width: Option<u16>) -> (Result<Exit, Error>, Vec<u8>) {
    let command_line = std::iter::once("lspipe".to_owned()).chain(words.iter().cloned());
    let cli = Cli::try_parse_from(command_line).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let (mut out, mut notes) = (Vec::new(), String::new());
    let mut notify = |note: &str| notes += note;
    let exit = match cli.into_action() {
        Action::Report(request) => {
            let mut listeners = Listeners { note: &mut notify, progress: &mut |_| () };
            run(
                &request,
                &Started::default(),
                &Style { width, rows: width, ..Style::default() },
                &mut out,
                &mut listeners,
            )
        }
        Action::Compare(both, output) => compare(
            &both,
            &output,
            &Style { width, rows: width, color: true, ..Style::default() },
            &mut out,
            &mut notify,
        ),
        _ => unreachable!("{words:?} is a question"),
    };
    if let Err(error) = &exit {
        notes += &error.to_string();
    }
    assert!(!notes.chars().any(char::is_control), "{words:?}: {notes:?}");
    out.extend(notes.bytes());
    (exit, out)
}

/// The reports that are damaged: of all questions, so that each field is in one.
fn seeds() -> Vec<Value> {
    let root = |name: &str| format!("{}/fixtures/{name}/proc", env!("CARGO_MANIFEST_DIR"));
    let mut seeds = vec![serde_json::from_str(WHOLE).unwrap()];
    for (command, tree) in [
        ("audit -J", "pipeline"),
        ("audit -J --severity info --max-ends 1", "classic"),
        ("why -J", "threads"),
        ("fds 300,301 -J", "modes"),
        ("-J", "hostile"),
    ] {
        let words = command.split_whitespace().map(str::to_owned).chain(["--proc".to_owned(), root(tree)]);
        let request = Cli::try_parse_from(std::iter::once("lspipe".to_owned()).chain(words)).unwrap().into_action();
        let Action::Report(request) = request else { unreachable!("{command} is a question") };
        let mut json = Vec::new();
        let mut listeners = Listeners { note: &mut |_| (), progress: &mut |_| () };
        run(&request, &Started::default(), &Style::default(), &mut json, &mut listeners).unwrap();
        seeds.push(serde_json::from_slice(&json).unwrap());
    }
    seeds
}

#[test]
fn no_report_makes_it_panic() {
    let inputs = std::env::var("LSPIPE_MUTATIONS").map_or(INPUTS, |count| count.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (file, whole) = (path("damaged.json"), path("whole.json"));
    let (seeds, questions) = (seeds(), questions());
    let mut next = questions.iter().cycle();
    let (mut accepted, mut asked) = (0, 0);
    for input in 0..inputs {
        let mut random = Random(u64::try_from(input).unwrap());
        let seed = &seeds[input % seeds.len()];
        let bytes = mutated(seed, &mut random);
        fs::write(&file, &bytes).unwrap();
        let most = 1_000_000 + 200 * bytes.len();
        let mut check = |words: &[String]| {
            let (exit, out) = ask(words, *random.pick(&WIDTHS));
            assert!(out.len() < most, "input {input}: {words:?}: {} bytes of {}", out.len(), bytes.len());
            exit
        };
        let from = ["--from".to_owned(), file.clone()];
        if matches!(check(&[&["-J".to_owned()], &from[..]].concat()), Err(Error::ReportFile(_))) {
            continue;
        }
        accepted += 1;
        for words in next.by_ref().take(QUESTIONS) {
            // Some saved reports do not answer some questions.
            let _ = check(&[words, &from[..]].concat());
            asked += 1;
        }
        if input % 8 == 0 {
            fs::write(&whole, seed.to_string()).unwrap();
            for (old, new) in [(&file, &whole), (&whole, &file)] {
                check(&["diff".to_owned(), old.clone(), new.clone()]).unwrap();
                check(&["diff".to_owned(), "-J".to_owned(), old.clone(), new.clone()]).unwrap();
            }
        }
    }
    assert!(accepted * 10 > inputs, "{accepted} of {inputs} are read");
    assert!(inputs < INPUTS || asked >= 2 * questions.len(), "{asked} of {} questions", questions.len());
}
