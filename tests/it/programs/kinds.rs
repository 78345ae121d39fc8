//! Hangs of the same kinds as those that people reported, in other programs and shapes. The scenes name the right answer.

use super::expect::{find, nothing};
use super::hangs::{CIRCLE, FULL, LEAK, LEFT};
use super::scenes;

scenes! {"kinds":
    // A full channel whose reader does something else.
    java_stderr ["java", "javac"]: find(FULL, &["parent", "child"]);
    go_wait ["go"]: find(FULL, &["parent", "child"]);
    ruby_wait ["ruby"]: find(FULL, &["parent", "child"]);
    perl_open3 ["perl"]: find(FULL, &["parent", "child"]);
    poll_exit []: find(FULL, &["parent", "child"]).ask("parent", &["child"], &["lspipe why"]);
    cat_sleep []: find(FULL, &["seq", "sleep"]);
    expect_wait ["expect"]: find(FULL, &["expect", "seq"]);
    supervisor_skips []: find(FULL, &["supervisor", "chatty"]);
    asyncio_drain []: find(FULL, &["parent", "child"]);
    // A process that keeps a write end of its own open.
    fifo_kept ["bash"]: find(&["deadlock"], &["bash", "loop"]);
    ruby_spawn ["ruby"]: find(&["self-deadlock"], &["ruby"]);
    async_stdin []: find(&["deadlock"], &["parent", "sort"]).ask("parent", &["close the write end"], &["full"]);
    // UNIX sockets.
    node_stdin ["node"]: find(CIRCLE, &["node", "sort"]);
    node_paused ["node"]: find(FULL, &["node", "seq"]);
    node_drain ["node"]: find(CIRCLE, &["node", "cat"]);
    attach_stopped []: find(FULL, &["shim", "client"]);
    socket_pair []: find(CIRCLE, &["parent", "child"]);
    // A background process that holds a write end.
    node_close ["node"]: find(LEAK, &["node", "sleep"]);
    select_server []: find(LEAK, &["server", "sleep"]);
    go_buffer ["go"]: find(LEAK, &["parent", "sleep"]);
    job_runner []: find(LEAK, &["runner", "sleep"]);
    git_hook ["git"]: find(LEAK, &["receive", "sleep"]);
    both_streams []: find(LEAK, &["reader", "sleep"]).once(LEAK, "sleep");
    chain_tee ["bash"]: find(LEAK, &["bash", "tee", "sleep"]).ask("bash", &["kill", "sleep"], &[]).once(LEAK, "sleep");
    chain_session ["bash", "setsid"]: find(LEAK, &["cat", "tee", "sleep"]).once(LEAK, "tee");
    // A process that is stopped.
    background_reader ["bash"]: find(FULL, &["reader", "seq"]);
    traced_reader []: find(FULL, &["reader", "writer"]);
    terminal_job ["bash"]: find(&["stalled-writer", "deadlock"], &["cat", "stopped"]);
    stopped_logger []: find(FULL, &["logger", "writer"]);
    stopped_producer []: find(&["stalled-writer", "deadlock"], &["reader", "stopped"]);
    // A writer that its reader left, and a server that its client left.
    ignores_sigpipe []: find(LEFT, &["producer"]);
    mcp_orphan []: nothing().once(&["no-writer", "no-reader"], "server");
    // Locks.
    queue_join []: find(CIRCLE, &["parent", "worker0", "worker1", "worker2", "worker3"]);
    forked_lock []: find(CIRCLE, &["parent", "child"]).ask("parent", &["child", "self-deadlock"], &["No warning"]);
    queue_pipe []: find(&["deadlock"], &["main", "worker0", "worker1"]);
    pipe_sibling []: find(&["deadlock"], &["main", "reader", "other"]);
    dead_owner []: find(CIRCLE, &["parent", "worker1", "worker2"]);
    // Locks on files.
    fcntl_lock []: find(&["deadlock"], &["writer", "reader"]).ask("reader", &["writer", r"/lock \(fd \d+\)"], &[]);
    flock_lock ["bash", "flock"]: find(&["deadlock"], &["seq", "writer", "flock"]);
    flock_inherited ["bash", "flock"]: find(&["stalled-reader"], &["seq", "flock"]).ask("seq", &["job", "/lock"], &[]);
    flock_log ["bash", "flock"]: find(FULL, &["yes", "sleep"]).ask("cat", &["flock", "yes", "/lock"], &[]);
}
