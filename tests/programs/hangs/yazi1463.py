"""sxyazi/yazi#1463: a program on an event loop (tokio) starts a filter with a piped stdin, never closes it, and waits for its output.

The epoll instance also has an eventfd and a socket pair, of which the program holds both ends. Answer: deadlock. cat waits for EOF on a
pipe whose only writer is the program, which waits for the output of cat and for nothing else.
"""

from stage import find, python, ready

yazi = python("""
import os, select, socket, subprocess
E = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
ep = select.epoll(); a, b = socket.socketpair(); ep.register(b, E)
if hasattr(os, 'eventfd'): ep.register(os.eventfd(0), select.EPOLLIN | select.EPOLLET)
c = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for f in c.stdin, c.stdout: os.set_blocking(f.fileno(), False); ep.register(f, E)
while True:
    for fd, what in ep.poll():
        if fd == c.stdout.fileno():
            try:
                if not os.read(fd, 4096): raise SystemExit
            except BlockingIOError: pass
""")
ready(yazi=yazi.pid, cat=find("^cat"))
