"""A script that waits for a pipeline of which the last program has ended.

`filter`: a program that would write what it reads is left; `survivor`: one that ignores SIGPIPE and goes on; `sleeps`: one that sleeps,
and may never write. `server`: no pipeline, but a program of which both the stdin and the stdout have lost the other side."""

import os
import subprocess
import sys
import scene
import blocking

LOOP = "import os, time\nwhile True:\n try: os.write(1, b'x')\n except OSError: pass\n time.sleep(.1)"

# Each with the command that is left over.
SCRIPTS = {
    "filter": ("sleep 3600 | cat | true; :", b"cat"),
    "survivor": ('python3 -c "$LOOP" | true; :', b"python3"),
    "sleeps": ("sleep 3600 | true; :", b"sleep"),
}


def pipeline(script, command):
    # In a session of its own: what another user has in the same one may hold the missing end.
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "LOOP": LOOP})
    scene.keep(shell)

    def is_there():
        found = [pid for pid in scene.descendants(shell.pid) if scene.comm_of(pid) == command]
        told.update(writer=found[0] if len(found) == 1 else None)
        # Of the shell and the program that has ended nothing is left below it.
        return told["writer"] and blocking.places(shell.pid).get(shell.pid) == "do_wait" and b"true" not in map(scene.comm_of, scene.descendants(shell.pid))

    told = {"waiter": shell.pid}
    scene.wait_for(is_there, "the pipeline")
    if command == b"python3":
        scene.wait_for(lambda: "nanosleep" in str(blocking.places(told["writer"])), "the loop")
        import time
        end = time.monotonic() + 10.5
        scene.wait_for(lambda: time.monotonic() > end, "the loop to be old")
    else:
        blocking.age(told["writer"])
    return told


def server():
    process = subprocess.Popen(["sleep", "3600"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    scene.keep(process)
    scene.wait_for(lambda: scene.comm_of(process.pid) == b"sleep", "sleep to start")
    told = {"writer": process.pid, "stdin": os.readlink(f"/proc/{process.pid}/fd/0")}
    process.stdin.close()
    process.stdout.close()
    return told


def build():
    how = sys.argv[1]
    told = server() if how == "server" else pipeline(*SCRIPTS[how])
    told["pipe"] = os.readlink(f"/proc/{told['writer']}/fd/1")
    return told


scene.run(build)
