//! Prints what is blocked on the pipes of this machine, and what would unblock it.
#![allow(clippy::print_stdout, reason = "an example is a program that prints")]

use lspipe::{Error, Question, Request, SelectionArgs, report};

fn main() -> Result<(), Error> {
    let answer = report(&Request::new(Question::Why(SelectionArgs::default())))?;
    for finding in answer.diagnosis.unwrap_or_default().findings {
        println!("{}: {}\n    {}", finding.severity, finding.message, finding.advice);
    }
    answer.notes.iter().for_each(|note| println!("note: {note}"));
    Ok(())
}
