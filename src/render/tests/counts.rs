//! What the kernel counts, in each format that shows it.

use super::*;
use crate::model::Uid;

const READ: AccessMode = AccessMode::Read;
const WRITE: AccessMode = AccessMode::Write;

/// A pipe with a reader and a writer, of which the kernel counts this besides.
fn counted(unseen: [Option<Unseen>; 2]) -> PipeGraph {
    let end = |pid: u32, fd, access| Endpoint {
        pid: Pid(pid),
        tid: None,
        fd: Fd(fd),
        access,
        flags: None,
        description: Some(pid),
    };
    let of = |pid| Process { uid: Some(Uid(7)), command: "cat".into(), ..Process::unknown(Pid(pid)) };
    let id = PipeId::anonymous(7);
    let probed = Probed {
        queued: Some(12),
        capacity: Some(65536),
        full: Some(false),
        reader: Some(true),
        writer: Some(true),
        readers: Some(1),
        writers: Some(2),
        unseen_readers: unseen[0],
        unseen_writers: unseen[1],
        ..Probed::default()
    };
    PipeGraph {
        pipes: vec![Pipe { ends: vec![end(1, 0, READ), end(2, 1, WRITE)], ..Pipe::unknown(id) }],
        processes: [1, 2].map(|pid| (Pid(pid), of(pid))).into(),
        probed: [(id, probed)].into(),
        ..bare_graph()
    }
}

fn unseen(descriptions: u32, references: u64) -> Option<Unseen> {
    Some(Unseen { descriptions, references })
}

fn cells(graph: &PipeGraph, columns: Vec<Column>) -> String {
    drawn(graph, &Format::Pipes(TableFormat { columns, asked_for: true, headings: false }), None)
}

#[test]
fn an_end_besides_others_stands_after_them() {
    let sides = |unseen| cells(&counted(unseen), vec![Column::Readers, Column::Writers]);
    assert_eq!(sides([unseen(0, 0), unseen(0, 0)]), "1,cat,0r  2,cat,1w\n");
    assert_eq!(sides([unseen(0, 0), unseen(1, 0)]), "1,cat,0r  2,cat,1w;hidden\n");
    assert_eq!(sides([unseen(2, 0), unseen(0, 3)]), "1,cat,0r;hidden  2,cat,1w\n");
    let ends = |unseen| {
        let columns = vec![Column::Fd, Column::Peers];
        let format = Format::Ends(TableFormat { columns, asked_for: true, headings: false });
        drawn(&counted(unseen), &format, None)
    };
    assert_eq!(ends([unseen(0, 0), unseen(1, 0)]), "0  2,cat,1w;hidden\n1  1,cat,0r\n");
}

#[test]
fn sizes_that_the_kernel_told_need_no_probe() {
    let graph = counted([None; 2]);
    let columns = vec![Column::Queued, Column::Capacity, Column::Full];
    assert_eq!(cells(&graph, columns.clone()), "12  65536  no\n");
    let format = |columns| Format::Pipes(TableFormat { columns, asked_for: true, headings: false });
    assert_eq!(format(columns.clone()).unknown_column(&graph), None);
    let unknown = PipeGraph { probed: std::collections::BTreeMap::new(), ..graph };
    assert_eq!(format(columns).unknown_column(&unknown), Some(Column::Queued));
    assert_eq!(format(vec![Column::Pipe, Column::Full]).unknown_column(&unknown), Some(Column::Full));
    assert_eq!(format(vec![Column::Pipe]).unknown_column(&unknown), None);
    assert_eq!(format(vec![Column::Full]).unknown_column(&bare_graph()), None, "there is no pipe");
}

/// The text and the graph that is read back from it say the same.
#[test]
fn a_report_has_the_counts() {
    let graph = counted([unseen(0, 2), unseen(1, 0)]);
    let text = drawn(&graph, &Format::Json, None);
    let json: Value = serde_json::from_str(&text).unwrap();
    let pipe = &json["pipes"][0];
    assert_eq!([&pipe["reader_count"], &pipe["writer_count"]], [1, 2]);
    assert_eq!(pipe["unseen_readers"], serde_json::json!({"descriptions": 0, "references": 2}));
    assert_eq!(pipe["unseen_writers"], serde_json::json!({"descriptions": 1, "references": 0}));
    assert_eq!((&pipe["hidden_readers"], &pipe["hidden_writers"]), (&Value::Null, &true.into()));
    assert_eq!(pipe["readers"][0]["description"], 1);
    assert!(pipe["hidden_by"].is_array());
    let plain = drawn(&PipeGraph { probed: std::collections::BTreeMap::new(), ..graph }, &Format::Json, None);
    assert!(!plain.contains("unseen_") && !plain.contains("_count\""));
}

#[test]
fn metrics_have_what_was_counted() {
    let of = |graph: &PipeGraph| {
        let text = drawn(graph, &Format::Metrics, None);
        let is_counted = |line: &&str| {
            ["accounted_pipes", "hidden_ends", "full_pipes", "queued_bytes"]
                .iter()
                .any(|name| line.starts_with(&format!("lspipe_{name}")))
        };
        text.lines().filter(is_counted).map(|line| line["lspipe_".len()..].to_owned()).collect::<Vec<_>>()
    };
    let [sides, of_writers] = [r#"hidden_ends{side="read"} 0"#, r#"hidden_ends{side="write"}"#];
    let expected = |whole: u8, hidden: u8| {
        let (whole, hidden) = (format!("accounted_pipes {whole}"), format!("{of_writers} {hidden}"));
        vec![whole, sides.to_owned(), hidden, "full_pipes 0".to_owned(), "queued_bytes 12".to_owned()]
    };
    assert_eq!(of(&counted([unseen(0, 0), unseen(0, 0)])), expected(1, 0));
    assert_eq!(of(&counted([unseen(0, 0), unseen(3, 0)])), expected(0, 3));
    assert_eq!(of(&counted([unseen(0, 0), unseen(0, 1)])), expected(0, 0));
    assert_eq!(of(&counted([None; 2])), ["full_pipes 0", "queued_bytes 12"]);
    assert_eq!(of(&bare_graph()), Vec::<String>::new());
}
