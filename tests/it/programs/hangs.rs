//! Hangs that people reported in public. The first lines of each scene name the report, and the right answer.

use super::expect::{find, nothing};
use super::scenes;

/// A circle, however it is called: as certain as it can be proven.
pub(super) const CIRCLE: &[&str] = &["deadlock", "self-deadlock"];
/// A writer that is blocked on a full channel.
pub(super) const FULL: &[&str] = &["deadlock", "self-deadlock", "stalled-reader"];
pub(super) const LEAK: &[&str] = &["leaked-write-end"];
pub(super) const LEFT: &[&str] = &["no-reader"];
const OPEN: &[&str] = &["blocked-open"];

scenes! {"hangs":
    armbian ["bash"]: find(CIRCLE, &["bash", "tee"]);
    asyncio53 []: find(FULL, &["parent", "child"]);
    asyncio53_312 []: find(FULL, &["parent", "child"]);
    cron1506902 ["bash"]: find(LEAK, &["cron", "sleep"]);
    duck140 []: find(LEAK, &["python", "sleep"]);
    ffmpeg15 ["ffmpeg"]: find(&["deadlock", "blocked-open"], &["publisher", "ffmpeg"]);
    ffmpeg171 ["ffmpeg"]: find(&["deadlock"], &["parent", "ffmpeg"]);
    fork_eof []: find(CIRCLE, &["logger"]);
    lock91776 []: nothing().ask("parent", &["child"], &["another (of its own )?threads?", "[Nn]othing wrong|[Nn]o problems"]);
    mawk90 ["bash", "mawk"]: find(LEFT, &["mawk"]);
    mcpgo956 ["go"]: find(FULL, &["client", "server"]);
    moby8920 ["bash", "curl"]: nothing().ask("script", &["curl", r"127\.0\.0\.1:\d+"], &[]);
    nc781410 ["bash"]: find(OPEN, &[]);
    ninja2052 ["ninja"]: find(LEAK, &["ninja", "sleep"]);
    node4236 ["node"]: find(FULL, &["node", "child"]);
    node_awaited ["node"]: find(&["deadlock"], &["parent", "node"]);
    node_ticks ["node"]: find(&["stalled-reader"], &["node", "sleep"]);
    nuclei2206 ["supervisord"]: nothing().ask("cat", &["supervisord"], &[]);
    pexpect756 []: find(FULL, &["parent", "child"]);
    podup1102 []: find(LEFT, &["podup"]);
    poll0 ["bash"]: find(&["stalled-reader"], &["relay"]).ask("relay", &[], &["for something to read"]);
    ppe105829 []: find(FULL, &["main"]);
    ppe111873 []: find(CIRCLE, &["worker0", "worker1", "worker2", "worker3"]);
    queue73983 []: find(&["deadlock"], &["parent", "child"]).ask("parent", &["child", r"pipe:\[\d+\]"], &[]);
    ruby7 ["ruby"]: find(FULL, &["parent", "child"]);
    sagan16 []: find(OPEN, &["sagan"]);
    sccache2145 ["make-4.4"]: find(LEAK, &["make", "sccache"]);
    se207487 []: find(OPEN, &["script"]);
    spawn118981 []: find(&["self-deadlock"], &["parent"]);
    splitgpg79 ["gpg"]: find(&["deadlock"], &["split", "gpg"]);
    ssh230 ["sshd", "ssh", "ssh-keygen"]: find(LEAK, &["session", "sleep"]);
    stopped ["bash"]: find(&["stalled-writer", "deadlock"], &["stopped", "cat"]);
    super1554 ["supervisord"]: find(&["stalled-reader"], &["worker", "supervisord"]);
    super1554b []: find(&["stalled-reader"], &["worker", "supervisor"]);
    tcp_starter []: find(FULL, &["test", "server"]).ask("test", &["whose other end python3"], &[]);
    tokio_err []: find(FULL, &["client", "server"]);
    vllm42226 []: find(&["self-deadlock"], &["main"]);
    yazi1463 []: find(CIRCLE, &["yazi", "cat"]);
}
