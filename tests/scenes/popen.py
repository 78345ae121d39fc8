"""subprocess.Popen with stdout=PIPE, handed on as the stdin of two others; the parent forgets to close its copy."""

import socket
import subprocess
import scene


def build():
    # The first cat waits on a socket that nobody writes to, which is no pipe.
    quiet, other = socket.socketpair()
    first = subprocess.Popen(["cat"], stdin=quiet, stdout=subprocess.PIPE)
    ours = first.stdout.fileno()
    scene.label("shared", ours)
    readers = [subprocess.Popen(["cat"], stdin=first.stdout, stdout=subprocess.DEVNULL) for _ in range(2)]

    scene.program(first.pid, "cat", ["cat"], (1, "w", ours))
    for reader in readers:
        scene.program(reader.pid, "cat", ["cat"], (0, "r", ours))
    for process in [first, *readers]:
        scene.wait_for(lambda: scene.comm_of(process.pid) == b"cat", "cat to start")
    scene.keep(first, readers, other)
    return {"first": first.pid, "readers": [reader.pid for reader in readers]}


scene.run(build)
