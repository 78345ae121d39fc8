//! The integration tests.

mod audit;
mod backends;
mod backends_why;
mod cli;
mod completions;
mod cost;
mod differential;
mod documents;
mod examples;
mod fixtures;
mod generated;
mod imports;
mod library;
mod live;
mod malformed;
mod packages;
mod programs;
mod readme;
mod saved;
mod snapshots;
mod support;
