"""Names made to break a terminal, a table or a parser, of processes and of FIFOs."""

import os
import scene

NAMES = [b"esc\x1b[31mred", b"new\nline", b"com,ma 3r", b"not\xffutf8", b"\xe2\x80\xaeoverride", b'quo"te\\', b"tab\there",
         b"c1\xc2\x9b31m", b"-", b"?", b" "]


def build():
    def named(name):
        scene.set_name(name)

    for number, name in enumerate(NAMES):
        ends = scene.pipe(f"pipe{number}")
        scene.child(named, name)
        scene.close(*ends)

    def opened(path, fd):
        scene.label("fifo%d" % PATHS.index(path), fd, path)

    here = os.getcwdb()
    PATHS = [here + b"/" + name for name in NAMES] + [here + b"/two\nlines (deleted)"]
    for path in PATHS:
        os.mkfifo(path)
        fd = os.open(path, os.O_RDWR)
        opened(path, fd)
    return {"pid": os.getpid()}


scene.run(build)
