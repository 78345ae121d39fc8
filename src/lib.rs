//! Pipes on Linux and who is on each end.
