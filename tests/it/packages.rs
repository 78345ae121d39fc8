//! What is packaged: the files that `make install` puts in place, those of the Debian package, and the units' program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::need::{Need, need, program};
use crate::support::run::lspipe;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What is installed below a prefix, with its mode, and the file in the sources that it has the bytes of.
const INSTALLED: [(&str, u32, &str); 11] = [
    ("bin/lspipe", 0o755, env!("CARGO_BIN_EXE_lspipe")),
    ("lib/systemd/system/lspipe-audit.service", 0o644, "contrib/systemd/lspipe-audit.service"),
    ("lib/systemd/system/lspipe-audit.timer", 0o644, "contrib/systemd/lspipe-audit.timer"),
    ("share/bash-completion/completions/lspipe", 0o644, "src/generate/lspipe.bash"),
    ("share/doc/lspipe/CHANGELOG.md", 0o644, "CHANGELOG.md"),
    ("share/doc/lspipe/LICENSE-APACHE", 0o644, "LICENSE-APACHE"),
    ("share/doc/lspipe/LICENSE-MIT", 0o644, "LICENSE-MIT"),
    ("share/doc/lspipe/README.md", 0o644, "README.md"),
    ("share/fish/vendor_completions.d/lspipe.fish", 0o644, "src/generate/lspipe.fish"),
    ("share/man/man1/lspipe.1", 0o644, "man/lspipe.1"),
    ("share/zsh/site-functions/_lspipe", 0o644, "src/generate/_lspipe.zsh"),
];

#[track_caller]
fn make(args: &[&str]) {
    // Not those of a make(1) that runs the tests.
    let mut make = Command::new("make");
    make.args(["-C", ROOT]).args(args).env_remove("MAKEFLAGS").env_remove("PREFIX").env_remove("DESTDIR");
    let output = make.output().expect("run make");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// All files below a folder.
fn files(root: &Path, folder: &Path, into: &mut BTreeMap<PathBuf, PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(root, &path, into);
        } else {
            into.insert(path.strip_prefix(root).expect("below it").to_owned(), path);
        }
    }
}

#[test]
fn make_installs_these_files_and_removes_them() {
    need!(Need::Program("make"), Need::Program("install"), Need::Program("man"));
    let root = TempDir::new().expect("temporary directory");
    let [destination, binary] =
        [format!("DESTDIR={}", root.path().display()), concat!("BINARY=", env!("CARGO_BIN_EXE_lspipe")).to_owned()];
    for (prefix, assigned) in [("usr/local", None), ("usr", Some("PREFIX=/usr"))] {
        let args: Vec<&str> = [&*destination, &*binary].into_iter().chain(assigned).collect();
        make(&[&["install"], &*args].concat());
        let mut found = BTreeMap::new();
        files(root.path(), root.path(), &mut found);
        let expected: Vec<PathBuf> = INSTALLED.iter().map(|(path, ..)| Path::new(prefix).join(path)).collect();
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
        for (path, mode, source) in INSTALLED {
            let installed = &found[&Path::new(prefix).join(path)];
            let permissions = fs::metadata(installed).expect("metadata").permissions();
            assert_eq!(permissions.mode() & 0o7777, mode, "{path}");
            let read = |file: &Path| fs::read(file).expect("read");
            assert!(read(installed) == read(&Path::new(ROOT).join(source)), "{path} is not {source}");
        }
        let page = &found[&Path::new(prefix).join("share/man/man1/lspipe.1")];
        let output =
            Command::new("man").args(["-P", "cat", "-l"]).arg(page).env("LC_ALL", "C.UTF-8").output().expect("run man");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success() && text.contains("NAME") && text.contains("EXIT STATUS"), "{text}");

        make(&[&["uninstall"], &*args].concat());
        let mut left = BTreeMap::new();
        files(root.path(), root.path(), &mut left);
        assert_eq!(left, BTreeMap::new());
    }
}

