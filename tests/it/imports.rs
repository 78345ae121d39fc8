//! Which room of the crate may import which. A room is a file or folder directly below src/; main.rs, lib.rs and run know them all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may import, which stand above it: so there is no circle.
const MAY_IMPORT: [(&str, &[&str]); 22] = [
    ("model", &[]),
    ("escape", &[]),
    ("privilege", &[]),
    ("sys", &["model"]),
    ("guard", &["model", "sys"]),
    ("pager", &["sys"]),
    ("users", &["model", "sys"]),
    ("files", &["escape", "privilege", "sys"]),
    ("judge", &["model"]),
    ("select", &["model", "judge"]),
    ("diff", &["model", "judge"]),
    ("observe", &["model", "escape", "privilege", "sys", "judge", "select"]),
    ("findings", &["model", "escape", "judge", "observe"]),
    ("baseline", &["model", "escape", "sys", "files", "judge", "findings"]),
    ("report", &["model", "escape", "judge", "findings"]),
    ("report_file", &["model", "escape", "sys", "files", "findings", "report"]),
    ("render", &["model", "escape", "judge", "diff", "findings", "report"]),
    ("cli", &["model", "select", "findings", "report", "report_file", "render"]),
    ("note", &["model", "escape", "privilege", "judge", "select", "observe", "cli"]),
    ("generate", &["findings", "render", "cli"]),
    ("complete", &["model", "escape", "privilege", "users", "findings", "render", "cli"]),
    ("fuzzing", &["observe", "baseline", "escape"]),
];

/// The source files below a folder, without those of unit tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let is_test = |path: &PathBuf| matches!(path.file_stem().and_then(|it| it.to_str()), Some("tests" | "testing"));
    let code = entries.filter(|path| !is_test(path));
    code.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed = BTreeMap::from(MAY_IMPORT);
    for (place, (room, others)) in MAY_IMPORT.iter().enumerate() {
        let above = &MAY_IMPORT[..place];
        assert!(others.iter().all(|other| above.iter().any(|(name, _)| name == other)), "a circle at {room}");
    }
    for path in sources(&source) {
        let below = path.strip_prefix(&source).expect("below src/");
        let room = below.iter().next().and_then(|first| first.to_str()).expect("a name").trim_end_matches(".rs");
        if matches!(room, "main" | "lib" | "run") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (_, import) in line.match_indices("crate::").map(|(at, found)| line.split_at(at + found.len())) {
                let other = import.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default();
                let may = allowed.get(room).is_some_and(|rooms| other == room || rooms.contains(&other));
                assert!(may, "{} imports {other}: see MAY_IMPORT", below.display());
            }
        }
    }
}
