//! What every form of output promises for any names at all: rows stay rows, terminals stay safe, JSON reads back.

mod counts;
mod graphs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use self::graphs::{graph, users};
use super::*;
use crate::findings::{self, AuditScope, Code, Diagnosis, Phrases};
use crate::model::{
    AccessMode, CommandName, Coverage, Endpoint, Fd, PathName, Pipe, PipeGraph, PipeKind, PossibleEnds, Probed,
    Process, Severity, Unseen, Users,
};
use crate::report::{Judgment, Scope};
use crate::report_file;

fn drawn(graph: &PipeGraph, format: &Format, width: Option<u16>) -> String {
    drawn_with(graph, &Users::default(), format, width)
}

fn drawn_with(graph: &PipeGraph, users: &Users, format: &Format, width: Option<u16>) -> String {
    let mut bytes = Vec::new();
    let style = Style { width, rows: width, full: true, ..Style::default() };
    ReportView::of_pipes(graph, users).render(format, &style, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn table(level: columns::Subject) -> TableFormat {
    let fits = |column: &Column| column.subject() == columns::Subject::Pipe || column.subject() == level;
    TableFormat { columns: Column::ALL.iter().copied().filter(fits).collect(), asked_for: true, headings: true }
}

/// The exact bytes of a name in a JSON object.
fn bytes_of(object: &Value, field: &str) -> Option<Vec<u8>> {
    match &object[format!("{field}_bytes")] {
        Value::String(base64) => Some(STANDARD.decode(base64).unwrap()),
        _ => object[field].as_str().map(|text| text.as_bytes().to_vec()),
    }
}

/// The ends of a pipe as JSON tells them: PID, thread, descriptor, access, flags and command.
type ReadBack = (u64, Option<u64>, u64, String, Option<Vec<String>>, Option<Vec<u8>>);

fn read_back(end: &Value) -> ReadBack {
    let strings = |value: &Value| serde_json::from_value::<Option<Vec<String>>>(value.clone()).unwrap();
    (
        end["pid"].as_u64().unwrap(),
        end["tid"].as_u64(),
        end["fd"].as_u64().unwrap(),
        end["access"].as_str().unwrap().to_owned(),
        strings(&end["flags"]),
        bytes_of(end, "command"),
    )
}

fn expected(graph: &PipeGraph, end: &Endpoint) -> ReadBack {
    let command = graph.processes.get(&end.pid).map_or_else(Vec::new, |process| process.command.to_vec());
    (
        end.pid.0.into(),
        end.tid.map(|tid| tid.0.into()),
        end.fd.0.into(),
        end.access.as_str().to_owned(),
        end.flags.map(|flags| flags.names().map(str::to_owned).collect()),
        Some(command),
    )
}

/// An end as a terminal shows it: with the blanks of its command.
fn with_blanks(end: &str) -> String {
    end.split(r"\\").map(|part| part.replace(r"\x20", " ")).collect::<Vec<_>>().join(r"\\")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn off_a_terminal_a_row_is_a_line_and_a_cell_is_a_field(graph in graph()) {
        let ends: usize = graph.pipes.iter().map(|pipe| pipe.ends.len()).sum();
        let pipes = (Format::Pipes(table(columns::Subject::Pipe)), graph.pipes.len());
        let ends = (Format::Ends(table(columns::Subject::End)), ends);
        for (format, rows) in [pipes, ends] {
            let text = drawn(&graph, &format, None);
            prop_assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "{:?}", text);
            let fields: Vec<usize> = text.lines().map(|line| line.split_whitespace().count()).collect();
            prop_assert_eq!(fields.len(), rows + 1);
            prop_assert!(fields.windows(2).all(|pair| pair[0] == pair[1]), "{}", text);
        }
    }

    /// A table, or blocks: no line is wider than the terminal, and no end is broken that there is room for.
    #[test]
    fn on_a_terminal_nothing_is_broken_that_there_is_room_for(graph in graph(), width in 40..200_u16) {
        let room = usize::from(width);
        let columns = vec![Column::Pipe, Column::Readers, Column::Writers];
        let format = Format::Pipes(TableFormat { columns, asked_for: true, headings: true });
        let (text, piped) = (drawn(&graph, &format, Some(width)), drawn(&graph, &format, None));
        prop_assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "{:?}", text);
        let rows: Vec<Vec<&str>> = piped.lines().map(|row| row.split_whitespace().collect()).collect();
        let is_table = text.lines().next().is_some_and(|line| line.contains("READERS"));
        for line in text.lines() {
            // An ID is never broken.
            prop_assert!(text::width(line) <= room || line.starts_with("PIPE "), "{width}: {line}");
        }
        // The IDs of the pipes, and so their rows, are in their order.
        let first = |line: &&str| is_table && !line.starts_with(' ') || line.starts_with("PIPE ");
        let word = |line: &str| line.split(' ').nth(usize::from(!is_table)).unwrap_or_default().to_owned();
        let firsts: Vec<String> = text.lines().filter(first).map(word).collect();
        let ids = rows.iter().map(|row| row[0].to_owned()).skip(usize::from(!is_table));
        prop_assert_eq!(firsts, ids.collect::<Vec<_>>());
        let most = if is_table { 31 } else { room - 11 };
        for end in rows.iter().flat_map(|row| &row[1..]).flat_map(|cell| cell.split(';')) {
            let end = with_blanks(end);
            if text::width(&end) <= most {
                prop_assert!(text.contains(&end), "{end} at {width}: {text}");
            }
        }
        // Every end closes with its descriptor and access, wherever the cell was wrapped, and who opens one with that.
        let commas = text.matches(',').count();
        let opening = |pipe: &Pipe, side| pipe.openers.iter().filter(|opener| opener.access.is_on(side)).count();
        let on_side = |pipe: &Pipe, side| pipe.side(side).count() + opening(pipe, side);
        let ends: usize = graph.pipes.iter().flat_map(|pipe| Side::BOTH.map(|side| on_side(pipe, side))).sum();
        prop_assert_eq!(commas, 2 * ends);
    }

    #[test]
    fn json_reads_back_to_the_same_report(graph in graph()) {
        let report: Value = serde_json::from_str(&drawn(&graph, &Format::Json, None)).unwrap();
        prop_assert_eq!(report["pipes"].as_array().unwrap().len(), graph.pipes.len());
        for (pipe, json) in graph.pipes.iter().zip(report["pipes"].as_array().unwrap()) {
            prop_assert_eq!(json["id"].as_str().unwrap().parse::<PipeId>(), Ok(pipe.id));
            prop_assert_eq!(json["deleted"].as_bool(), Some(pipe.deleted));
            prop_assert_eq!(bytes_of(json, "path"), pipe.path.as_ref().map(|path| path.to_vec()));
            for (field, side) in [("readers", Side::Read), ("writers", Side::Write)] {
                let read: Vec<ReadBack> = json[field].as_array().unwrap().iter().map(read_back).collect();
                let ends: Vec<ReadBack> = pipe.side(side).map(|end| expected(&graph, end)).collect();
                prop_assert_eq!(read, ends);
            }
        }
        for (process, json) in graph.processes.values().zip(report["processes"].as_array().unwrap()) {
            prop_assert_eq!(bytes_of(json, "command"), Some(process.command.to_vec()));
            let exact = |arguments: &Value| -> Option<Vec<Vec<u8>>> {
                Some(arguments.as_array()?.iter().map(|it| STANDARD.decode(it.as_str().unwrap()).unwrap()).collect())
            };
            let plain = |arguments: &Value| -> Option<Vec<Vec<u8>>> {
                Some(arguments.as_array()?.iter().map(|it| it.as_str().unwrap().as_bytes().to_vec()).collect())
            };
            let cmdline = exact(&json["cmdline_bytes"]).or_else(|| plain(&json["cmdline"]));
            let expected = process.cmdline.as_ref().map(|it| it.arguments().map(<[u8]>::to_vec).collect::<Vec<_>>());
            prop_assert_eq!(cmdline, expected);
        }
        let Coverage { gaps, outside, .. } = &graph.coverage;
        prop_assert_eq!(report["scan"]["complete"].as_bool(), Some(gaps.is_empty() && outside.is_none()));
    }

    #[test]
    fn a_saved_report_is_the_report(graph in graph(), names in users()) {
        let users = names.into_iter().collect();
        let json = drawn_with(&graph, &users, &Format::Json, None);
        let saved = report_file::parse(json.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
        prop_assert_eq!(&drawn_with(&saved.graph, &saved.users, &Format::Json, None), &json);
        let forms = [
            Format::Pipes(table(columns::Subject::Pipe)),
            Format::Ends(table(columns::Subject::End)),
            Format::Tables { table: table(columns::Subject::Descriptor), ids: true },
            Format::Ndjson,
            Format::Terse(vec![Side::Read]),
            Format::Terse(vec![Side::Write]),
        ];
        for form in forms {
            let read_back = drawn_with(&saved.graph, &saved.users, &form, None);
            prop_assert_eq!(read_back, drawn_with(&graph, &users, &form, None), "{:?}", form);
        }
        // On a terminal it is indented, and is the same.
        let pretty = drawn_with(&graph, &users, &Format::Json, Some(80));
        let saved = report_file::parse(pretty.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}: {pretty}")))?;
        prop_assert_eq!(&drawn_with(&saved.graph, &saved.users, &Format::Json, None), &json);
    }

    #[test]
    fn a_line_of_ndjson_is_the_pipe_of_the_report(graph in graph()) {
        let report: Value = serde_json::from_str(&drawn(&graph, &Format::Json, None)).unwrap();
        let lines: Vec<Value> =
            drawn(&graph, &Format::Ndjson, None).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let pipes: Vec<Value> = lines.iter().map(|line| line["pipe"].clone()).collect();
        prop_assert_eq!(&Value::Array(pipes), &report["pipes"]);
        prop_assert!(lines.iter().all(|line| line["host"] == report["host"] && line["taken_at"] == report["taken_at"]));
    }

    /// Its rules find much in such graphs. Each tells it in one line, which no name can break.
    #[test]
    fn an_audit_tells_its_findings_in_lines(graph in graph(), width in proptest::option::of(60..200_u16)) {
        let groups = std::collections::BTreeMap::new();
        let phrases = Phrases { graph: &graph, groups: &groups, users: &Users::default() };
        let findings = findings::audit(&phrases, Some(2));
        let heads: Vec<String> =
            findings.iter().map(|it| format!("{}: {}: ", if it.severity == Severity::Info { "notice" } else { it.severity.as_str() }, it.code)).collect();
        let diagnosis = Diagnosis { waits: Vec::new(), findings };
        let scope = Scope::Everything;
        let audited = AuditScope {
            codes: Code::ALL.to_vec(),
            not_judged: Vec::new(),
            severity: Severity::Info,
            each: true,
            filtered: false,
            known: 0,
            confirmed_after: None,
            took: std::time::Duration::ZERO,
        };
        let judgment =
            Judgment { diagnosis: &diagnosis, groups: &groups, scope: &scope, audit: Some(&audited), why: None, may_probe: false, from_file: false };
        let users = Users::default();
        let drawn = |format: &Format, width| {
            let mut bytes = Vec::new();
            let view = ReportView { judgment: Some(judgment), ..ReportView::of_pipes(&graph, &users) };
            view.render(format, &Style { width, rows: width, ..Style::default() }, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let text = drawn(&Format::Text, width);
        prop_assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || text::is_unsafe_char(c))), "{:?}", text);
        let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
        prop_assert!(shown.len() > heads.len(), "the last line sums up: {}", text);
        prop_assert!(shown.iter().zip(&heads).all(|(line, head)| line.starts_with(head.trim_end())), "{}", text);
        let report: Value = serde_json::from_str(&drawn(&Format::Json, width)).unwrap();
        let findings = report["findings"].as_array().unwrap();
        prop_assert_eq!(findings.len(), heads.len());
        for finding in findings {
            for field in ["message", "advice"] {
                let words = finding[field].as_str().unwrap();
                prop_assert!(!words.chars().any(|c| c.is_control() || text::is_unsafe_char(c)), "{:?}", words);
            }
        }
    }

    #[test]
    fn an_absent_end_is_a_dash_only_if_it_is_surely_absent(graph in graph()) {
        let columns = vec![Column::Readers, Column::Writers];
        let text = drawn(&graph, &Format::Pipes(TableFormat { columns, asked_for: true, headings: false }), None);
        for (pipe, line) in graph.pipes.iter().zip(text.lines()) {
            for (cell, side) in line.split_whitespace().zip([Side::Read, Side::Write]) {
                let opens = |side| pipe.openers.iter().any(|opener| opener.access.is_on(side));
                let absent = pipe.side(side).next().is_none() && !opens(side);
                let Coverage { gaps, outside, .. } = &graph.coverage;
                let is_fifo = pipe.id.kind() == PipeKind::Fifo;
                let is_there = |may_hold: PossibleEnds| {
                    if is_fifo { may_hold.device.is_none_or(|it| pipe.id.device() == Some(it)) } else { may_hold.anonymous }
                };
                let hidden = outside.is_some() || gaps.iter().any(|gap| is_there(gap.may_hold) && match side {
                    Side::Read => gap.may_hold.read,
                    Side::Write => gap.may_hold.write,
                });
                let probed = graph.probed.get(&pipe.id).cloned().unwrap_or_default();
                let exists = match side {
                    Side::Read => probed.reader,
                    Side::Write => probed.writer,
                };
                let (count, unseen) = (probed.count(side), probed.unseen(side));
                let [others, references] = [0, 1].map(|part| {
                    let of = |unseen: Unseen| if part == 0 { unseen.descriptions.into() } else { unseen.references };
                    unseen.map(of).map(|number| number > 0)
                });
                let expected = match (exists, others, count) {
                    (Some(_), Some(false), _) | (Some(false), ..) => "-",
                    (Some(true), ..) => "hidden",
                    (None, _, Some(1..)) | (None, Some(true), _) => "?",
                    (None, Some(false), _) if references == Some(false) => "-",
                    (None, ..) => if hidden { "?" } else { "-" },
                };
                if absent {
                    prop_assert_eq!(cell, expected);
                } else {
                    prop_assert!(!["hidden", "-", "?"].contains(&cell));
                    prop_assert_eq!(cell.ends_with(";hidden"), others == Some(true));
                }
            }
        }
    }
}

