//! `lspipe why` and `audit` on real programs: hangs that people reported in public, with their kinds, and healthy programs.
//!
//! The scenes are in `tests/programs`. They mostly sleep: run these tests with more threads than the machine has processors.

mod expect;
mod hangs;
mod healthy;
mod kinds;
mod others;
mod stage;

use crate::support::need::{Need, is_missing};

/// What every scene needs.
const ALL: [Need; 5] =
    [Need::Root, Need::PYTHON, Need::Program("setpriv"), Need::Program("unshare"), Need::Program("nsenter")];

/// Whether something that this test needs is missing; see `need!`.
fn lacks(test: &str, programs: &[&'static str]) -> bool {
    let programs = programs.iter().map(|name| match *name {
        "make-4.4" => Need::MakeWithFifo,
        name => Need::Program(name),
    });
    is_missing(test, &ALL.into_iter().chain(programs).collect::<Vec<_>>())
}

/// A test for each scene: `"FOLDER": NAME [PROGRAMS...]: what has to be said`.
macro_rules! scenes {
    ($folder:literal: $($(#[$attribute:meta])* $name:ident [$($program:literal),*]: $check:expr;)+) => {$(
        #[test]
        $(#[$attribute])*
        fn $name() {
            if crate::programs::lacks(concat!(module_path!(), "::", stringify!($name)), &[$($program),*]) {
                return;
            }
            $check.check(concat!($folder, "/", stringify!($name), ".py"));
        }
    )+};
}
use scenes;
