//! README.md and docs/ agree with the program and with the source tree: their samples, lists, paths and links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::need::{Need, need};
use crate::support::run::lspipe;

/// A page in Markdown.
pub(crate) struct Page {
    /// Its path in the repository.
    pub(crate) name: String,
    text: String,
}

/// All pages that are for people who use lspipe or work on it.
pub(crate) fn pages() -> Vec<Page> {
    let names = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned).into_iter();
    let in_docs = fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.expect("an entry").file_name());
    let in_docs = in_docs.map(|name| format!("docs/{}", name.to_str().expect("UTF-8")));
    let mut names: Vec<String> = names.chain(in_docs.filter(|name| name.ends_with(".md"))).collect();
    names.sort();
    let read = |name: String| Page { text: fs::read_to_string(root().join(&name)).expect("read a page"), name };
    names.into_iter().map(read).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    /// The fenced blocks of this language.
    fn blocks(&self, language: &str) -> Vec<&str> {
        let fence = format!("```{language}\n");
        self.text.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
    }

    /// The text without its fenced blocks.
    fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// What stands between backticks in the prose.
    fn spans(&self) -> Vec<String> {
        let prose = self.prose();
        // A span may be wrapped, and a pipe in a table is escaped.
        let span = |text: &str| text.replace("\\|", "|").split_whitespace().collect::<Vec<_>>().join(" ");
        prose.split('`').skip(1).step_by(2).map(span).collect()
    }

    /// The commands of its `sh` blocks, line by line, and those in its prose.
    pub(crate) fn commands(&self) -> Vec<String> {
        let blocks: Vec<String> = self.blocks("sh").iter().map(|block| block.replace("\\\n", " ")).collect();
        let lines = blocks.iter().flat_map(|block| block.lines());
        let without_comment = |line: &str| line.split("  # ").next().unwrap_or_default().trim().to_owned();
        let lines = lines.map(without_comment).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let spans = self.spans().into_iter();
        let spans =
            spans.filter(|span| ["lspipe ", "sudo lspipe ", "cargo "].iter().any(|word| span.starts_with(word)));
        // The names of commands that need an argument.
        let spans = spans.filter(|span| !["lspipe fds", "lspipe diff"].contains(&span.as_str()));
        lines.chain(spans).collect()
    }

    /// The address of each heading, as on GitHub.
    fn anchors(&self) -> BTreeSet<String> {
        let headings =
            self.text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
        let anchor = |heading: &str| {
            let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        };
        headings.map(anchor).collect()
    }
}

