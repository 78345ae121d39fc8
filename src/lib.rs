//! Which pipes and FIFOs there are on a Linux machine, which processes are on each end, what blocks on them, and what else is wrong.
//!
//! Data flows one way:
//!
//! ```text
//! argv ─ cli ─▶ Request ─▶ scan ─▶ Snapshot ─▶ join ─▶ PipeGraph ─▶ why, audit ─▶ Diagnosis ─▶ select ─▶ render ─▶ bytes
//!                      │    └─▶ what threads are doing ──────────────┘                    probe ─┘
//!                      └─▶ saved (a report in a file) ──▶ PipeGraph, Diagnosis ─▶ …
//! ```
//!
//! [`observe::proc`] looks at a proc root and drops nothing silently, [`observe::join`] makes pipes of ends, [`why`] judges what threads wait for if that
//! was asked, [`audit`] judges the rest of it, [`select`] keeps whole pipes, [`observe::probe`] asks the kernel about those if that was asked for,
//! [`judge::dataflow`] tells how data flow if that is to be drawn, and [`render`] draws what is left. [`report_file`] stands in the place of the scan and
//! its judges where a saved report is to answer, and [`diff`](mod@diff) compares two. [`run()`] is their order. All words are in [`model`].

pub mod audit;
pub mod cli;
pub mod diff;
pub mod error;
mod files;
pub mod generate;
pub mod judge;
pub mod model;
mod notes;
pub mod observe;
pub mod render;
pub mod report_file;
mod run;
pub mod select;
mod shape;
mod sys;
pub mod users;
pub mod why;

pub use run::{Exit, compare, run};
pub use sys::die_of_sigpipe;
