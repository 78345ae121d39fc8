//! The tables against the truth.
