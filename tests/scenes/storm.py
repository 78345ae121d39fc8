"""Two processes with a pipe between them that stay, in a storm of processes and pipes that come and go."""

import os
import signal
import scene


def build():
    reader, writer = scene.pipe("stable")
    scene.child(lambda: scene.close(writer))
    os.close(reader)

    def burst():
        ends = [os.pipe() for _ in range(8)]
        pid = os.fork()
        if pid == 0:
            os.fork()
            os._exit(0)
        for pair in ends:
            scene.close(*pair)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass

    def storm():
        os.close(writer)
        if os.fork() == 0:
            # It takes in its orphans and lets the kernel reap them, lest they pile up as zombies.
            scene.call("prctl", scene.PR_SET_PDEATHSIG, signal.SIGKILL)
            scene.call("prctl", scene.PR_SET_CHILD_SUBREAPER, 1)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            while True:
                burst()

    scene.child(storm)
    scene.child(storm)


scene.run(build)
