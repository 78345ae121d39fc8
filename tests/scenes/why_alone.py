"""The first process of a PID namespace, which reads a pipe. `itself`: only it could write to that; `outside`: only the scene could."""

import sys
import scene
import blocking


def build():
    reader, writer = blocking.pipe("pipe")
    scene.call("unshare", scene.CLONE_NEWPID)

    def work():
        scene.private_mounts()
        scene.mount("proc", "/proc", b"proc", scene.MS_NOSUID_NODEV)

    keep = {"itself": [reader, writer], "outside": [reader]}[sys.argv[1]]
    init = blocking.part(blocking.read(reader), *keep, work=work)
    if sys.argv[1] == "itself":
        blocking.let_go()
    blocking.settle(init, "pipe_read")
    return {"init": init}


scene.run(build)
