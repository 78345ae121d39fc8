"""A pipe whose reader and writer are of one session, and a process of another that has an end of it, too.

`daemon`: one that was left behind has the write end; `reads`: the read end; `pool`: both; `cloexec`: the write end, but exec(2) would
close it; `child`: the write end, and its parent lives; `apart`: the session has a reader only."""

import os
import sys
import scene
import blocking


def build():
    kind = sys.argv[1]
    reader, writer = blocking.pipe("pipe", os.O_CLOEXEC if kind == "cloexec" else 0)
    drop = {"reads": [writer], "pool": []}.get(kind, [reader])

    def launcher():
        os.setsid()
        scene.close(*drop)
        if kind != "child":
            scene.child(blocking.stray, then=blocking.once_orphaned(os.getpid(), scene.hold))

    def own():
        scene.close(*([writer] if kind == "apart" else []))
        if kind == "child":
            scene.child(launcher)

    first = None if kind == "child" else scene.child(launcher, then=lambda: os._exit(0))
    owner = scene.child(own)
    blocking.let_go()
    holder, = scene.children_of(owner) if first is None else scene.gone(first)
    return {"owner": owner, "holder": holder}


scene.run(build)
