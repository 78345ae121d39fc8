//! The integration tests.

mod differential;
mod fixtures;
mod live;
mod malformed;
mod support;
