"""Processes in a PID namespace of their own, with a pipe between them and one to the outside."""

import os
import scene


def build():
    between_r, between_w = scene.pipe("between")
    out_r, out_w = scene.pipe("out")
    scene.call("unshare", scene.CLONE_NEWPID)
    first = scene.child(lambda: scene.close(between_r, out_r, out_w))
    second = scene.child(lambda: scene.close(between_w, out_r))
    scene.close(between_r, between_w, out_w)
    return {"inner": {str(first): 1, str(second): 2}}


scene.run(build)
