//! The integration tests.

mod audit;
mod cli;
mod cost;
mod differential;
mod fixtures;
mod generated;
mod imports;
mod library;
mod live;
mod malformed;
mod readme;
mod saved;
mod snapshots;
mod support;
