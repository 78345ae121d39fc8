//! Which pipes and FIFOs exist on a Linux machine, which processes are on each end, what is blocked on them, and what is wrong.
//!
//! [`report()`] answers a question, and is the way to a claim that is true: it looks twice and keeps what did not move in between. The
//! command is in [`command`].
//!
//! ```text
//! argv ─ cli ─▶ Request ─▶ observe ─▶ Observation ─▶ findings ─▶ Diagnosis ─▶ select ─▶ render ─▶ bytes
//!                            ▲  │                                     ▲ │
//!        walk of /proc, probe ┘                            saved report ┘ └─▶ diff, baseline
//! ```
//!
//! `observe` looks at a proc root and drops nothing silently, `judge` says what follows from that, `findings` what is wrong, `select` keeps whole
//! pipes, `judge::dataflow` says how data flow, and `render` writes what is left. `report_file` stands in for `observe` and its judges
//! where a saved report answers, and `diff` compares two. `run` is the order of these steps. The types of all of them are in [`model`].

mod baseline;
mod cli;
mod diff;
mod escape;
mod files;
mod findings;
mod generate;
mod judge;
pub mod model;
mod note;
mod observe;
mod privilege;
mod render;
mod report;
mod report_file;
mod run;
mod select;
mod sys;
mod users;

pub use cli::{AuditArgs, Color, OutputOptions, PipeName, Question, Request, SelectionArgs, SourceOptions};
pub use note::{Cure, Note};
pub use run::{Answer, Error, Exit, report};

/// What the `lspipe` program is made of: its command line, and the writing of reports.
pub mod command {
    pub use crate::cli::{Action, Cli, Comparison, Generate};
    pub use crate::generate::{explain, generate, list_columns};
    pub use crate::observe::probe::{own_helper, serve_if_asked};
    pub use crate::render::Style;
    pub use crate::run::{compare, run};
    pub use crate::sys::die_of_sigpipe;
}
