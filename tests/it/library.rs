//! The library in a program of its own: this one.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::process;

use lspipe::{Note, PipeName, Question, Request, SelectionArgs, report};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::thread::capabilities;

fn of(pipe: PipeName) -> SelectionArgs {
    SelectionArgs { pipes: vec![pipe], ..SelectionArgs::default() }
}

#[test]
fn an_embedder_sees_its_own_pipe() {
    let (reader, writer) = io::pipe().expect("pipe");
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    for question in [Question::Pipes, Question::Why] {
        let answer = report(&Request::new(question(of(PipeName::Path(path.clone().into()))))).expect("a report");
        let [pipe] = answer.graph.pipes.as_slice() else { panic!("one pipe: {:?}", answer.graph.pipes) };
        let own = pipe.ends.iter().filter(|end| end.pid.0 == process::id());
        let fds: Vec<i32> = own.map(|end| end.fd.0.cast_signed()).collect();
        assert!([reader.as_raw_fd(), writer.as_raw_fd()].iter().all(|fd| fds.contains(fd)), "{pipe:?}");
        let mut json = Vec::new();
        answer.write_json(&mut json).expect("a vector takes all");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["pipes"][0]["id"], pipe.id.to_string());
    }
}

/// A probe takes a helper, and without one the program of the embedder is not started as it.
#[test]
fn an_embedder_is_not_run_again_and_keeps_its_capabilities() {
    let before = capabilities(None).expect("capget");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("mkfifo");
    let _both = File::options().read(true).write(true).open(&path).expect("open");
    let request = Request { probe: true, ..Request::new(Question::Pipes(of(PipeName::Path(path)))) };
    let answer = report(&request).expect("a report");
    assert_eq!(answer.graph.pipes.len(), 1);
    assert!(answer.notes.iter().any(|note| matches!(note, Note::NoProbe(_))), "{:?}", answer.notes);
    assert_eq!(capabilities(None).expect("capget"), before);
}
