//! What `--generate` makes: the man page, and a schema that all JSON keeps. `completions.rs` has the completions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jsonschema::Validator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixtures::scenes;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;

#[track_caller]
fn generate(kind: &str) -> String {
    let output = lspipe(["--generate", kind]).run().expect(0);
    assert_eq!(output.stderr, "");
    output.text().to_owned()
}

/// Runs a program with something generated in a file; returns what it says on either stream, and asserts that it succeeds.
#[track_caller]
fn read_by(program: &str, args: &[&str], kind: &str) -> String {
    let home = TempDir::new().expect("temporary directory");
    let file = home.path().join(kind);
    fs::write(&file, generate(kind)).expect("write");
    let output = Command::new("timeout")
        .args(["60", program])
        .args(args)
        .arg(&file)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        // Shells look for their settings there, and fish writes some.
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .expect("run a program");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    assert!(output.status.success(), "{program}: {:?}: {said}", output.status);
    said
}

#[test]
fn man_page_is_the_committed_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/lspipe.1");
    let committed = fs::read_to_string(committed).expect("read man/lspipe.1");
    assert!(committed == generate("man"), "stale: lspipe --generate man > man/lspipe.1");
}

/// The long options in a help.
fn options(args: &[&str]) -> Vec<String> {
    let help = lspipe(args).run().expect(0);
    let options = help.text().lines().filter_map(|line| {
        let option = line.trim_start().split(' ').find(|word| word.starts_with("--"))?;
        line.trim_start().starts_with('-').then(|| option.trim_end_matches(':').to_owned())
    });
    let options: Vec<String> = options.filter(|option| option.len() > 2).collect();
    assert_ne!(options, [""; 0]);
    options
}

#[test]
fn man_page_tells_all() {
    let page = generate("man");
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COLUMNS", "EXIT STATUS", "PERMISSIONS", "EXAMPLES"] {
        let heading = page.lines().any(|line| line == format!(".SH {section}") || line == format!(".SH \"{section}\""));
        assert!(heading, "no section {section}");
    }
    let plain = page.replace("\\-", "-");
    // Of each subcommand in a section of its own, up to the columns.
    let (_, of_subcommands) = plain.split_once(".SH OPTIONS OF SUBCOMMANDS\n").expect("a section");
    let (of_subcommands, _) = of_subcommands.split_once(".SH COLUMNS\n").expect("a section");
    let (of_all, _) = of_subcommands.split_once(".SS ").expect("subcommands");
    for option in options(&["--help"]) {
        assert!(plain.contains(&option), "the man page lacks {option}");
    }
    for name in ["why", "graph", "diff", "audit", "fds"] {
        assert!(plain.contains(&format!("\n.B lspipe {name}\n.RI ")), "the synopsis lacks {name}");
        let (_, own) = of_subcommands.split_once(&format!(".SS lspipe {name}\n")).expect("a section");
        let own = own.split(".SS ").next().expect("a section");
        for option in options(&[name, "--help"]) {
            let named = format!("\\fB{option}\\fR");
            let places = [of_all, own].map(|text| text.contains(&named));
            // All have --help.
            assert!(option == "--help" || places[0] || places[1], "the man page lacks {option} of {name}");
            assert!(places != [true, true], "the man page has {option} of {name} twice");
        }
    }
    for column in lspipe(["-H"]).run().expect(0).text().lines() {
        let (name, told) = column.split_once(' ').expect("a name and a help");
        assert!(plain.contains(name) && plain.contains(told.trim()), "the man page lacks {column}");
    }
}

#[test]
fn man_page_passes_mandoc() {
    need!(Need::Program("mandoc"));
    assert_eq!(read_by("mandoc", &["-T", "lint", "-W", "warning"], "man"), "");
}

#[test]
fn man_page_passes_groff() {
    need!(Need::Program("man"));
    let said = read_by("man", &["--warnings", "-E", "UTF-8", "-l", "-P", "cat"], "man");
    assert!(!said.contains("warning:"), "{said}");
    assert!(said.contains("lspipe"), "{said}");
}