/// The Debian package and `make install` have the same, but for what Debian has in other places.
#[test]
fn the_debian_package_has_what_make_installs() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("read");
    let (_, assets) = manifest.split_once("\nassets = [\n").expect("assets");
    let assets = assets.split("\n]").next().expect("a list").lines();
    let found: BTreeMap<&str, [&str; 2]> = assets
        .map(|line| {
            let fields: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            let [source, place, mode] = *fields else { panic!("{line}") };
            (source, [place, mode])
        })
        .collect();
    for source in found.keys().filter(|source| **source != "target/release/lspipe") {
        assert!(Path::new(ROOT).join(source).is_file(), "no {source}");
    }
    let expected =
        INSTALLED.iter().filter(|(_, _, source)| !source.starts_with("LICENSE")).map(|(path, mode, source)| {
            let source = if *path == "bin/lspipe" { "target/release/lspipe" } else { source };
            let place = path.replace("zsh/site-functions", "zsh/vendor-completions");
            (source, format!("usr/{place}"), format!("{mode:o}"))
        });
    let expected: Vec<_> = expected.collect();
    for (source, place, mode) in &expected {
        let [found, found_mode] = found.get(source).unwrap_or_else(|| panic!("the package lacks {source}"));
        // A place that ends with a slash keeps the name.
        let is_there = found == place
            || (found.ends_with('/') && place.rsplit_once('/').is_some_and(|(dir, _)| format!("{dir}/") == *found));
        assert!(is_there && found_mode == mode, "{source}: {found} {found_mode}, not {place} {mode}");
    }
    // Debian has one file for the licenses.
    assert_eq!(found.len(), expected.len() + 1, "{found:?}");
    assert_eq!(found.get("packaging/copyright"), Some(&["usr/share/doc/lspipe/copyright", "644"]));
}

/// The scripts that are packaged are those that `--generate` prints.
#[test]
fn packaged_completions_are_the_generated_ones() {
    for (kind, source) in [("bash", "lspipe.bash"), ("zsh", "_lspipe.zsh"), ("fish", "lspipe.fish")] {
        let output = lspipe(["--generate".to_owned(), format!("complete-{kind}")]).run().expect(0);
        let file = fs::read_to_string(Path::new(ROOT).join("src/generate").join(source)).expect("read");
        assert!(output.text() == file, "{source}");
    }
}

/// The files in a folder of sources, the digits of the commit, and the files that are watched.
type Layout<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [&'a str]);

/// build.rs, in folders as git and cargo make them: which commit it says, and what has it run again.
#[test]
fn the_build_script_finds_the_commit() {
    need!(Need::Program("rustc"));
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let home = TempDir::new().expect("temporary directory");
    let script = home.path().join("script");
    let rustc = Command::new(program("rustc").expect("checked by need"))
        .args(["--edition=2024", "-o"])
        .args([&script, &Path::new(ROOT).join("build.rs")])
        .output();
    let rustc = rustc.expect("run rustc");
    assert!(rustc.status.success(), "{}", String::from_utf8_lossy(&rustc.stderr));
    let packed =
        format!("# pack-refs with: peeled\n{} refs/heads/other\n{COMMIT} refs/heads/main\n", COMMIT.replace('0', "f"));
    let info = format!("{{\n  \"git\": {{\n    \"sha1\": \"{COMMIT}\"\n  }},\n  \"path_in_vcs\": \"\"\n}}");
    let (branch, detached) = ("ref: refs/heads/main\n", format!("{COMMIT}\n"));
    let commit = detached.as_str();
    let layouts: [Layout<'_>; 7] = [
        (&[(".git/HEAD", branch), (".git/refs/heads/main", commit)], "0123456", &[".git/HEAD", ".git/refs/heads/main"]),
        (
            &[(".git/HEAD", branch), (".git/packed-refs", &packed), (".git/logs/HEAD", "")],
            "0123456",
            &[".git/HEAD", ".git/logs/HEAD", ".git/packed-refs"],
        ),
        (&[(".git/HEAD", commit)], "0123456", &[".git/HEAD"]),
        (
            &[
                (".git", "gitdir: main/worktrees/here\n"),
                ("main/worktrees/here/HEAD", branch),
                ("main/worktrees/here/commondir", "../..\n"),
                ("main/refs/heads/main", commit),
            ],
            "0123456",
            &["main/worktrees/here/HEAD", "main/worktrees/here/../../refs/heads/main"],
        ),
        (&[(".cargo_vcs_info.json", &info)], "0123456", &[".cargo_vcs_info.json"]),
        (&[(".git/HEAD", "ref: refs/heads/unborn\n")], "", &[".git/HEAD"]),
        (&[], "", &[]),
    ];
    for (place, (sources, digits, watched)) in layouts.into_iter().enumerate() {
        let folder = home.path().join(place.to_string());
        fs::create_dir(&folder).expect("a folder");
        for (name, text) in sources {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("write");
        }
        let output = Command::new(&script).current_dir(&folder).output().expect("run the build script");
        let expected: String = std::iter::once(&"build.rs")
            .chain(watched)
            .map(|file| format!("cargo:rerun-if-changed={file}\n"))
            .chain([format!("cargo:rustc-env=LSPIPE_COMMIT={digits}\n")])
            .collect();
        assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), expected, "{sources:?}");
        assert!(output.status.success());
    }
}
