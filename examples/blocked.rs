//! Prints each thread that is blocked on a pipe, with the processes that could unblock it.
#![allow(clippy::print_stdout, reason = "an example is a program that prints")]

use lspipe::{Error, Question, Request, SelectionArgs, report};

fn main() -> Result<(), Error> {
    let answer = report(&Request::new(Question::Why(SelectionArgs::default())))?;
    for wait in answer.diagnosis.unwrap_or_default().waits {
        let wakers: Vec<String> = wait.wakers.iter().map(|waker| waker.pid.to_string()).collect();
        println!("thread {} waits for {:?}: {}", wait.task.tid, wait.pipe(), wakers.join(", "));
    }
    Ok(())
}
