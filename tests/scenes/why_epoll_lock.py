"""An epoll that two processes share: one waits for it, and the other adds a file whose server does not say whether it is ready, and so holds
the lock of the epoll for as long as the server lives."""

import os
import select
import scene
import blocking
import fuse_server

FUSE_POLL = 40


def build():
    answer = fuse_server.answer
    fuse_server.answer = lambda opcode, *rest: None if opcode == FUSE_POLL else answer(opcode, *rest)
    _, mnt = fuse_server.mounted("mnt")
    reader, writer = blocking.pipe("pipe")
    file = os.open(mnt + "/file", os.O_RDONLY)
    watch = select.epoll()
    watch.register(reader, select.EPOLLIN)
    locker = blocking.part(lambda: watch.register(file, select.EPOLLIN))
    blocking.settle(locker, "request_wait_answer")
    waiter = blocking.part(watch.poll, reader)
    writing = blocking.part(blocking.sleep, writer)
    os.close(file)
    blocking.let_go()
    blocking.settle(waiter, "poll")
    return {"locker": locker, "waiter": waiter, "writer": writing}


scene.run(build, fuse_server.clean)
