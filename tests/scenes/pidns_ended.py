"""The /proc of a PID namespace in which no process is left, at `proc`, in the scene's mount namespace."""

import os
import scene


def build():
    os.mkdir("proc")
    proc = os.path.realpath("proc")
    scene.private_mounts()

    def outside():
        scene.call("unshare", scene.CLONE_NEWPID)
        first = os.fork()
        if first == 0:
            scene.mount("proc", proc, b"proc", scene.MS_NOSUID_NODEV)
            os._exit(0)
        os.waitpid(first, 0)

    scene.child(outside)
    assert os.path.ismount(proc)
    return {"proc": proc}


scene.run(build)