/// Neither the stack nor the length of a line limits a pipeline, and as a tree it takes no more than a few times its length.
#[test]
fn a_long_pipeline_is_drawn() {
    const LENGTH: u32 = 20_000;
    let end = |pid: u32, fd, access| Endpoint {
        pid: Pid(pid),
        tid: None,
        fd: Fd(fd),
        access,
        flags: None,
        description: None,
    };
    let pipe = |pid: u32| Pipe {
        ends: vec![end(pid, 1, AccessMode::Write), end(pid + 1, 0, AccessMode::Read)],
        ..Pipe::unknown(PipeId::anonymous(pid.into()))
    };
    let graph = PipeGraph {
        pipes: (1..LENGTH).map(pipe).collect(),
        processes: (1..=LENGTH).map(|pid| (Pid(pid), Process::unknown(Pid(pid)))).collect(),
        ..bare_graph()
    };
    let dataflow = Diagnosis::default().dataflow(&graph, &crate::judge::processes::NO_THREADS);
    let users = Users::default();
    let drawn = |form| {
        let mut bytes = Vec::new();
        let format = Format::Drawing(form);
        let style = Style::default();
        let view = ReportView { dataflow: Some(&dataflow), ..ReportView::of_pipes(&graph, &users) };
        view.render(&format, &style, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let tree = drawn(DrawingFormat::Tree);
    assert!(tree.lines().all(|line| text::width(line) < 100), "the widest line is too wide");
    let in_line = |line: &str| line.split_once("process (")?.1.split_once(')')?.0.parse().ok();
    let named: BTreeSet<u32> = tree.lines().filter_map(in_line).collect();
    assert_eq!(named.len(), LENGTH as usize);
    // Where it goes on at the left, the one before stands there again.
    let goes_on = tree.lines().filter(|line| line.contains(", goes on below")).count();
    assert_eq!(tree.lines().filter(|line| line.ends_with(", from above")).count(), goes_on);
    assert_eq!(tree.lines().count(), LENGTH as usize + goes_on);
    for (form, word) in
        [(DrawingFormat::Dot, " -> "), (DrawingFormat::Mermaid, " -->|"), (DrawingFormat::Json, "\"to\":{")]
    {
        assert_eq!(drawn(form).matches(word).count(), LENGTH as usize - 1);
    }
}

/// A machine without a pipe, of which all is known.
fn bare_graph() -> PipeGraph {
    PipeGraph {
        coverage: Coverage { processes: 1, privileged: false, ..PipeGraph::empty().coverage },
        ..PipeGraph::empty()
    }
}

/// Only a pipe that is full has a bar that is whole, whatever its bytes say, and only an empty one has none.
#[test]
fn bar_tells_how_full_a_pipe_is() {
    let cell = |queued, full| {
        let id = PipeId::anonymous(7);
        let probed = Probed { queued: Some(queued), capacity: Some(65536), full, ..Probed::default() };
        let end =
            Endpoint { pid: Pid(1), tid: None, fd: Fd(0), access: AccessMode::Write, flags: None, description: None };
        let graph = PipeGraph {
            pipes: vec![Pipe { ends: vec![end], ..Pipe::unknown(id) }],
            probed: std::collections::BTreeMap::from([(id, probed)]),
            ..bare_graph()
        };
        let format = Format::Pipes(TableFormat { columns: vec![Column::Queued], asked_for: true, headings: false });
        (drawn(&graph, &format, Some(80)), drawn(&graph, &format, None))
    };
    let cases = [
        (0, Some(false), "      0\n", "0\n"),
        (1, Some(false), "      1 ▏\n", "1\n"),
        (16, Some(true), "     16 █████\n", "16\n"),
        (32768, Some(false), "  32768 ██▌\n", "32768\n"),
        (65535, Some(false), "  65535 ████▉\n", "65535\n"),
        (65536, Some(true), "  65536 █████\n", "65536\n"),
        // Of a pipe without a write end nobody can tell.
        (65536, None, "  65536 ████▉\n", "65536\n"),
    ];
    for (queued, full, terminal, piped) in cases {
        assert_eq!(cell(queued, full), (terminal.to_owned(), piped.to_owned()));
    }
}

fn holders(command: &str, pids: std::ops::Range<u32>) -> PipeGraph {
    let end = |pid| Endpoint {
        pid: Pid(pid),
        tid: None,
        fd: Fd(3),
        access: AccessMode::Write,
        flags: None,
        description: None,
    };
    let process = |pid| Process { command: CommandName(command.as_bytes().to_vec()), ..Process::unknown(Pid(pid)) };
    PipeGraph {
        pipes: vec![Pipe { ends: pids.clone().map(end).collect(), ..Pipe::unknown(PipeId::anonymous(7)) }],
        processes: pids.map(|pid| (Pid(pid), process(pid))).collect(),
        ..bare_graph()
    }
}

/// Sixty backends of a database take one line on a terminal, and all of them with `--full` and off it.
#[test]
fn many_holders_of_one_command_are_folded() {
    let columns = vec![Column::Pipe, Column::Readers, Column::Writers];
    let format = Format::Pipes(TableFormat { columns, asked_for: true, headings: false });
    let drawn = |graph: &PipeGraph, style: &Style| {
        let mut bytes = Vec::new();
        ReportView::of_pipes(graph, &Users::default()).render(&format, style, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let fitted = Style { width: Some(80), ..Style::default() };
    let (few, many) = (holders("postgres", 1..9), holders("postgres", 1..65));
    assert_eq!(drawn(&many, &fitted), "pipe:[7]  -  postgres ×64\n");
    assert_eq!(drawn(&many, &Style { ascii: true, ..fitted }), "pipe:[7]  -  postgres x64\n");
    assert_eq!(drawn(&few, &fitted).matches(",postgres,3w").count(), 8);
    for style in [Style { full: true, ..fitted }, Style::default()] {
        assert_eq!(drawn(&many, &style).matches(",postgres,3w").count(), 64);
    }
    assert_eq!(drawn(&holders("tmux: server", 1..2), &fitted), "pipe:[7]  -  1,tmux: server,3w\n");
    assert_eq!(drawn(&holders("tmux: server", 1..2), &Style::default()), "pipe:[7]  -  1,tmux:\\x20server,3w\n");
}

/// Where the lines have no room for a table, a row is a block, and its path is in one piece.
#[test]
fn a_narrow_table_becomes_blocks() {
    let path = "/run/user/1000/a folder/with a fifo";
    let mut graph = holders("nginx: worker", 1_000_000..1_000_002);
    graph.pipes[0].path = Some(PathName(path.as_bytes().to_vec()));
    let columns = vec![Column::Pipe, Column::Kind, Column::Readers, Column::Writers, Column::Name];
    let format = |headings| Format::Pipes(TableFormat { columns: columns.clone(), asked_for: false, headings });
    let blocks = format!(
        "PIPE pipe:[7]  KIND anonymous\n  READERS  -\n  WRITERS  1000000,nginx: worker,3w\n           \
         1000001,nginx: worker,3w\n  NAME     {path}\n"
    );
    assert_eq!(drawn(&graph, &format(true), Some(40)), blocks);
    let table = drawn(&graph, &format(true), Some(66));
    assert_eq!(table.lines().next().unwrap(), "PIPE      READERS  WRITERS                   NAME");
    assert!(table.contains(&format!("\n    {path}\n")), "{table}");
    let bare = drawn(&graph, &format(false), Some(40));
    assert_eq!(bare.lines().next().unwrap(), "pipe:[7]  anonymous");
    assert_eq!(bare.lines().last().unwrap(), format!("  {path}"));
}