/// The samples, and the picture of the README, as root: they are what lspipe prints of the scene in tests/picture.
#[test]
fn samples_and_the_picture_are_what_lspipe_prints() {
    need!(
        Need::Root,
        Need::Bpf,
        Need::PYTHON,
        Need::Program("unshare"),
        Need::Program("nsenter"),
        Need::Program("setpriv")
    );
    let make = root().join("tests/picture/make.py");
    let output = Command::new("timeout")
        .arg("300")
        .arg(make)
        .args([env!("CARGO_BIN_EXE_lspipe"), "--check"])
        .output()
        .expect("run make.py");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Those samples that need no scene, as any user: lists of columns and of codes, and explanations.
#[test]
fn lists_in_the_pages_are_what_lspipe_prints() {
    let mut seen = 0;
    for page in pages() {
        for block in page.blocks("console") {
            let (command, printed) = block.split_once('\n').expect("a command");
            let words: Vec<&str> = command.split_whitespace().skip(2).collect();
            if !words.iter().any(|word| ["-H", "--explain"].contains(word)) {
                continue;
            }
            let output = lspipe(words).run().expect(0);
            let lines: Vec<&str> = output.text().trim_end().lines().map(str::trim_end).collect();
            assert_eq!(printed.lines().collect::<Vec<_>>(), lines, "{}: {command}", page.name);
            seen += 1;
        }
    }
    // The columns, the list of codes, and the explanation of each code.
    assert!(seen >= 2 + codes().len(), "a list or an explanation is missing in docs/");
}

/// All codes, as `--explain` lists them.
fn codes() -> Vec<String> {
    let list = lspipe(["audit", "--explain"]).run().expect(0);
    list.text().lines().skip(1).filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn tables_of_findings_have_each_code_once() {
    let cells = |name: &str| -> Vec<String> {
        let page = pages().into_iter().find(|page| page.name == name).expect("a page");
        let rows = page.text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
        let codes = codes();
        rows.filter(|cell| codes.contains(cell)).collect()
    };
    let found = [cells("docs/why.md"), cells("docs/audit.md")].concat();
    assert_eq!(found, codes());
}

#[test]
fn every_option_is_in_the_guides() {
    let guides: String =
        pages().into_iter().filter(|page| page.name.starts_with("docs/")).map(|page| page.text).collect();
    for args in [&["--help"][..], &["why", "--help"], &["audit", "--help"], &["graph", "--help"], &["fds", "--help"]] {
        let help = lspipe(args).run().expect(0);
        let lines = help.text().lines().map(str::trim_start).filter(|line| line.starts_with('-'));
        let options =
            lines.filter_map(|line| line.split([' ', ',', '[']).find(|word| word.starts_with("--") && word.len() > 2));
        for option in options.filter(|option| !["--help", "--version"].contains(option)) {
            assert!(guides.contains(option), "no page in docs/ has {option}");
        }
    }
}

#[test]
fn exit_statuses_of_the_readme_are_those_of_the_help() {
    let statuses = |text: &str, start: &str, end: char| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(start)?.split_once(end));
        let numbers = lines.map(|(status, _)| status.trim().to_owned());
        numbers.filter(|status| status.parse::<u8>().is_ok()).collect()
    };
    let help = lspipe(["--help"]).run().expect(0);
    let (_, of_help) = help.text().split_once("Exit status:\n").expect("a section");
    let readme = pages().into_iter().find(|page| page.name == "README.md").expect("the README");
    assert_eq!(statuses(&readme.text, "| ", '|'), statuses(of_help, "  ", ' '));
}

/// Paths in backticks, and every file and folder of src/ has its place in the table of how-it-works.md.
#[test]
fn paths_in_the_pages_exist() {
    let folders = [
        "src/",
        "tests/",
        "docs/",
        "contrib/",
        "examples/",
        "benches/",
        "fuzz/",
        "man/",
        "schema/",
        ".ci/",
        ".github/",
    ];
    for page in pages() {
        for span in page.spans() {
            let is_path = folders.iter().any(|folder| span.starts_with(folder)) && !span.contains([' ', '*']);
            // A file that the page tells to make.
            if is_path && !span.contains("NEW") {
                let path = span.split(':').next().unwrap_or_default();
                assert!(root().join(path).exists(), "{}: there is no {path}", page.name);
            }
        }
    }
    let page = pages().into_iter().find(|page| page.name == "docs/how-it-works.md").expect("a page");
    for entry in fs::read_dir(root().join("src")).expect("src") {
        let entry = entry.expect("an entry").path();
        let name = entry.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        // `run/` stands with `run.rs`.
        let named = page.text.contains(&format!("`{name}`")) || page.text.contains(&format!("src/{name}")) || {
            entry.is_dir() && root().join(format!("src/{name}.rs")).exists()
        };
        assert!(named, "docs/how-it-works.md does not name src/{name}");
    }
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut seen = 0;
    for page in &pages {
        let prose = page.prose();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let folder = Path::new(&page.name).parent().expect("a folder");
            let target = root().join(folder).join(path);
            assert!(path.is_empty() || target.exists(), "{}: {link} leads nowhere", page.name);
            if let Some(anchor) = anchor {
                let same = |other: &&Page| {
                    let file = if path.is_empty() { root().join(&page.name) } else { target.clone() };
                    fs::canonicalize(root().join(&other.name)).ok() == fs::canonicalize(file).ok()
                };
                let other = pages.iter().find(same).expect("a page");
                assert!(other.anchors().contains(anchor), "{}: {link}: no such heading", page.name);
            }
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} links found");
}

/// The README is a first page, and not a manual.
#[test]
fn readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let lines = readme.lines().count();
    assert!((150..=200).contains(&lines), "{lines} lines");
}
