"""fork(2) after pipe(2): the child reads, and has kept its own copy of the write end. The parent is gone, or waits for it."""

import os
import sys
import scene
import blocking


def build():
    reader, writer = scene.pipe("pipe")
    is_gone = sys.argv[1] == "gone"

    def forks():
        then = blocking.read(reader)
        if is_gone:
            scene.child(blocking.stray, then=blocking.once_orphaned(os.getpid(), then))
        else:
            scene.child(lambda: None, then=then)
        scene.close(reader, writer)

    parent = scene.child(forks, then=lambda: os._exit(0) if is_gone else os.wait4(-1, 0))
    scene.close(reader, writer)
    child, = scene.gone(parent) if is_gone else scene.children_of(parent)
    if not is_gone:
        blocking.settle(parent, "do_wait")
    blocking.settle(child, "pipe_read")
    return {"parent": parent, "child": child, "reader_fd": reader, "writer_fd": writer}


scene.run(build)
