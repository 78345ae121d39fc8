//! Looking at a machine: the walk of /proc, the helper that asks a pipe, and what is made of both.

pub mod join;
pub mod probe;
pub mod proc;
