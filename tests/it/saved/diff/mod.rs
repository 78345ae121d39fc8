//! What changed from one saved report to another.

mod live;
mod trees;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::Saved;
use crate::support::report::Difference;
use crate::support::run::{Output, lspipe};
use crate::support::text::numbers;

/// `lspipe diff ARGS OLD NEW`
fn diff(args: &[&str], old: &Saved, new: &Saved) -> Output {
    lspipe([&["diff"], args, &[old.path(), new.path()]].concat()).run()
}

/// The same as JSON, which keeps the schema.
#[track_caller]
fn difference(old: &Saved, new: &Saved) -> Difference {
    let output = diff(&["-q", "-J"], old, new);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let errors: Vec<String> = validator().iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{json:#}");
    let difference = Difference::parse(&output.stdout);
    assert_eq!(output.code(), Some(i32::from(!difference.pipes.is_empty())));
    difference
}

/// Asserts that nothing differs, and that this is said in a line without a number.
#[track_caller]
fn assert_same(output: &Output) {
    assert_eq!((output.code(), output.text().lines().count()), (Some(0), 1), "{}", output.text());
    assert!(numbers(&[output.text()]).is_empty() && !output.text().starts_with("+-~"), "{}", output.text());
}

fn validator() -> Validator {
    let schema = lspipe(["--generate", "schema"]).run().expect(0);
    let schema: Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let part = json!({ "$schema": schema["$schema"], "$ref": "#/$defs/Difference", "$defs": schema["$defs"] });
    jsonschema::validator_for(&part).expect("a schema")
}
