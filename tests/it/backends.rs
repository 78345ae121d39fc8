//! The two backends: the kernel's own list of open files shows the same machine as the walk of /proc, and needs other rights.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{Lspipe, lspipe};
use crate::support::scene::Scene;
use crate::support::text::assert_notes;
use crate::support::user::User;

/// What only the kernel's own list has, of a pipe and of an end.
const OF_PIPE: [&str; 11] = [
    "queued",
    "capacity",
    "full",
    "hidden_readers",
    "hidden_writers",
    "hidden_by",
    "hidden_by_omitted",
    "reader_count",
    "writer_count",
    "unseen_readers",
    "unseen_writers",
];
const OF_END: &str = "description";

/// Options of setpriv(1).
const AS_NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// One field of each thing in a list, by which it is found.
fn list<'a>(report: &'a Value, name: &str) -> &'a [Value] {
    report[name].as_array().map_or(&[], Vec::as_slice)
}

/// The part of a report that is about the pipes of these processes, without what only one backend knows.
fn part(json: &Value, pids: &BTreeSet<u32>) -> Value {
    let is_theirs =
        |it: &Value| it["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).is_some_and(|pid| pids.contains(&pid));
    let mut pipes: Vec<Value> = Vec::new();
    for pipe in list(json, "pipes") {
        let ends = || list(pipe, "readers").iter().chain(list(pipe, "writers"));
        if !ends().any(is_theirs) {
            continue;
        }
        let mut pipe = pipe.clone();
        let fields = pipe.as_object_mut().expect("a pipe is an object");
        for field in OF_PIPE {
            fields.remove(field);
        }
        for side in ["readers", "writers"] {
            let ends = pipe[side].as_array_mut().expect("a list of ends");
            // Processes of other tests share the sockets of the test itself, and come and go.
            ends.retain(is_theirs);
            for end in ends {
                end.as_object_mut().expect("an end is an object").remove(OF_END);
            }
        }
        pipes.push(pipe);
    }
    let of = |name| list(json, name).iter().filter(|it| is_theirs(it)).cloned().collect::<Vec<_>>();
    serde_json::json!({"pipes": pipes, "processes": of("processes"), "unreadable": of("unreadable")})
}

#[track_caller]
fn json(run: Lspipe) -> Value {
    let output = run.run();
    assert!(matches!(output.code(), Some(0 | 1)), "{}", output.stderr);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // It keeps every promise that holds for any report.
    Report::parse(&output.stdout);
    json
}

/// The parts of both backends, after checking that each was used.
#[track_caller]
fn both(form: &[&str], pids: &BTreeSet<u32>, with: impl Fn(Lspipe) -> Lspipe) -> [(Value, Value); 2] {
    ["proc", "bpf"].map(|backend| {
        let whole = json(with(lspipe([form, &["--json", "--backend", backend]].concat())));
        assert_eq!(whole["scan"]["backend"], backend);
        (part(&whole, pids), whole)
    })
}

/// Every kind of end, holder, table and name.
#[test]
fn both_backends_show_the_same() {
    need!(Need::Bpf, Need::PYTHON);
    let forms: [&[&str]; 3] = [&[], &["-k", "all"], &["audit"]];
    let names = [
        "anonymous",
        "duplicates",
        "fifos",
        "hostile",
        "leader",
        "names",
        "threads",
        "sharers",
        "shared_table",
        "mounts",
        "pidns",
        "users",
        "queued",
        "popen",
        "why_channels",
    ];
    for name in names {
        let scene = Scene::start(name, User::Me);
        let pids = scene.truth.pids();
        for form in forms {
            let [(walked, _), (listed, _)] = both(form, &pids, |run| run);
            let is_listed = form.contains(&"all") || name != "why_channels";
            assert_eq!(!list(&walked, "pipes").is_empty(), is_listed || form.contains(&"audit"), "{name} {form:?}");
            assert_eq!(listed, walked, "{name} {form:?}");
        }
        if name != "why_channels" {
            scene.truth.assert_whole(&lspipe(["--backend", "bpf"]).report());
        }
    }
}

/// What an audit finds, in scenes of all its kinds.
#[test]
fn both_backends_find_the_same() {
    need!(Need::Bpf, Need::Root, Need::PYTHON);
    let scenes: [(&str, &[&str]); 24] = [
        ("audit_deleted", &[]),
        ("audit_fifos", &[]),
        ("audit_gone", &[]),
        ("audit_inherited", &["daemon"]),
        ("audit_users", &["writes"]),
        ("choice", &[]),
        ("graph_shell", &["branch"]),
        ("graph_shell", &["many"]),
        ("graph_shell", &["subshell"]),
        ("graph_stdio", &["pipelines"]),
        ("graph_stdio", &["shared"]),
        ("pidns_ended", &[]),
        ("stuck", &[]),
        ("why_alone", &["itself"]),
        ("why_alone", &["outside"]),
        ("why_chain", &[]),
        ("why_hub", &[]),
        ("why_leaks", &["daemon"]),
        ("why_leaks", &["rw"]),
        ("why_leftover", &["sleeps"]),
        ("why_polls", &["nobody", "nothing"]),
        ("why_ring", &["plain"]),
        ("why_ring", &["free"]),
        ("why_stopped", &[]),
    ];
    let scenes = scenes.map(|(name, arguments)| (name, arguments, Scene::start_with(name, User::Me, arguments)));
    // What becomes a warning when it is old enough may do so between two of them.
    let [walked, listed, walked_again] =
        ["proc", "bpf", "proc"].map(|backend| json(lspipe(["audit", "--json", "--backend", backend])));
    for (name, arguments, scene) in scenes {
        let pids = scene.truth.pids();
        let found = |json: &Value| -> BTreeSet<String> {
            // How bad it is may depend on ends that only one of them knows.
            let is_theirs = |it: &Value| pids.iter().any(|pid| it["pid"] == *pid);
            let key = |finding: &Value| {
                let theirs: Vec<&Value> = list(finding, "processes").iter().filter(|it| is_theirs(it)).collect();
                (!theirs.is_empty()).then(|| serde_json::json!([finding["code"], theirs]).to_string())
            };
            list(json, "findings").iter().filter_map(key).collect()
        };
        let (of_listed, found_listed) = (part(&listed, &pids), found(&listed));
        let is_same = |walked: &Value| {
            // That a side has no process is known only where the kernel counts, if a process could not be read.
            let found_walked = found(walked);
            let only_counted = found_listed.difference(&found_walked);
            part(walked, &pids) == of_listed
                && found_walked.is_subset(&found_listed)
                && only_counted
                    .into_iter()
                    .all(|it| it.starts_with("[\"no-reader\"") || it.starts_with("[\"no-writer\""))
        };
        assert!(
            is_same(&walked) || is_same(&walked_again),
            "{name} {arguments:?}: {of_listed:#}, {found_listed:#?}\nis not\n{:#}, {:#?}",
            part(&walked, &pids),
            found(&walked)
        );
    }
}

/// The rest of the machine: what cannot be read, and how many processes there are.
#[test]
fn both_backends_report_the_same_gaps() {
    need!(Need::Bpf, Need::PYTHON);
    let scene = Scene::start("anonymous", User::Me);
    // What comes and goes while both look differs once, what is wrong differs each time.
    let mut differences = Vec::new();
    for _ in 0..100 {
        let [(_, walked), (_, listed)] = both(&[], &scene.truth.pids(), |run| run);
        let facts = |report: &Value| {
            (report["unreadable"].clone(), report["scan"]["processes"].clone(), report["scan"]["complete"].clone())
        };
        if facts(&walked) == facts(&listed) {
            return;
        }
        differences.push((facts(&walked), facts(&listed)));
    }
    panic!("{differences:#?}");
}

/// In a PID namespace the kernel lists its processes by their numbers there, and outside it lists none.
#[test]
fn both_backends_in_a_pid_namespace() {
    need!(Need::Bpf, Need::PYTHON, Need::Program("nsenter"), Need::Program("unshare"));
    let scene = Scene::start_with("why_init", User::Me, &["started"]);
    // The shell, its reader and its writer: lspipe itself has a later number.
    let pids: BTreeSet<u32> = (1..=3).collect();
    let [(walked, whole), (listed, _)] = both(&[], &pids, |run| run.inside(scene.truth.number("/init")));
    let pipe = scene.truth.text("/pipe");
    assert!(list(&walked, "pipes").iter().any(|it| it["id"] == pipe && list(it, "writers").len() == 1), "{walked:#}");
    assert_eq!(listed, walked);
    assert_eq!(whole["scan"]["outside"], "pid-namespace");
    assert_eq!(whole["scan"]["unreadable"], 0);
}

/// Ends that no fd table shows are known without a probe, and so is who may hold them.
#[test]
fn the_kernel_counts_hidden_ends() {
    need!(Need::Bpf, Need::PYTHON);
    let scene = Scene::start("hidden", User::Me);
    let report = |args: &[&str]| lspipe(args).report();
    let (probed, listed) = (report(&["--backend", "proc", "--probe"]), report(&["--backend", "bpf"]));
    for name in ["sent", "kept"] {
        let id = scene.truth.id(name);
        let known =
            |report: &Report| report.pipe(&id).map(|pipe| (pipe.hidden_readers, pipe.hidden_writers)).expect("listed");
        assert_eq!(known(&listed), known(&probed), "{name}");
        assert_eq!(known(&listed).0, None, "{name} has a reader that was seen");
    }
    let sent = listed.pipe(&scene.truth.id("sent")).expect("listed");
    assert_eq!((sent.hidden_writers, sent.writer_count, sent.reader_count), (Some(true), Some(1), Some(1)));
}

/// How much is in a pipe.
#[test]
fn the_kernel_knows_sizes() {
    need!(Need::Bpf, Need::PYTHON);
    let scene = Scene::start("queued", User::Me);
    let probed = lspipe(["--backend", "proc", "--probe"]).report();
    let listed = lspipe(["--backend", "bpf"]).report();
    for name in scene.truth.names() {
        let of = |report: &Report| {
            let pipe = report.pipe(&scene.truth.id(name)).expect("listed");
            (pipe.queued, pipe.capacity)
        };
        let ((queued, capacity), (asked, size)) = (of(&listed), of(&probed));
        assert_eq!(capacity, size, "{name}");
        // Of very many buffers the kernel is not asked for the bytes.
        assert!(queued.is_none() || queued == asked, "{name}: {queued:?}, not {asked:?}");
    }
}

/// A list that is larger than the budget allows is none.
#[test]
fn a_list_without_room() {
    need!(Need::Bpf);
    // Ends enough for any such limit.
    let _pipes: Vec<_> = (0..200).map(|_| std::io::pipe().expect("a pipe")).collect();
    for form in [&[][..], &["why"]] {
        let small = [form, &["--budget", "20K", "-q"]].concat();
        let output = lspipe([&small[..], &["--backend", "bpf"]].concat()).run().expect(2);
        assert_eq!(output.text(), "");
        assert_notes(&output.stderr, &[&["bpf", "--budget"]]);
        // What /proc shows in so little room is not all either. Others may have findings.
        let output = lspipe([&small[..], &["--backend", "auto", "--json"]].concat()).run();
        let whole: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            (&whole["scan"]["backend"], &whole["scan"]["complete"]),
            (&"proc".into(), &false.into()),
            "{form:?}"
        );
    }
}

