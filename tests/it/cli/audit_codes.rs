//! Which findings an audit is to look for: never none.

use super::Stage;

const EVERY: &str = "deadlock,self-deadlock,leaked-write-end,stalled-reader,stalled-writer,blocked-open,hidden-end,no-reader,no-writer,fifo-exposed,\
                     crosses-users,crosses-containers,inherited-end,end-hoard,pipe-pages,deleted-fifo";

/// An audit that checks nothing must not say that all is well.
#[test]
fn no_code_is_left() {
    let stage = Stage::new();
    for (args, drop) in [
        (&["--only", "deadlock", "--ignore", "deadlock"][..], "excludes every code of '--only <CODE>'"),
        (
            &["--only", "no-reader,no-writer", "--ignore", "no-writer,pipe-pages", "--ignore", "no-reader"],
            "drop '--ignore",
        ),
        (&["--ignore", EVERY], "excludes every code, so"),
        (&["--only", "deadlock", "--ignore", "deadlock", "--metrics"], "nothing would be checked"),
    ] {
        let output = stage.run(&[&["audit"], args].concat()).expect(2);
        assert_eq!(output.text(), "", "{args:?}");
        assert!(output.stderr.contains(drop) && output.stderr.lines().count() == 1, "{args:?}: {}", output.stderr);
    }
}

/// One that is left is enough.
#[test]
fn some_code_is_left() {
    let stage = Stage::new();
    for args in [
        &["--only", "deadlock,no-reader", "--ignore", "no-reader"][..],
        &["--only", "deadlock", "--ignore", "no-reader"],
        &["--ignore", EVERY.split_once(',').expect("several").1],
    ] {
        stage.run(&[&["audit"], args].concat()).expect(0);
    }
}
