"""subprocess.Popen used wrongly: a parent that writes all before it reads any, or waits for a child without reading what it says."""

import os
import subprocess
import sys
import scene
import blocking

told = []


def writes():
    cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    scene.keep(cat)
    there, back = cat.stdin.fileno(), cat.stdout.fileno()
    scene.label("there", there)
    scene.label("back", back)
    scene.program(cat.pid, "cat", ["cat"], (0, "r", there), (1, "w", back))
    told.append(there)


def waits():
    yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    scene.keep(yes)
    back = yes.stdout.fileno()
    scene.label("back", back)
    scene.program(yes.pid, "yes", ["yes"], (1, "w", back))
    told.append(yes.pid)


def build():
    if sys.argv[1] == "writes":
        parent = scene.child(writes, then=lambda: os.write(told[0], bytes(1 << 20)))
        child = scene.pid_of("cat")
        blocking.settle(parent, "pipe_write")
    else:
        parent = scene.child(waits, then=lambda: os.waitpid(told[0], 0))
        child = scene.pid_of("yes")
        blocking.settle(parent, "do_wait")
    blocking.settle(child, "pipe_write")
    return {"parent": parent, "child": child}


scene.run(build)
