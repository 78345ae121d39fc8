//! What a text for people names, whatever its wording: processes, pipes, descriptors, numbers, files.
//!
//! A sentence may be reworded any day; which process, which pipe and which number it is about may not.

use std::collections::BTreeSet;

use regex_lite::Regex;

use super::report::{Evidence, Finding};

/// Whether a number stands there by itself, and not as a part of another.
pub(crate) fn has_number(text: &str, number: u64) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits == number.to_string())
}

/// Whether a fact stands in a text: a number by itself, anything else letter by letter.
pub(crate) fn has_fact(text: &str, fact: &str) -> bool {
    match fact.parse() {
        Ok(number) => has_number(text, number),
        Err(_) => text.contains(fact),
    }
}

/// Asserts that a text has all these facts.
#[track_caller]
pub(crate) fn assert_facts(text: &str, facts: &[&str]) {
    let missing: Vec<&&str> = facts.iter().filter(|fact| !has_fact(text, fact)).collect();
    assert!(missing.is_empty(), "{missing:?} not in {text:?}");
}

/// Asserts that what was said on stderr is one line of ours for each of these, in this order, with these facts in it.
#[track_caller]
pub(crate) fn assert_notes(stderr: &str, notes: &[&[&str]]) {
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), notes.len(), "{stderr:?} is not a line for each of {notes:?}");
    for (line, facts) in lines.into_iter().zip(notes) {
        assert!(line.starts_with("lspipe: ") && !line.contains('\x1b'), "{line:?}");
        assert_facts(line, facts);
    }
    assert!(stderr.is_empty() || stderr.ends_with('\n'), "{stderr:?}");
}

fn captured<'t>(pattern: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let found: Vec<&str> = Regex::new(pattern)
        .expect("a pattern")
        .captures_iter(text)
        .filter_map(|found| found.iter().skip(1).flatten().next().map(|group| group.as_str()))
        .collect();
    found.into_iter()
}

/// The processes that a text names: `cat (PID 252)`, and those of its `kill` commands.
pub(crate) fn pids(text: &str) -> BTreeSet<u32> {
    captured(r"\bPIDs? (\d+)|\bkill (?:-\w+ )?(\d+)", text).map(|pid| pid.parse().expect("a PID")).collect()
}

/// The pipes that a text names by their IDs.
pub(crate) fn pipes(text: &str) -> BTreeSet<String> {
    captured(r"(pipe:\[\d+\]|fifo:\[\d+:\d+:\d+\])", text).map(str::to_owned).collect()
}

/// The descriptors that a text names: `fd 3`, and those that its commands close.
pub(crate) fn fds(text: &str) -> BTreeSet<u32> {
    captured(r"\b(?:fds?|descriptors?) (\d+)|\b(\d+)[<>]&-", text).map(|fd| fd.parse().expect("a descriptor")).collect()
}

/// Role, processes, pipes and descriptors of a line of evidence.
pub(crate) type Named = (String, BTreeSet<u32>, BTreeSet<String>, BTreeSet<u32>);

pub(crate) fn named(line: &Evidence) -> Named {
    (line.role.clone(), pids(&line.text), pipes(&line.text), fds(&line.text))
}

/// What a line of evidence is to name.
pub(crate) fn naming<const P: usize, const I: usize, const F: usize>(
    role: &str,
    pids: [u32; P],
    pipes: [&str; I],
    fds: [u32; F],
) -> Named {
    (role.to_owned(), pids.into(), pipes.map(str::to_owned).into(), fds.into())
}

/// A finding as `why` and `audit` write it for people: its head, and the lines below it.
#[derive(Debug)]
pub(crate) struct Block<'t> {
    pub(crate) severity: &'t str,
    pub(crate) code: &'t str,
    pub(crate) message: &'t str,
    pub(crate) lines: Vec<&'t str>,
}

impl Block<'_> {
    /// All below the head.
    pub(crate) fn body(&self) -> String {
        self.lines.join("\n")
    }
}

/// The findings of a text, and what is written beside them: `error: deadlock: …`, lines that are indented, an empty line.
#[track_caller]
pub(crate) fn blocks(text: &str) -> (Vec<Block<'_>>, Vec<&str>) {
    let head = Regex::new(r"^(error|warning|notice): ([a-z-]+): (.+)$").expect("a pattern");
    assert!(!text.ends_with("\n\n") && !text.contains("\n\n\n"), "an empty paragraph: {text:?}");
    let (mut found, mut beside): (Vec<Block<'_>>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut is_open = false;
    for line in text.lines() {
        if let Some(head) = head.captures(line) {
            let part = |group: usize| head.get(group).expect("a part of the head").as_str();
            // The word of JSON and of options.
            let severity = if part(1) == "notice" { "info" } else { part(1) };
            found.push(Block { severity, code: part(2), message: part(3), lines: Vec::new() });
            is_open = true;
        } else if let Some(block) = found.last_mut().filter(|_| is_open && line.starts_with("  ")) {
            block.lines.push(line);
        } else {
            is_open = false;
            if !line.is_empty() {
                beside.push(line);
            }
        }
    }
    (found, beside)
}

/// All numbers of these lines, in their order.
pub(crate) fn numbers(lines: &[&str]) -> Vec<u64> {
    let digits = lines.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_digit()));
    digits.filter(|digits| !digits.is_empty()).map(|digits| digits.parse().expect("a number")).collect()
}

/// Whether the text says that the finding is not proven: a process that may hold the end is named, or it is one of so many processes.
/// How many there are may change from one run to the next.
pub(crate) fn has_reservation(block: &Block<'_>, finding: &Finding) -> bool {
    let doubted: BTreeSet<u32> = finding.doubts.iter().filter_map(|doubt| doubt.pid).collect();
    let is_count = |number: &str| doubted.len() > 1 && number.parse::<usize>().is_ok_and(|number| number > 1);
    let counted = |line: &str| captured(r"\b(\d+) (?:[a-z]+ )?processes", line).any(is_count);
    let told = |line: &&str| !doubted.is_disjoint(&pids(line)) || counted(line);
    block.lines.iter().filter(|line| drawing(line) == "  ").any(told)
}

/// The drawing characters that a line begins with, and the blanks before and between them.
pub(crate) fn drawing(line: &str) -> &str {
    &line[..line.find(|c: char| !" ╭╰│├└─▶↻".contains(c)).unwrap_or(line.len())]
}

/// A tree of `lspipe graph` without what its wording decides: `[a mark]` becomes `[!]` and `[a mark?]` `[?]`, and the column of the
/// pipes begins two blanks after what it belongs to. Asserts that it is a column, in each drawing.
#[track_caller]
pub(crate) fn without_marks(tree: &str) -> String {
    let mark = Regex::new(r" \[[A-Za-z][A-Za-z -]*(\?)?\]").expect("a pattern");
    let pipe = Regex::new(r"  +(pipe:\[|fifo:\[|/)").expect("a pattern");
    for drawing in tree.split("\n\n") {
        let columns: BTreeSet<usize> = drawing
            .lines()
            .filter_map(|line| pipe.captures(line).map(|it| (line, it.get(1).expect("a pipe").start())))
            .map(|(line, at)| line[..at].chars().count())
            .collect();
        assert!(columns.len() <= 1, "the pipes do not stand below each other: {drawing}");
    }
    let lines = tree.lines().map(|line| {
        let marked =
            mark.replace_all(line, |it: &regex_lite::Captures<'_>| if it.get(1).is_some() { " [?]" } else { " [!]" });
        format!("{}\n", pipe.replace_all(&marked, "  $1"))
    });
    lines.collect()
}
