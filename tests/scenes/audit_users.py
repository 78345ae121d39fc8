"""A pipe between users. `reads`: root reads what nobody writes; `writes`: the other way round; `both`: root has both ends, and nobody
the write end; `others`: two users, neither of whom is root; `alike`: two processes of one user."""

import sys
import scene

NOBODY, SOMEBODY = 65534, 64321


def build():
    reader, writer = scene.pipe("pipe")

    def other(fd, uid):
        scene.close(fd)
        scene.become(uid)

    kind = sys.argv[1]
    if kind in ("reads", "both"):
        scene.child(other, reader, NOBODY)
        scene.close(*([writer] if kind == "reads" else []))
    elif kind == "writes":
        scene.child(other, writer, NOBODY)
        scene.close(reader)
    else:
        scene.child(other, reader, NOBODY)
        scene.child(other, writer, SOMEBODY if kind == "others" else NOBODY)
        scene.close(reader, writer)


scene.run(build)
