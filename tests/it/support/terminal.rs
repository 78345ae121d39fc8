//! Running lspipe on a terminal, which script(1) makes.

use std::process::{Command, Stdio};

/// Runs lspipe on a terminal that is so wide, and returns its exit status and what it wrote there, in lines.
#[track_caller]
pub(crate) fn run(columns: usize, variables: &[(&str, &str)], args: &[&str]) -> (Option<i32>, Vec<String>) {
    let command = format!("stty cols {columns} rows 24 && exec \"$LSPIPE\" {}", args.join(" "));
    let output = Command::new("timeout")
        .args(["60", "script", "-qec", &command, "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        // Nobody is there to page.
        .env("PAGER", "cat")
        .env("LSPIPE", env!("CARGO_BIN_EXE_lspipe"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("run script");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code(), text.lines().map(str::to_owned).collect())
}

/// A text without its SGR sequences, the only ones that lspipe may write.
pub(crate) fn without_colour(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (codes, rest) = piece.split_once('m').expect("an SGR sequence");
        assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{piece:?}");
        plain += rest;
    }
    plain
}