/// Without these rights the list is not to be had: an error where it was asked for, and no word where it was not.
#[test]
fn without_the_right_to_load_programs() {
    need!(Need::Root, Need::PYTHON);
    for form in [&[][..], &["why"], &["graph"], &["audit"]] {
        let output = lspipe([form, &["--backend", "bpf"]].concat()).user(User::Nobody).run().expect(2);
        assert_eq!(output.text(), "");
        assert_notes(&output.stderr, &[&["bpf", "cap_bpf", "cap_perfmon"]]);
    }
    let output = lspipe(["-qJ"]).env("LSPIPE_BACKEND", "bpf").user(User::Nobody).run().expect(2);
    assert_notes(&output.stderr, &[&["bpf", "cap_bpf", "cap_perfmon"]]);
    let scene = Scene::start("anonymous", User::Nobody);
    let report = lspipe(["--backend", "auto"]).user(User::Nobody).report();
    assert_eq!(report.scan.backend.as_deref(), Some("proc"));
    scene.truth.assert_whole(&report);
}

/// Two capabilities are enough for the anonymous pipes of all users.
#[test]
fn with_the_two_capabilities_for_bpf() {
    need!(Need::Bpf, Need::PYTHON, Need::Program("setpriv"));
    const TWO: [&str; 2] = ["--inh-caps=+bpf,+perfmon", "--ambient-caps=+bpf,+perfmon"];
    let options = [&AS_NOBODY[..], &TWO].concat();
    let pipes = Scene::start("anonymous", User::Me);
    let fifos = Scene::start("fifos", User::Me);
    for backend in ["auto", "bpf"] {
        let report = lspipe(["--backend", backend]).setpriv(&options).report();
        assert_eq!(report.scan.backend.as_deref(), Some("bpf"));
        pipes.truth.assert_whole(&report);
        assert!(!report.unreadable.iter().any(|gap| gap.pid == pipes.pid()), "{:?}", report.unreadable);
        // The device and name of a FIFO are known from its link only.
        let gap = report.unreadable.iter().find(|gap| gap.pid == fifos.pid()).expect("its links are unreadable");
        assert_eq!((gap.what.as_str(), gap.error.as_str()), ("fd_links", "EACCES"), "{gap:?}");
        assert!(!gap.may_hold.anonymous, "all of those are known: {gap:?}");
    }
    for capability in [["--inh-caps=+bpf", "--ambient-caps=+bpf"], ["--inh-caps=+perfmon", "--ambient-caps=+perfmon"]] {
        let options = [&AS_NOBODY[..], &capability].concat();
        lspipe(["--backend", "bpf"]).setpriv(&options).run().expect(2);
    }
}

