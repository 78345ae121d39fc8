//! Tells the crate which commit it is built from, for `--version`: the variable `LSPIPE_COMMIT`, empty if that is not known. Reads the
//! files of git and no clock, so that a build is reproducible, and needs no git.

use std::fs;
use std::path::{Path, PathBuf};

/// Number of digits of a commit that are shown.
const DIGITS: usize = 7;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A checkout, or what `cargo package` made of one. A repository around the sources of a package is another one.
    let commit = of_checkout(Path::new(".git")).or_else(|| of_package(Path::new(".cargo_vcs_info.json")));
    let is_commit = |text: &String| text.len() >= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = commit.filter(is_commit).map(|commit| commit[..DIGITS].to_owned()).unwrap_or_default();
    println!("cargo:rustc-env=LSPIPE_COMMIT={commit}");
}

/// The commit that HEAD names, see gitrepository-layout(5).
fn of_checkout(git: &Path) -> Option<String> {
    // In a worktree, a file says where its folder is, and that where the branches are.
    let dir = match fs::read_to_string(git) {
        Ok(link) => PathBuf::from(link.strip_prefix("gitdir:")?.trim()),
        Err(_) => git.to_owned(),
    };
    let common = read(&dir.join("commondir")).map_or_else(|| dir.clone(), |common| dir.join(common));
    let head = read_and_watch(&dir.join("HEAD"))?;
    // Written whenever HEAD moves, also where the file of a branch does not exist yet.
    read_and_watch(&dir.join("logs/HEAD"));
    let Some(branch) = head.strip_prefix("ref:").map(str::trim) else { return Some(head) };
    read_and_watch(&common.join(branch)).or_else(|| {
        let packed = read_and_watch(&common.join("packed-refs"))?;
        packed.lines().find_map(|line| Some(line.strip_suffix(branch)?.strip_suffix(' ')?.to_owned()))
    })
}

/// The commit in the file that `cargo package` adds: `"sha1": "…"`.
fn of_package(info: &Path) -> Option<String> {
    let text = read_and_watch(info)?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn read_and_watch(file: &Path) -> Option<String> {
    let text = read(file)?;
    println!("cargo:rerun-if-changed={}", file.display());
    Some(text)
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}
