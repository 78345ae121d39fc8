//! Lists the pipes and FIFOs of a Linux machine with the processes on both ends, explains what is blocked on them, and checks for problems.
//!
//! A program that embeds the library calls [`report()`] with a [`Request`] and gets a [`Report`]. What it reports as blocked or wrong has
//! been observed twice, and did not change in between. [`report()`] starts no process, prints nothing and leaves the caller's
//! capabilities as they are. The command looks in a child process, which it can leave behind; a program that calls [`report()`] cannot end
//! while one of its threads hangs, as a dead file system or a hostile process may cause. Only [`command::run`] can probe pipes, since that
//! takes a helper program, which the caller names.
//!
//! ```
//! use lspipe::{Question, Request, SelectionArgs, report};
//!
//! let answer = report(&Request::new(Question::Why(SelectionArgs::default())))?;
//! for finding in answer.diagnosis.unwrap_or_default().findings {
//!     println!("{}: {}", finding.severity, finding.message);
//! }
//! # Ok::<(), lspipe::Error>(())
//! ```
//!
//! The module `guide` describes how the source is organized: the flow of data, what each module owns and must not do, and which files to
//! change for a new finding, JSON field, output format or kind of channel. `cargo doc --document-private-items` prints it.

mod baseline;
mod cli;
mod complete;
mod diff;
mod escape;
mod files;
mod findings;
#[cfg(fuzzing)]
pub mod fuzzing;
mod generate;
mod guard;
#[cfg(doc)]
#[doc = include_str!("../docs/how-it-works.md")]
mod guide {}
mod judge;
pub mod model;
mod note;
mod observe;
mod pager;
mod privilege;
mod render;
mod report;
mod report_file;
mod run;
mod select;
mod sys;
mod users;

pub use cli::{
    AuditArgs, BackendName, Color, FailOn, FilterArgs, FindingArgs, KindName, OutputOptions, PipeName, Question,
    Request, SelectionArgs, SourceOptions,
};
pub use findings::{Code, Diagnosis, Evidence, Finding, Role};
pub use note::{Cure, Note};
pub use run::{Error, Exit, Report, report};
pub use select::{Choice, CommandPattern};

/// The parts of the `lspipe` program: its command line, and the writing of reports.
pub mod command {
    pub use crate::cli::{Action, Cli, Comparison, Generate, Refusal};
    pub use crate::complete::complete_if_asked;
    pub use crate::generate::generate;
    pub use crate::guard::{CHUNK, Channel, Guard, Said, Side, Stopped, start as start_guarded};
    pub use crate::observe::probe::{own_helper, serve_if_asked};
    pub use crate::pager::Pager;
    pub use crate::render::{Style, explain, list_columns};
    pub use crate::run::{Listeners, Started, compare, run};
    pub use crate::sys::{Stdout, die_of_sigpipe, ignore_sigxfsz};
}
