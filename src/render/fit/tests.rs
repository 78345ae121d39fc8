use super::*;

/// Columns of cells, and which of them are shown at a width, with their widths.
fn fitted(columns: &[(Heading, &[&str])], room: usize) -> Vec<(&'static str, usize)> {
    let of = |(heading, cells): &(Heading, &[&str])| {
        let mut column = Column::new(*heading, true);
        cells.iter().for_each(|cell| column.add(cell, *cell != "-"));
        column
    };
    let measured: Vec<Column> = columns.iter().map(of).collect();
    fit(&measured, room).into_iter().map(|(index, width)| (columns[index].0.text, width)).collect()
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
    assert_eq!(fitted(&columns, 5), [("ID", 11), ("FULL", 4)], "what has to be there is there whole");
}

#[test]
fn paths_give_way_before_ends_do() {
    let ends = (heading("ENDS", Wrap::Ends, DropPriority::Always), &["252,grep,0r\n253,sort-long,10w"][..]);
    let name = (heading("NAME", Wrap::Name, DropPriority::Always), &["/run/a/long/path/to/it"][..]);
    let columns = [ends, name];
    assert_eq!(fitted(&columns, 80), [("ENDS", 17), ("NAME", 22)]);
    assert_eq!(fitted(&columns, 38), [("ENDS", 17), ("NAME", 19)]);
    assert_eq!(fitted(&columns, 27), [("ENDS", 17), ("NAME", 8)]);
    // At its commas an end needs ten.
    assert_eq!(fitted(&columns, 26), [("ENDS", 13), ("NAME", 11)]);
    assert_eq!(fitted(&columns, 20), [("ENDS", 10), ("NAME", 8)]);
    // Wider than the terminal anyway: so nothing is broken.
    assert_eq!(fitted(&columns, 19), [("ENDS", 17), ("NAME", 22)]);
}

#[test]
fn an_id_among_paths_is_no_path() {
    let target =
        (heading("TARGET", Wrap::Name, DropPriority::Always), &["pipe:[12345678]", "/usr/share/dict/words"][..]);
    assert_eq!(fitted(&[target], 15), [("TARGET", 15)]);
    assert_eq!(fitted(&[target], 14), [("TARGET", 21)]);
}

#[test]
fn cells_wrap_between_words_then_at_commas_then_anywhere() {
    assert_eq!(lines("1,a,0r 22,bb,1w 3,c,2r", 15), ["1,a,0r 22,bb,1w", "3,c,2r"]);
    assert_eq!(lines("1,a,0r 22,bb,1w 3,c,2r", 9), ["1,a,0r", "22,bb,1w", "3,c,2r"]);
    assert_eq!(lines("1,a,0r 4567,tail,1w", 10), ["1,a,0r", "4567,tail,", "1w"]);
    assert_eq!(lines("O_WRONLY,O_NONBLOCK", 12), ["O_WRONLY,", "O_NONBLOCK"]);
    assert_eq!(lines("1,a,0r\n2,b,1w", 40), ["1,a,0r", "2,b,1w"]);
    assert_eq!(lines("/run/user/fifo", 8), ["/run/use", "r/fifo"]);
    assert_eq!(lines("    16 █████", 12), ["    16 █████"]);
}
