"""Pipes to choose from: three processes in a row, a pipe without reader, one without writer, a FIFO and its link."""

import os
import sys
import scene


def build():
    stem = f"c{os.getpid()}"
    names = {name: f"{stem}{name}" for name in ("alpha", "beta", "gamma")}
    ab, bc, lone, deaf = (scene.pipe(name) for name in ("ab", "bc", "lone", "deaf"))
    os.mkfifo("fifo")
    path = os.path.realpath("fifo")
    os.link(path, path + "-link")
    fifo = os.open(path, os.O_RDWR)
    scene.label("fifo", fifo, path)
    everything = {*ab, *bc, *lone, *deaf, fifo}

    def process(name, kept, uid=None, mode=None):
        def work():
            scene.set_name(names[name])
            if mode is not None:
                os.open(path, mode)
            scene.close(*everything - set(kept))
            if uid is not None:
                scene.become(uid)
        return scene.child(work)

    # With a number as argument, the last process runs under that user, which has no name.
    uid = int(sys.argv[1]) if len(sys.argv) > 1 else None
    pids = {"alpha": process("alpha", [ab[1], deaf[0]], mode=os.O_WRONLY),
            "beta": process("beta", [ab[0], bc[1]]),
            "gamma": process("gamma", [bc[0], lone[1]], uid, mode=os.O_RDONLY)}
    scene.close(*everything)
    return {"pids": pids, "names": names, "stem": stem, "fifo": path, "link": path + "-link", "idle": os.getpid(),
            "fds": {"ab": ab, "bc": bc, "lone": lone, "deaf": deaf}}


scene.run(build)