#[test]
fn the_variable_sets_another_default() {
    let used = |variable: &str, args: &[&str]| {
        let output = lspipe([&["-qJ"], args].concat()).env("LSPIPE_BACKEND", variable).run().expect(0);
        Report::parse(&output.stdout).scan.backend.expect("it is said")
    };
    assert_eq!(used("proc", &[]), "proc");
    assert_eq!(used("bpf", &["--backend", "proc"]), "proc");
    assert_eq!(used("nonsense", &["--backend", "proc"]), "proc");
    for form in [&[][..], &["why"], &["fds", "1"]] {
        let output = lspipe(form).env("LSPIPE_BACKEND", "nonsense").run().expect(2);
        assert_eq!(output.text(), "");
        assert_notes(&output.stderr, &[&["LSPIPE_BACKEND", "nonsense", "auto", "proc", "bpf"]]);
    }
}

#[test]
fn there_is_no_choice_in_another_proc_or_a_saved_report() {
    let clash = |args: &[&str], named: &[&str]| {
        let output = lspipe(args).run().expect(2);
        assert_eq!(output.text(), "");
        assert_notes(&output.stderr, &[named]);
    };
    clash(&["--backend", "bpf", "--proc", "/work"], &["--backend", "--proc"]);
    clash(&["why", "--backend", "bpf", "--proc", "/work"], &["--backend", "--proc"]);
    clash(&["--backend", "bpf", "--from", "/nowhere"], &["--backend", "--from"]);
    // The variable is a default, and means nothing there.
    let output = lspipe(["--from", "/nowhere"]).env("LSPIPE_BACKEND", "bpf").run().expect(2);
    assert_notes(&output.stderr, &[&["/nowhere"]]);
}

