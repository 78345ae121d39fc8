"""A process of two threads and a pipe of its own: one thread reads it, the other sleeps, takes a lock or joins the first."""

import sys
import threading
import scene
import blocking


def build():
    reader, writer = blocking.pipe("pipe")
    lock = threading.Lock()
    lock.acquire()

    def then():
        thread = threading.Thread(target=blocking.read(reader))
        thread.start()
        {"sleep": blocking.sleep, "lock": lock.acquire, "join": thread.join}[sys.argv[1]]()

    pid = blocking.part(then, reader, writer)
    blocking.let_go()
    tid, other = blocking.settle(pid, "pipe_read", "nanosleep" if sys.argv[1] == "sleep" else "futex")
    return {"pid": pid, "reader": tid, "other": other, "reader_fd": reader, "writer_fd": writer}


scene.run(build)
