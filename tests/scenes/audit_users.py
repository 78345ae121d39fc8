"""A pipe between users. `reads`: root reads what nobody writes; `writes`: the other way round; `both`: root has both ends, and nobody
the write end; `others`: two users, neither of whom is root; `alike`: two processes of one user. In `apart-reads` and `apart-writes`, the
process of root is a sibling of the other one, and did not start it. In `theirs-reads` and `theirs-writes`, the other one created the pipe,
and a process of root that did not start it has the other end, as one that sudo(8) starts."""

import os
import sys
import scene

NOBODY, SOMEBODY = 65534, 64321


def build():
    kind = sys.argv[1]
    if kind.startswith("theirs-"):
        os.seteuid(NOBODY)
    reader, writer = scene.pipe("pipe")
    os.seteuid(os.getuid())

    def other(fd, uid):
        scene.close(fd)
        scene.become(uid)

    if kind in ("reads", "both"):
        scene.child(other, reader, NOBODY)
        scene.close(*([writer] if kind == "reads" else []))
    elif kind == "writes":
        scene.child(other, writer, NOBODY)
        scene.close(reader)
    elif kind in ("theirs-reads", "theirs-writes", "apart-reads", "apart-writes"):
        kept, closed = (reader, writer) if kind.endswith("reads") else (writer, reader)
        scene.child(scene.close, closed)
        scene.child(other, kept, NOBODY)
        scene.close(reader, writer)
    else:
        scene.child(other, reader, NOBODY)
        scene.child(other, writer, SOMEBODY if kind == "others" else NOBODY)
        scene.close(reader, writer)


scene.run(build)