/// Nothing is hidden here, whatever moves meanwhile. `LSPIPE_STRESS_LOOKS` is how often to look.
#[test]
fn what_moves_is_not_hidden() {
    need!(Need::Bpf, Need::PYTHON);
    let looks = std::env::var("LSPIPE_STRESS_LOOKS").ok().and_then(|looks| looks.parse().ok()).unwrap_or(100);
    for (name, pipes) in [("restless", ["one", "two"]), ("moving", ["moved", "handed"])] {
        let scene = Scene::start(name, User::Me);
        let ids = pipes.map(|pipe| scene.truth.id(pipe));
        let args = ["-q", "--ndjson", "--backend", "bpf", "-r", "0.001", &ids[0], &ids[1]];
        let mut running = lspipe(args).spawn();
        let mut seen = 0;
        for line in running.lines().take(2 * looks) {
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            let pipe = &line["pipe"];
            assert!(ids.iter().any(|id| pipe["id"] == id.as_str()), "{line}");
            assert!(pipe["hidden_writers"].is_null() && pipe["hidden_readers"].is_null(), "{line}");
            assert!(pipe["writer_count"].as_u64().is_some_and(|count| count > 0), "{line}");
            for unseen in ["unseen_readers", "unseen_writers"] {
                assert!(pipe[unseen].is_null() || pipe[unseen]["descriptions"] == 0, "{line}");
            }
            seen += 1;
        }
        assert_eq!(seen, 2 * looks, "{name}");
    }
}

/// A shell that starts pipelines without end, as a group of processes.
struct Pipelines(Child);

impl Pipelines {
    fn start() -> Self {
        let script = "while :; do sleep 0.01 | sleep 0.02; done";
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("run sh"))
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        kill_process_group(Pid::from_child(&self.0), Signal::KILL).expect("kill");
        self.0.wait().expect("wait");
    }
}

/// Pipelines that come and go: an end that one look shows and another does not is no hidden one.
#[test]
fn what_comes_and_goes_is_not_hidden() {
    need!(Need::Bpf, Need::Program("sh"), Need::Program("sleep"));
    let shells = [(); 3].map(|()| Pipelines::start());
    let is_theirs = |process: &&Value| shells.iter().any(|shell| process["pgid"] == shell.0.id());
    let mut theirs = 0;
    for _ in 0..40 {
        let output = lspipe(["--json", "--backend", "bpf", "-q"]).run().expect(0);
        let whole: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let pids: Vec<&Value> = list(&whole, "processes").iter().filter(is_theirs).map(|it| &it["pid"]).collect();
        for pipe in list(&whole, "pipes") {
            let mut ends = list(pipe, "readers").iter().chain(list(pipe, "writers"));
            if ends.all(|end| pids.contains(&&end["pid"])) {
                assert!(pipe["hidden_readers"] != true && pipe["hidden_writers"] != true, "{pipe:#}");
                theirs += 1;
            }
        }
    }
    assert!(theirs > 0, "none was seen");
}
