//! `--csv`: any columns, read back by a reader of RFC 4180, are what the table shows.

use super::Stage;
use crate::support::table::Table;

/// The records, by the grammar of RFC 4180; anything else fails.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            assert!(field.is_empty(), "a quote within a field: {rest:?}");
            let mut end = 0;
            loop {
                end += quoted[end..].find('"').expect("the closing quote");
                if !quoted[end + 1..].starts_with('"') {
                    break;
                }
                end += 2;
            }
            field = quoted[..end].replace("\"\"", "\"");
            rest = &quoted[end + 1..];
        } else {
            let end = rest.find([',', '\r', '\n', '"']).unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        if let Some(after) = rest.strip_prefix("\r\n") {
            record.push(std::mem::take(&mut field));
            records.push(std::mem::take(&mut record));
            rest = after;
        } else {
            rest = rest.strip_prefix(',').unwrap_or_else(|| panic!("neither a comma nor a line end: {rest:?}"));
            record.push(std::mem::take(&mut field));
        }
    }
    assert!(record.is_empty() && field.is_empty(), "the last record has no line end");
    records
}

/// Each field is the cell of the table, but that nothing is nothing.
#[test]
fn fields_are_the_cells_of_the_table() {
    let stage = Stage::new();
    for form in [
        &[][..],
        &["-e"],
        &["-o", "PIPE,NAME,DEV,INODE,DELETED"],
        &["-e", "-o", "+PPID,PGID,STATE,CMDLINE"],
        &["-o", "PEERS,SHARED,PID,READERS"],
        &["-p", "311", "-o", "FLAGS,FD"],
    ] {
        let text = stage.text(form);
        let table = Table::parse(&text);
        let found = records(&stage.text(&[form, &["--csv"]].concat()));
        assert_eq!(found[0], table.header(), "{form:?}");
        assert_eq!(found.len(), table.rows().len() + 1, "{form:?}");
        for (record, row) in found[1..].iter().zip(table.rows()) {
            let cells: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(record.len(), cells.len(), "{form:?}: {row}");
            for (field, cell) in record.iter().zip(cells) {
                assert!(
                    field == cell || (field.is_empty() && cell == "-"),
                    "{form:?}: {field:?} for {cell:?} of {row}"
                );
            }
        }
        // And without the headings.
        assert_eq!(records(&stage.text(&[form, &["--csv", "-n"]].concat())), found[1..], "{form:?}");
    }
}

/// A name may be anything, and must separate no fields, act on no terminal, and be no formula of a spreadsheet.
#[test]
fn names_are_safe() {
    let stage = Stage::new();
    let names = [
        ("a,b\"c", "a,b\"c"),
        ("tmux: server", "tmux: server"),
        (" blanks ", " blanks "),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("=1+cmd", "\\x3d1+cmd"),
        ("+1", "\\x2b1"),
        ("-bash", "\\x2dbash"),
        ("@SUM", "\\x40SUM"),
        ("a=1", "a=1"),
        ("back\\slash", "back\\\\slash"),
    ];
    for (pid, (name, _)) in (1000..).zip(names) {
        stage.tree.process(pid, name).fd(pid, 1, "pipe:[700]", "01");
    }
    let text = stage.text(&["--csv", "-n", "-o", "COMMAND,CMDLINE,PID", "pipe:[700]"]);
    let found = records(&text);
    assert_eq!(found.len(), names.len());
    for ((record, (_, shown)), pid) in found.iter().zip(names).zip(1000..) {
        assert_eq!(record, &[shown, shown, &pid.to_string()]);
    }
    assert!(!text.replace("\r\n", "").contains(|character: char| character.is_control()), "{text:?}");
    // An end is written as everywhere.
    let ends = &records(&stage.text(&["--csv", "-n", "-o", "WRITERS", "pipe:[700]"]))[0][0];
    assert!(ends.starts_with("1000,a\\x2cb\"c,1w;1001,tmux:\\x20server,1w;"), "{ends}");
}

/// What is said stands on stderr, and the headings are there though nothing matches.
#[test]
fn nothing_but_records_on_stdout() {
    let stage = Stage::new();
    let output = stage.run(&["--csv", "-c", "nosuch"]).expect(1);
    assert_eq!(output.text(), "PIPE,KIND,READERS,WRITERS,NAME\r\n");
    assert_eq!(output.stderr, "lspipe: no process is named nosuch\n");
    std::fs::remove_dir_all(stage.tree.root().join("60/fd")).expect("remove");
    let output = stage.run(&["--csv", "-o", "PIPE,READERS", "9007"]).expect(0);
    assert_eq!(output.text(), "PIPE,READERS\r\npipe:[9007],?\r\n");
    assert!(output.stderr.contains("60"), "{}", output.stderr);
}
