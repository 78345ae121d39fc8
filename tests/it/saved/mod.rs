//! Reports that were saved: `--from FILE` answers as the scan did that made them, and `diff` shows what changed from one to another.

mod diff;
mod forms;
mod hostile;
mod live;
mod refused;
mod same;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::run::{Output, lspipe, public_dir};
use crate::support::text::{assert_facts, pids};
use crate::support::user::User;

/// A folder for saved reports, which this user may read.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self::of(User::Me)
    }

    fn of(user: User) -> Self {
        Self(public_dir(user))
    }

    /// Puts this into a file.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> Saved {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("save a report");
        Saved(path)
    }

    /// Saves what `lspipe ARGS --json` says.
    #[track_caller]
    fn save<S: AsRef<OsStr>>(&self, name: &str, args: impl IntoIterator<Item = S>) -> Saved {
        self.save_as(User::Me, name, args)
    }

    #[track_caller]
    fn save_as<S: AsRef<OsStr>>(&self, user: User, name: &str, args: impl IntoIterator<Item = S>) -> Saved {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).chain(["--json".into()]).collect();
        let output = lspipe(&args).user(user).run();
        assert!([Some(0), Some(1)].contains(&output.code()), "{args:?}: {}", output.stderr);
        self.put(name, output.stdout)
    }
}

/// A file with a saved report.
struct Saved(PathBuf);

impl Saved {
    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes()).expect("JSON")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.0).expect("read a saved report")
    }

    /// Changes what was saved.
    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut json = self.json();
        change(&mut json);
        fs::write(&self.0, json.to_string()).expect("save a report");
    }

    /// A text without the sentence at its end that says of what machine and of what time the PIDs are. It has to be there where the text
    /// names a process.
    #[track_caller]
    fn without_origin(&self, text: &str) -> String {
        let json = self.json();
        let at: jiff::Timestamp = json["taken_at"].as_str().expect("a time").parse().expect("RFC 3339");
        let (at, host) = (format!("{at:.0}"), json["host"]["hostname"].as_str().expect("a name"));
        let before = text.trim_end();
        let sentence = before.rfind(". ").map_or(0, |end| end + 1).max(before.rfind('\n').map_or(0, |end| end + 1));
        if before[sentence..].contains(&at) {
            assert_facts(&before[sentence..], &[host]);
            return format!("{}\n", before[..sentence].trim_end());
        }
        assert!(pids(text).is_empty(), "whose PIDs are those: {text}");
        text.to_owned()
    }

    /// `lspipe ARGS --from FILE`
    fn ask(&self, args: &[&str]) -> Output {
        lspipe([args, &["--from", self.path()]].concat()).run()
    }

    /// `lspipe ARGS --from -`
    fn ask_through_stdin(&self, args: &[&str]) -> Output {
        let file = File::open(&self.0).expect("open a saved report");
        lspipe([args, &["--from", "-"]].concat()).stdin(Stdio::from(file)).run()
    }
}

/// `lspipe ARGS --proc DIR`
fn scan(root: &Path, args: &[&str]) -> Output {
    lspipe([args, &["--proc", root.to_str().expect("UTF-8")]].concat()).run()
}
