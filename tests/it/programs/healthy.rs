//! Healthy programs, idle and busy: no warning and no error, however long they wait.

use super::expect::Quiet;
use super::scenes;

scenes! {"healthy":
    // Programs that were accused before.
    exiting_writers []: Quiet;
    pool_fork []: Quiet;
    pool_spawn []: Quiet;
    xargs_computes ["timeout", "xargs"]: Quiet;
    loop_sleeps ["bash"]: Quiet;
    daemon_logger ["logger"]: Quiet;
    fifo_server ["bash"]: Quiet;
    fifo_supervisor ["bash"]: Quiet;
    self_pipe ["ruby"]: Quiet;
    dropped_rights []: Quiet;
    // A writer that is blocked on a full pipe for long, and will go on.
    slow_reader ["pv", "less"]: Quiet;
    xargs_parallel ["xargs"]: Quiet;
    slow_filter ["perl", "node"]: Quiet;
    new_sessions ["bash", "setsid", "timeout"]: Quiet;
    parallel ["parallel"]: Quiet;
    two_inputs ["bash", "diff"]: Quiet;
    jobs ["ruby", "node"]: Quiet;
    // Programs that wait for work.
    pool501 []: Quiet;
    pool_forkserver []: Quiet;
    task_queue []: Quiet;
    idle_daemon_logger ["logger"]: Quiet;
    java_reads ["java", "javac"]: Quiet;
    node_cluster ["node"]: Quiet;
    node_language_server ["node"]: Quiet;
    prefork []: Quiet;
    redis ["redis-server", "redis-cli"]: Quiet;
    postgres ["pg_lsclusters"]: Quiet;
    socat ["socat"]: Quiet;
    ssh_idle ["sshd", "ssh", "ssh-keygen"]: Quiet;
    ssh_master ["sshd", "ssh", "ssh-keygen"]: Quiet;
    dead_helper []: Quiet;
    supervisord_idle ["supervisord"]: Quiet;
    tail_grep []: Quiet;
    // Programs that work slowly, or wait for a person.
    make_jobs ["make"]: Quiet;
    flock_jobs ["bash", "flock"]: Quiet;
    rsync ["rsync"]: Quiet;
    terminal ["bash"]: Quiet;
    tmux ["tmux"]: Quiet;
}
