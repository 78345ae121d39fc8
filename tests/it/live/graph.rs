//! `lspipe graph` on live pipelines, each drawing compared whole with what the scene made.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text::without_marks;
use crate::support::user::User;

const BASH: Need = Need::Program("bash");

/// What is drawn with this selection, as a tree.
#[track_caller]
fn tree(user: User, args: &[&str]) -> String {
    lspipe([&["graph", "-q"], args].concat()).user(user).run().expect(0).text().to_owned()
}

/// The edges: pipe, and PID and descriptor of the writer and of the reader.
type Edge = (String, Option<(u64, u64)>, Option<(u64, u64)>);

#[track_caller]
fn json(user: User, args: &[&str]) -> Value {
    let output = lspipe([&["graph", "-q", "--format=json"], args].concat()).user(user).run().expect(0);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn edges(json: &Value) -> BTreeSet<Edge> {
    let tip = |tip: &Value| {
        let number = |field: &str| tip[field].as_u64().expect("a number");
        (!tip.is_null()).then(|| (number("pid"), number("fd")))
    };
    let edge = |it: &Value| (it["pipe"].as_str().expect("an ID").to_owned(), tip(&it["from"]), tip(&it["to"]));
    json["edges"].as_array().expect("edges").iter().map(edge).collect()
}

/// Numbers that the scene printed.
struct Told<'a>(&'a Scene);

impl Told<'_> {
    fn pid(&self, name: &str) -> u32 {
        self.0.truth.number(&format!("/pids/{name}/0"))
    }

    fn input(&self, name: &str) -> String {
        format!("pipe:[{}]", self.0.truth.more["inputs"][name])
    }
}

#[test]
fn branches_of_tee() {
    need!(Need::PYTHON, BASH);
    for &user in User::all() {
        let scene = Scene::start_with("graph_shell", user, &["branch"]);
        let told = Told(&scene);
        let end = |name: &str, fd: u64| Some((u64::from(told.pid(name)), fd));
        let expected: BTreeSet<Edge> = [
            (told.input("tee"), end("sleep", 1), end("tee", 0)),
            (told.input("cat"), end("tee", 3), end("cat", 0)),
            (told.input("grep"), end("tee", 4), end("grep", 0)),
            (told.input("sort"), end("grep", 1), end("sort", 0)),
        ]
        .into();
        for from in ["sleep", "tee"] {
            assert_eq!(edges(&json(user, &["-p", &told.pid(from).to_string()])), expected, "from {from}");
        }
        // One branch, back to the source, without the other.
        let branch: BTreeSet<Edge> = expected.iter().filter(|edge| edge.0 != told.input("cat")).cloned().collect();
        for from in ["grep", "sort"] {
            assert_eq!(edges(&json(user, &["-p", &told.pid(from).to_string()])), branch, "from {from}");
        }
        // And by a pipe.
        assert_eq!(edges(&json(user, &[&told.input("sort")])), branch);
    }
}

#[test]
fn subshell_is_apart_from_its_pipeline() {
    need!(Need::PYTHON, BASH);
    for &user in User::all() {
        let scene = Scene::start_with("graph_shell", user, &["subshell"]);
        let told = Told(&scene);
        let (sleep, cat, pipe) = (told.pid("sleep"), told.pid("cat"), told.input("cat"));
        let subshell = scene.truth.number("/parents/0");
        // The subshell writes between two sleeps.
        let expected = format!("bash ({subshell})\n└▶ cat ({cat})  {pipe}\nalso on {pipe}: {sleep},sleep,1w\n");
        for pid in [sleep, cat, subshell] {
            assert_eq!(tree(user, &["-p", &pid.to_string()]), expected);
        }
    }
}

