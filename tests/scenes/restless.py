"""Processes that open, duplicate, inherit and close the write end of a pipe without pause: there is always one, and never a hidden one."""

import os
import scene


def restless(writer):
    def live():
        held, turn = writer, 0
        while True:
            again = os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
            copy = os.dup(again)
            scene.close(held, again)
            held, turn = copy, turn + 1
            if turn % 16 == 0:
                os.set_inheritable(held, True)
                # Which glibc does by vfork(2).
                os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)

    return live


def build():
    for name in ["one", "two"]:
        reader, writer = scene.pipe(name)

        def work(reader=reader):
            os.close(reader)
            # What it holds is not for the truth: it changes.
            return []

        scene.child(work, then=restless(writer))
        os.close(writer)


scene.run(build)
