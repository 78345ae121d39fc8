//! The integration tests.

mod differential;
mod live;
mod support;
