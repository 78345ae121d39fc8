"""A circle of three: one in poll(2), one in select(2), one in epoll_wait(2), each waiting for the next to write.

The first argument says which of them is different from that, if any, and the second how: a `timeout`, or a `socket` in its set."""

import select
import socket
import sys
import scene
import blocking


def polls(fds, timeout):
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return poll.poll(timeout and timeout * 1000)


def selects(fds, timeout):
    return select.select(fds, [], [], timeout)


def epolls(fds, timeout):
    epoll = select.epoll()
    for fd in fds:
        epoll.register(fd, select.EPOLLIN)
    return epoll.poll(timeout)


def build():
    calls = [polls, selects, epolls]
    odd, how = sys.argv[1:]
    pipes = [blocking.pipe(f"pipe{number}") for number in range(len(calls))]
    pids = []
    # Nobody ever writes to it.
    ours, theirs = socket.socketpair()
    scene.keep(ours, theirs)
    for number, call in enumerate(calls):
        reader, writer = pipes[number][0], pipes[number - 1][1]
        is_odd = call.__name__ == odd
        fds = [reader, ours.fileno()] if is_odd and how == "socket" else [reader]
        timeout = 3600 if is_odd and how == "timeout" else None
        pids.append(blocking.part(lambda call=call, fds=fds, timeout=timeout: call(fds, timeout), reader, writer))
    blocking.let_go()
    for pid in pids:
        blocking.settle(pid, "poll")
    return {"ring": pids}


scene.run(build)
