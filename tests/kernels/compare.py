"""Compares what lspipe lists by the kernel's account with what it lists by the walk of /proc, of some scenes with a known truth."""

import json
import os
import subprocess
import sys


def sleeper(**options):
    process = subprocess.Popen(["sleep", "1000"], **options)
    while os.readlink(f"/proc/{process.pid}/exe") != "/bin/busybox":
        pass
    return process.pid


def look(backend):
    command = ["lspipe", "--backend", backend, "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, errors = run.communicate()
    if run.returncode:
        sys.exit(f"{command}: exit status {run.returncode}: {errors}")
    pipes = {}
    for pipe in json.loads(out)["pipes"]:
        ends = pipe["readers"] + pipe["writers"]
        # Its own output is another pipe each time.
        if any(end["pid"] == run.pid for end in ends):
            continue
        rows = {(end["pid"], end["tid"], end["fd"], end["access"], *end["flags"]) for end in ends}
        pipes[pipe["id"]] = sorted(rows, key=str)
        if backend == "bpf":
            counts[pipe["id"]] = (pipe.get("reader_count"), pipe.get("writer_count"), pipe.get("queued"))
    return pipes


counts = {}


def main():
    r, w = os.pipe()
    os.write(w, b"five.")
    os.mkfifo("/tmp/fifo")
    fifo = os.open("/tmp/fifo", os.O_RDWR)
    first = sleeper(stdin=r, stdout=w)
    second = sleeper(stdin=fifo, stdout=w)
    own = os.getpid()
    status = os.stat("/tmp/fifo")
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    anonymous, named = f"pipe:[{os.fstat(r).st_ino}]", f"fifo:[{device}:{status.st_ino}]"
    closes = "O_CLOEXEC"
    truth = {
        anonymous: [(own, None, r, "r", closes), (own, None, w, "w", closes), (first, None, 0, "r"), (first, None, 1, "w"),
                    (second, None, 1, "w")],
        named: [(own, None, fifo, "rw", closes), (second, None, 0, "rw")],
    }
    for backend in ["proc", "bpf"]:
        pipes = look(backend)
        for name, ends in truth.items():
            if pipes.get(name) != sorted(ends, key=str):
                sys.exit(f"{backend}: {name}: {pipes.get(name)} instead of {ends}")
    # Nobody else has opened them.
    if counts[anonymous][:2] != (1, 1) or counts[named][:2] != (1, 1):
        sys.exit(f"counts: {counts}")
    if counts[anonymous][2] not in [5, None]:
        sys.exit(f"bytes: {counts}")
    by_proc, by_bpf = look("proc"), look("bpf")
    if by_proc != by_bpf:
        sys.exit(f"proc: {by_proc}\nbpf: {by_bpf}")
    print(f"{len(by_bpf)} pipes are the same by bpf and proc, bytes: {counts[anonymous][2]}")


if b"--backend" not in subprocess.run(["lspipe", "--help"], stdout=subprocess.PIPE, check=True).stdout:
    print("lspipe has no --backend")
    sys.exit()
main()
