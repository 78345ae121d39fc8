"""FIFOs that were removed while a process waits in open(2) of them: `read` opens to read, `written` to write. Nobody can open them now."""

import os
import scene
import blocking


def build():
    told = {}
    for name, flags in (("read", os.O_RDONLY), ("written", os.O_WRONLY)):
        os.mkfifo(name)
        path = os.path.realpath(name)

        def opens(path=path, flags=flags, name=name):
            return blocking.part(lambda: os.open(path, flags), work=lambda: scene.set_name(f"gone-{name}"))

        told[name] = {"path": path, "pid": opens()}
        blocking.settle(told[name]["pid"], "wait_for_partner")
        os.unlink(name)
    return told


scene.run(build)
