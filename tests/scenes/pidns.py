"""Processes in a PID namespace of their own, with a pipe between them and one to the outside.

The namespace has a /proc of its own at `proc`, in the scene's mount namespace.
"""

import os
import scene


def build():
    between_r, between_w = scene.pipe("between")
    out_r, out_w = scene.pipe("out")
    os.mkdir("proc")
    proc = os.path.realpath("proc")
    scene.private_mounts()
    scene.call("unshare", scene.CLONE_NEWPID)

    def init():
        scene.close(between_r, out_r, out_w)
        scene.mount("proc", proc, b"proc", scene.MS_NOSUID_NODEV)

    first = scene.child(init)
    second = scene.child(lambda: scene.close(between_w, out_r))
    scene.close(between_r, between_w, out_w)
    return {"inner": {str(first): 1, str(second): 2}, "proc": proc}


scene.run(build)
