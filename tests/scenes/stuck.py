"""A pipe whose lock is held for good, and one whose only writer is stuck in exiting: both wait for a file system that has stopped.

A thread in splice(2) from a file there into a pipe holds the lock of the pipe while it waits, and whoever asks for the lock waits
unkillably. A process that exits closes its files in order, waits for the file system with the first, and still has the others.
"""

import os
import platform
import signal
import threading
import fuse
import scene

SPLICE = {"x86_64": "275", "aarch64": "76"}[platform.machine()]


def in_splice(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/syscall") as file:
            if file.read().split()[0] == SPLICE:
                return True
    return False


def is_exiting(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[6]) & 4 != 0 and os.listdir(f"/proc/{pid}/fd") == []


def build():
    mnt, server = fuse.mounted()
    locked_r, locked_w = scene.pipe("locked")
    other_r, other_w = scene.pipe("other")
    os.write(other_w, b"x" * 3)
    lost_r, lost_w = scene.pipe("lost")

    def splicer():
        scene.close(locked_r, other_r, other_w, lost_r, lost_w)
        file = os.open(mnt + "/file", os.O_RDONLY)

        def splice():
            scene.wait_for(lambda: scene.state_of(server) == "T", "the server to stop")
            scene.libc.splice(file, None, locked_w, None, 4096, 0)

        threading.Thread(target=splice, daemon=True).start()

    def leaver():
        file = os.open(mnt + "/file", os.O_RDONLY)
        # The lowest descriptor, so that the pipe comes after it.
        os.dup2(file, 0)
        scene.close(file, locked_r, locked_w, other_r, other_w, lost_r)
        # It is killed before anybody looks, and then has no table: what is left of it, nobody sees.
        return []

    pid = scene.child(splicer)
    leaving = scene.child(leaver)
    scene.close(locked_w, lost_w)
    fuse.stop(server)
    scene.wait_for(lambda: in_splice(pid), "the thread to splice")
    os.kill(leaving, signal.SIGKILL)
    scene.wait_for(lambda: is_exiting(leaving), "the process to be stuck")
    return {"splicer": pid, "leaver": leaving}


scene.run(build, fuse.clean)
