//! Where lines wrap.

use super::*;

#[test]
fn a_command_stays_on_one_line() {
    let text = "To unblock: `kill 100 200` and  `cat '/a b'`, or wait for it";
    let mut lines = Vec::new();
    WrappedLine::new("  ", "  ", text).write(&Style { width: Some(20), ..Style::default() }, &mut lines).unwrap();
    assert_eq!(
        String::from_utf8(lines).unwrap(),
        "  To unblock:\n  `kill 100 200` and\n  `cat '/a b'`, or\n  wait for it\n"
    );
}

#[test]
fn a_number_stays_with_its_unit() {
    let lines = |text: &str| {
        let mut lines = Vec::new();
        WrappedLine::new("", "", text).write(&Style { width: Some(20), ..Style::default() }, &mut lines).unwrap();
        String::from_utf8(lines).unwrap()
    };
    assert_eq!(lines("it is blocked for 3 min, and reads"), "it is blocked for\n3 min, and reads\n");
    assert_eq!(lines("it waited for about 1 h 17 min."), "it waited for about\n1 h 17 min.\n");
    assert_eq!(lines("writes to a pipe (fd 251); it"), "writes to a pipe\n(fd 251); it\n");
    assert_eq!(lines("it is a process (PID 7)"), "it is a process\n(PID 7)\n");
    // Another number is a word of its own.
    assert_eq!(lines("it is one of some 12 shells"), "it is one of some 12\nshells\n");
}
