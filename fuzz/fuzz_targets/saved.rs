//! A saved report, read and answered from: the first byte selects the question, the rest is the file.

#![no_main]

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::Parser as _;
use lspipe::Request;
use lspipe::command::{Action, Cli, Listeners, Started, Style, run};

/// The questions, as they are typed.
const QUESTIONS: [&str; 16] = [
    "",
    "-e",
    "--json",
    "--ndjson",
    "-t",
    "-p 5 --descendants",
    "--no-writer",
    "why",
    "why --json",
    "why -p 5",
    "audit",
    "audit --ndjson",
    "audit --metrics",
    "graph",
    "graph --format dot",
    "fds 5",
];

/// The file that holds the report, and the questions, which take a while to parse.
static SETTING: LazyLock<(PathBuf, Vec<Request>)> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("lspipe-fuzz-{}", std::process::id()));
    let request = |question: &str| {
        let words = ["lspipe"].into_iter().chain(question.split_whitespace()).map(OsString::from);
        let words = words.chain(["--from".into(), file.clone().into_os_string()]);
        match Cli::try_parse_from(words).expect("a question").into_action() {
            Action::Report(request) => *request,
            other => panic!("{question:?} is {other:?}"),
        }
    };
    let requests = QUESTIONS.into_iter().map(request).collect();
    (file, requests)
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((which, report)) = input.split_first() else { return };
    let (file, requests) = &*SETTING;
    fs::write(file, report).expect("a temporary file");
    let request = &requests[usize::from(*which) % requests.len()];
    let mut text = Vec::new();
    let style = Style {
        width: (which & 0x40 != 0).then_some(60),
        rows: None,
        color: which & 0x80 != 0,
        ascii: which & 0x20 != 0,
        full: which & 0x10 != 0,
    };
    let mut listeners = Listeners { note: &mut |_| (), progress: &mut |_| () };
    // A report that is refused is as good as one that is answered.
    if run(request, &Started::default(), &style, &mut text, &mut listeners).is_ok() && !style.color {
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "{text:?}");
    }
});
