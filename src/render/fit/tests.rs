use super::super::Style;
use super::super::text::{TextRole, paint};
use super::*;

/// Columns of cells, and which of them are shown at a width, with their widths.
fn fitted(columns: &[(Heading, &[&str])], room: usize) -> Vec<(&'static str, usize)> {
    let of = |(heading, cells): &(Heading, &[&str])| {
        let mut column = Column::new(*heading, true);
        cells.iter().for_each(|cell| column.add(cell, *cell != "-"));
        column
    };
    let measured: Vec<Column> = columns.iter().map(of).collect();
    let shown = fit(&measured, room).unwrap_or_default();
    shown.into_iter().map(|(index, width)| (columns[index].0.text, width)).collect()
}

const fn heading(text: &'static str, wrap: Wrap, priority: DropPriority) -> Heading {
    Heading { text, wrap, priority }
}

#[test]
fn columns_are_left_out_in_their_order_and_only_as_far_as_needed() {
    let id = (heading("ID", Wrap::Never, DropPriority::Always), &["pipe:[1234]"][..]);
    let last = (heading("LAST", Wrap::Never, DropPriority::Spare(2)), &["0123456789"][..]);
    let first = (heading("FIRST", Wrap::Never, DropPriority::Spare(0)), &["abcde"][..]);
    let empty = (heading("EMPTY", Wrap::Never, DropPriority::UnlessEmpty), &["-"][..]);
    let full = (heading("FULL", Wrap::Never, DropPriority::UnlessEmpty), &["-", "x"][..]);
    let columns = [id, last, first, empty, full];
    let names = |room| fitted(&columns, room).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(43), ["ID", "LAST", "FIRST", "EMPTY", "FULL"]);
    assert_eq!(names(42), ["ID", "LAST", "FIRST", "FULL"]);
    assert_eq!(names(36), ["ID", "LAST", "FIRST", "FULL"]);
    // The last to be left out makes room for the others.
    assert_eq!(names(35), ["ID", "LAST", "FULL"]);
    assert_eq!(names(29), ["ID", "LAST", "FULL"]);
    assert_eq!(names(28), ["ID", "FIRST", "FULL"]);
    assert_eq!(names(23), ["ID", "FULL"]);
    assert_eq!(names(17), ["ID", "FULL"]);
    assert_eq!(names(16), [""; 0], "what has to be there is there whole, or the rows are blocks");
}

#[test]
fn paths_give_way_before_ends_do() {
    let ends = (heading("PEERS", Wrap::Ends, DropPriority::Always), &["252,grep,0r\n253,sort-long,10w"][..]);
    let name = (heading("NAME", Wrap::Name, DropPriority::Always), &["/run/a/long/path/to/it"][..]);
    let columns = [ends, name];
    assert_eq!(fitted(&columns, 80), [("PEERS", 17), ("NAME", 22)]);
    assert_eq!(fitted(&columns, 38), [("PEERS", 17), ("NAME", 19)]);
    assert_eq!(fitted(&columns, 35), [("PEERS", 17), ("NAME", 16)]);
    assert_eq!(fitted(&columns, 34), []);
}

#[test]
fn one_column_alone_is_never_made_blocks_of() {
    let target =
        (heading("TARGET", Wrap::Name, DropPriority::Always), &["pipe:[1234567890123]", "/usr/share/dict/words"][..]);
    assert_eq!(fitted(&[target], 14), [("TARGET", 20)]);
}

#[test]
fn a_hostile_name_takes_no_more_room_than_others() {
    let end = &[r"1234567,\x1b[31m\x1b[1m\x1b[5m\xff\xfe,10w"][..];
    let of = |cells| (heading("READERS", Wrap::Ends, DropPriority::Always), cells);
    assert_eq!(fitted(&[of(end), of(&["1,a,0r"])], 40), [("READERS", 31), ("READERS", 7)]);
}

#[test]
fn cells_wrap_between_words_then_at_commas_then_anywhere() {
    assert_eq!(lines("1,a,0r 22,bb,1w 3,c,2r", 15), ["1,a,0r 22,bb,1w", "3,c,2r"]);
    assert_eq!(lines("1,a,0r 22,bb,1w 3,c,2r", 9), ["1,a,0r", "22,bb,1w", "3,c,2r"]);
    assert_eq!(lines("1,a,0r  22,bb,1w  3,c,2r", 9), ["1,a,0r", "22,bb,1w", "3,c,2r"]);
    assert_eq!(lines("1,a,0r  22,bb,1w  3,c,2r", 6), ["1,a,0r", "22,bb,", "1w", "3,c,2r"]);
    assert_eq!(lines("1,a,0r 4567,tail,1w", 10), ["1,a,0r", "4567,tail,", "1w"]);
    assert_eq!(lines("O_WRONLY,O_NONBLOCK", 12), ["O_WRONLY,", "O_NONBLOCK"]);
    assert_eq!(lines("1,a,0r\n2,b,1w", 40), ["1,a,0r", "2,b,1w"]);
    assert_eq!(lines("/run/user/fifo", 8), ["/run/", "user/", "fifo"]);
    assert_eq!(lines("/run/a-long-name", 8), ["/run/", "a-long-n", "ame"]);
    assert_eq!(lines("    16 █████", 12), ["    16 █████"]);
}

#[test]
fn no_line_ends_within_an_escape_or_before_what_a_character_carries() {
    assert_eq!(lines(r"ab\x1bcd", 5), ["ab", r"\x1bc", "d"]);
    assert_eq!(lines(r"ab\u{202e}cd\\\n", 8), ["ab", r"\u{202e}", r"cd\\\n"]);
    assert_eq!(lines(r"a\x1b", 2), ["a", r"\x1b"]);
    assert_eq!(lines("a\u{308}b\u{308}", 1), ["a\u{308}", "b\u{308}"]);
    assert_eq!(lines("252,tmux:\u{a0}server,0r 1,a,1w", 20), ["252,tmux:\u{a0}server,0r", "1,a,1w"]);
}

#[test]
fn words_may_be_longer_than_a_line() {
    assert_eq!(word_lines("/a/long/path,too --help me", 8), ["/a/long/path,too", "--help", "me"]);
}

/// Beside each line may stand another cell.
#[test]
fn a_role_ends_with_its_line_and_goes_on_in_the_next() {
    let mut cell = String::from("1,");
    TextRole::Command.push(&mut cell, "a-long-name");
    cell.push_str(",0r");
    let style = Style { color: true, ..Style::default() };
    let painted: Vec<String> = lines(&cell, 6).iter().map(|line| paint(line, &style)).collect();
    assert!(painted.len() > 2, "{painted:?}");
    for line in &painted {
        assert_eq!(line.matches("\x1b[36m").count(), line.matches("\x1b[0m").count(), "{painted:?}");
    }
    let plain = painted.concat().replace("\x1b[36m", "").replace("\x1b[0m", "");
    assert_eq!(plain, "1,a-long-name,0r");
}
