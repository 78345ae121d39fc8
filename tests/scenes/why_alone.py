"""The first process of a PID namespace, which reads a pipe that only it could write to."""

import scene
import blocking


def build():
    reader, writer = blocking.pipe("pipe")
    scene.call("unshare", scene.CLONE_NEWPID)

    def work():
        scene.private_mounts()
        scene.mount("proc", "/proc", b"proc", scene.MS_NOSUID_NODEV)

    init = blocking.part(blocking.read(reader), reader, writer, work=work)
    blocking.let_go()
    blocking.settle(init, "pipe_read")
    return {"init": init}


scene.run(build)
