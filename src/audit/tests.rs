//! The rules, each on graphs made by hand.
