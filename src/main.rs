//! The `lspipe` command.
fn main() {}