/// The schema of a report, of a line of NDJSON, and of a drawing.
fn validators() -> [Validator; 3] {
    let schema: Value = serde_json::from_str(&generate("schema")).expect("the schema is JSON");
    assert_eq!(jsonschema::meta::validate(&schema).err().map(|error| error.to_string()), None);
    let definition = |name: &str| {
        assert!(schema["$defs"][name].is_object(), "the schema defines {name}");
        json!({ "$schema": schema["$schema"], "$ref": format!("#/$defs/{name}"), "$defs": schema["$defs"] })
    };
    let [line, graph] = ["Line", "Graph"].map(definition);
    [schema, line, graph].map(|schema| jsonschema::validator_for(&schema).expect("a schema"))
}

#[track_caller]
fn assert_valid(validator: &Validator, json: &str) -> Value {
    let instance: Value = serde_json::from_str(json).expect("JSON");
    let errors: Vec<String> =
        validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{instance:#}");
    instance
}

/// Every scene, and this machine as it is.
fn roots() -> Vec<PathBuf> {
    scenes().into_iter().map(|scene| scene.join("proc")).chain([PathBuf::from("/proc")]).collect()
}

#[test]
fn json_keeps_the_schema() {
    let [report, line, graph] = validators();
    // So that the live report has something to show.
    let (_read_end, _write_end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
    for root in roots() {
        let run =
            |args: &[&str]| lspipe([args, &["-q", "--proc", root.to_str().expect("UTF-8")]].concat()).run().expect(0);
        let whole = assert_valid(&report, run(&["--json"]).text());
        let lines = run(&["--ndjson"]);
        assert_ne!(lines.text().lines().count(), 0);
        for text in lines.text().lines() {
            assert_valid(&line, text);
        }
        let drawn = assert_valid(&graph, run(&["graph", "--json"]).text());
        assert_ne!(drawn["edges"].as_array().map(Vec::len), Some(0));
        let pid = if root == Path::new("/proc") {
            std::process::id().to_string()
        } else {
            whole["processes"][0]["pid"].to_string()
        };
        let table = assert_valid(&report, run(&["fds", &pid, "--json"]).text());
        assert_ne!(table["descriptors"].as_array().map(Vec::len), Some(0));
    }
}

/// A schema that anything keeps would be no promise.
#[test]
fn schema_refuses_what_is_not_a_report() {
    let [report, _, graph] = validators();
    let of_report = ["", "/host", "/scan", "/processes/0", "/pipes/0", "/pipes/1/readers/0"];
    let of_graph = ["", "/scan", "/nodes/0", "/edges/1", "/edges/1/from", "/pipes/0"];
    refuses(&report, &["--json"], &of_report);
    refuses(&graph, &["graph", "--json"], &of_graph);
}

/// Asserts that no field of the objects in these places may be missing, or be anything.
#[track_caller]
fn refuses(validator: &Validator, args: &[&str], places: &[&str]) {
    let pipeline = scenes().into_iter().find(|scene| scene.ends_with("pipeline")).expect("a scene");
    let proc = pipeline.join("proc");
    let output = lspipe([args, &["--proc", proc.to_str().expect("UTF-8")]].concat()).run().expect(0);
    let good = assert_valid(validator, output.text());
    for place in places {
        let object = good.pointer(place).and_then(Value::as_object).expect("an object");
        for field in object.keys() {
            let mut bad = good.clone();
            bad.pointer_mut(place).and_then(Value::as_object_mut).expect("an object").remove(field);
            // Of all these, only this is missing where it is false.
            let may_be_missing = (*place, field.as_str()) == ("/scan", "privileged");
            assert_eq!(validator.is_valid(&bad), may_be_missing, "{place}/{field} may be missing");
            let mut bad = good.clone();
            // A type that no field of the contract has.
            bad.pointer_mut(place).expect("an object")[field] = json!(0.5);
            assert!(!validator.is_valid(&bad), "{place}/{field} may be anything");
        }
    }
}
