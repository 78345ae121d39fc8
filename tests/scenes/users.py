"""A process of root's and one of nobody's with pipes between them: whoever is not root sees one side.

In the scene's mount namespace, `proc` is a /proc that does not even list other people's processes.
"""

import os
import scene

NOBODY = 65534


def build():
    os.mkdir("proc")
    proc = os.path.realpath("proc")
    scene.private_mounts()
    scene.mount("proc", proc, b"proc", scene.MS_NOSUID_NODEV, b"hidepid=2")
    os.mkdir("proc1")
    listing = os.path.realpath("proc1")
    scene.mount("proc", listing, b"proc", scene.MS_NOSUID_NODEV, b"hidepid=1")
    to_root = scene.pipe("to_root")
    to_nobody = scene.pipe("to_nobody")
    own = scene.pipe("own")

    def nobody():
        scene.close(to_root[0], to_nobody[1], *own)
        scene.become(NOBODY)

    pid = scene.child(nobody)
    scene.close(to_root[1], to_nobody[0])
    return {"nobody": pid, "root": os.getpid(), "proc": proc, "proc1": listing}


scene.run(build)