#[test]
fn many_writers_are_one_line() {
    need!(Need::PYTHON, BASH);
    for &user in User::all() {
        let scene = Scene::start_with("graph_shell", user, &["many"]);
        let told = Told(&scene);
        let (cat, pipe, subshell) = (told.pid("cat"), told.input("cat"), scene.truth.number("/parents/0"));
        let expected = format!("{pipe}: 20 writers (sleep ×20)\n└▶ cat ({cat})\nalso on {pipe}: {subshell},bash,1w\n");
        for pid in [cat, told.pid("sleep")] {
            assert_eq!(tree(user, &["-p", &pid.to_string()]), expected);
        }
        let json = json(user, &["-p", &cat.to_string()]);
        let writers = scene.truth.more["pids"]["sleep"].as_array().expect("pids");
        let mut edges_expected: BTreeSet<Edge> =
            writers.iter().map(|pid| (pipe.clone(), Some((pid.as_u64().expect("a PID"), 1)), None)).collect();
        edges_expected.insert((pipe.clone(), None, Some((cat.into(), 0))));
        assert_eq!(edges(&json), edges_expected);
        assert_eq!(json["pipes"][0]["apart"][0]["pid"], subshell);
    }
}

/// The descriptors of the writer and the reader of a pipe, as the tree shows them.
fn fds(scene: &Scene, pipe: &str) -> String {
    let ends = scene.truth.ends_of(pipe);
    let fd = |access: &str| ends.iter().find(|end| end.3 == access).expect("an end").2;
    format!("{}→{}", fd("w"), fd("r"))
}

/// A mark as `without_marks` leaves it, with a doubt if a process could not be read.
fn mark(json: &Value) -> &'static str {
    if json["scan"]["complete"] == true { "[!]" } else { "[?]" }
}

/// The marks of each process, by its PID.
fn marks(json: &Value) -> BTreeSet<(u64, String)> {
    let nodes = json["nodes"].as_array().expect("nodes").iter();
    let of_node = |node: &Value| -> Vec<(u64, String)> {
        let pid = node["pid"].as_u64().expect("a PID");
        let marks = node["marks"].as_array().expect("marks").iter();
        marks.map(|mark| (pid, mark["mark"].as_str().expect("a word").to_owned())).collect()
    };
    nodes.flat_map(of_node).collect()
}

#[test]
fn ring_is_drawn_once_and_marked() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_ring", user, &["plain"]);
        let ring: Vec<u32> = (0..4).map(|number| scene.truth.number(&format!("/ring/{number}"))).collect();
        let json = json(user, &["-p", &ring[0].to_string()]);
        let mark = mark(&json);
        assert_eq!(marks(&json), ring.iter().map(|pid| (u64::from(*pid), "deadlock".to_owned())).collect());
        let name = |pid: u32| format!("python3 ({pid})");
        // Each writes into the pipe that the one before it reads; it begins with the smallest PID.
        let first = (0..4).min_by_key(|number| ring[*number]).expect("four");
        let mut lines = vec![(format!("{} {mark}", name(ring[first])), String::new())];
        for step in 1..=4 {
            let at = (first + 4 - step) % 4;
            let text =
                if step == 4 { format!("↺ {}, above", name(ring[at])) } else { format!("{} {mark}", name(ring[at])) };
            let pipe = format!("pipe{at}");
            let way = format!("{} {}", scene.truth.id(&pipe), fds(&scene, &pipe));
            lines.push((format!("{}└▶ {text}", "   ".repeat(step - 1)), way));
        }
        let draw = |(text, way): &(String, String)| match way.as_str() {
            "" => format!("{text}\n"),
            way => format!("{text}  {way}\n"),
        };
        let expected: String = lines.iter().map(draw).collect();
        for pid in &ring {
            assert_eq!(without_marks(&tree(user, &["-p", &pid.to_string()])), expected);
        }
    }
}

