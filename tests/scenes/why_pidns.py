"""In a PID namespace of its own, somebody waits for one of its two children by number: for the one that reads what only it
could write. The other sleeps. In `deeper` the one that reads is in a namespace further down, and has one more number.

The namespace has a /proc of its own at `proc`, in the scene's mount namespace.
"""

import os
import sys
import scene
import blocking


def build():
    os.mkdir("proc")
    proc = os.path.realpath("proc")
    reader, writer = scene.pipe("pipe")
    scene.private_mounts()
    scene.call("unshare", scene.CLONE_NEWPID)

    def init():
        scene.close(reader, writer)
        scene.mount("proc", proc, b"proc", scene.MS_NOSUID_NODEV)

    def fork(then, *without):
        pid = os.fork()
        if pid == 0:
            scene.close(*without)
            then()
            os._exit(0)
        return pid

    child = 0

    def forks():
        nonlocal child
        fork(blocking.sleep, reader, writer)
        if sys.argv[1] == "deeper":
            scene.call("unshare", scene.CLONE_NEWPID)
        child = fork(blocking.read(reader), writer)
        scene.close(reader)

    scene.child(init)
    waiter = scene.child(forks, then=lambda: os.waitpid(child, 0))
    scene.close(reader, writer)
    children = scene.descendants(waiter)
    for pid in children:
        scene.wait_for(lambda: None not in blocking.places(pid).values(), f"{pid} to sleep")
    blocking.settle(waiter, "do_wait")
    reading = lambda: [pid for pid in children if "pipe_read" in (blocking.places(pid).get(pid) or "")]
    scene.wait_for(reading, "a child to read")
    reads, = reading()
    return {"waiter": waiter, "child": reads, "reader_fd": reader, "proc": proc}


scene.run(build)
