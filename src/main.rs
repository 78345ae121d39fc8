//! The `lspipe` command.
#![allow(missing_docs, clippy::print_stdout)]
fn main() {
    let want = lspipe::scan::Want { proc_root: std::env::args().nth(1).unwrap_or("/proc".into()).into(), flags: true, facts: lspipe::scan::Facts::All, parents: false, tables: vec![] };
    let g = lspipe::join::join(lspipe::scan::scan(&want).unwrap());
    for p in &g.pipes { println!("{} {:?}", p.id, p.ends.iter().map(|e| format!("{} {:?} {}{}", e.pid, e.tid, e.fd, e.access.as_str())).collect::<Vec<_>>()); }
    println!("{:#?}", g.coverage); println!("{:#?}", g.processes.values().next());
}