#[test]
fn leaked_write_end_is_marked() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_leaks", user, &["daemon"]);
        let [reader, holder] = ["reader", "holder"].map(|name| scene.truth.number(&format!("/{name}")));
        let (pipe, fds) = (scene.truth.id("pipe"), fds(&scene, "pipe"));
        let json = json(user, &[&pipe]);
        let mark = mark(&json);
        let expected = format!("python3 ({holder}) {mark}\n└▶ python3 ({reader}) {mark}  {pipe} {fds}\n");
        for pid in [reader, holder] {
            assert_eq!(without_marks(&tree(user, &["-p", &pid.to_string()])), expected);
        }
        let expected = [(holder, "leaked-write-end"), (reader, "no-end-of-file")];
        assert_eq!(marks(&json), expected.map(|(pid, mark)| (pid.into(), mark.to_owned())).into());
        assert_eq!(json["edges"][0]["from"]["leaked"], true);
    }
}

/// What an edge says, in the words of a scene.
fn told_edges(told: &Value) -> BTreeSet<Edge> {
    let end = |end: &Value| Some((end.get(0)?.as_u64()?, end.get(1)?.as_u64()?));
    let edge = |it: &Value| (it[0].as_str().expect("an ID").to_owned(), end(&it[1]), end(&it[2]));
    told.as_array().expect("edges").iter().map(edge).collect()
}

/// The processes in the pipelines of a scene.
fn drawn_pids(scene: &Scene) -> BTreeSet<u64> {
    let cases = scene.truth.more["cases"].as_array().expect("cases").iter();
    let edges = cases.flat_map(|case| told_edges(&case["edges"]));
    edges.flat_map(|(_, from, to)| [from, to]).flatten().map(|(pid, _)| pid).collect()
}

/// A standard descriptor belongs to the program that was started with it, whatever else has it: but of those that only wait for a child.
#[test]
fn input_and_output_are_those_of_each_program() {
    need!(Need::PYTHON, BASH);
    for &user in User::all() {
        let scene = Scene::start_with("graph_stdio", user, &["pipelines"]);
        let json = json(user, &["-p", &scene.truth.number("/me").to_string(), "--descendants"]);
        let mut drawn = edges(&json);
        // Not the sockets and pipes by which the test speaks to the scene.
        let own = drawn_pids(&scene);
        let is_own = |end: Option<(u64, u64)>| end.is_none_or(|(pid, _)| own.contains(&pid));
        drawn.retain(|edge| edge.0.starts_with("pipe:") && is_own(edge.1) && is_own(edge.2));
        let mut all = BTreeSet::new();
        for case in scene.truth.more["cases"].as_array().expect("cases") {
            let expected = told_edges(&case["edges"]);
            let pipes: BTreeSet<&String> = expected.iter().map(|edge| &edge.0).collect();
            let of_case: BTreeSet<Edge> = drawn.iter().filter(|edge| pipes.contains(&edge.0)).cloned().collect();
            assert_eq!(of_case, expected, "{}", case["command"]);
            all.extend(expected);
        }
        assert_eq!(drawn, all);
    }
}

#[test]
fn a_pipe_without_direction_names_the_ends_that_each_process_has() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("graph_stdio", user, &["shared"]);
        let (pipe, heir) = (scene.truth.text("/pipe"), scene.truth.number("/heir"));
        let [one, other] = scene.truth.numbers("both").try_into().expect("two");
        let expected = format!(
            "{pipe}: 2 processes hold both ends: python3 ({one}), python3 ({other}); \
             1 process holds only the write end: sleep ({heir})\n"
        );
        assert_eq!(tree(user, &[pipe]), expected);
        let json = json(user, &[pipe]);
        let ends: BTreeSet<(u64, &str)> = json["pipes"][0]["apart"]
            .as_array()
            .expect("ends")
            .iter()
            .map(|end| (end["pid"].as_u64().expect("a PID"), end["access"].as_str().expect("a word")))
            .collect();
        let [one, other, heir] = [one, other, heir].map(u64::from);
        assert_eq!(ends, [(one, "r"), (one, "w"), (other, "r"), (other, "w"), (heir, "w")].into());
        assert_eq!(json["pipes"][0]["shared"], true);
    }
}
