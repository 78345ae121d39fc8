//! Where lspipe itself may have too few files open, it answers whole or not at all: what it could not open says nothing of others.

use std::process::Command;

use super::why::findings_of;
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::scene::Scene;
use crate::support::user::User;

#[test]
fn too_few_files_are_an_error_and_no_gap() {
    need!(Need::PYTHON, Need::Program("sh"));
    let scene = Scene::start_with("why_fork", User::Me, &["gone"]);
    let pid = scene.truth.number("/child").to_string();
    let (mut failed, mut answered) = (0, 0);
    for files in 3..24 {
        for args in ["--json", "why --json", "audit --json", "graph --json", &format!("fds {pid} --json")] {
            let script = format!("ulimit -n {files}; exec \"$0\" {args}");
            let output =
                Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_lspipe")]).output().expect("run sh");
            let stderr = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0 | 1) if args.starts_with("graph") => answered += 1,
                Some(0 | 1) => {
                    answered += 1;
                    let report = Report::parse(&output.stdout);
                    assert!(
                        !report.unreadable.iter().any(|gap| gap.error.contains("FILE")),
                        "{files} {args}: {stderr}"
                    );
                    scene.truth.assert_pipe("pipe", &report);
                    if args.starts_with("why") || args.starts_with("audit") {
                        assert_eq!(findings_of(&scene, &report).len(), 1, "{files} {args}");
                    }
                }
                // The loader, too, needs some: it fails with 127.
                code => {
                    failed += 1;
                    assert!(matches!(code, Some(2 | 127)), "{files} {args}: {code:?} {stderr}");
                    assert!(!stderr.is_empty() && output.stdout.is_empty(), "{files} {args}: {stderr}");
                }
            }
        }
    }
    assert!(failed > 0 && answered > 0, "{failed} {answered}");
}
