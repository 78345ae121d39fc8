"""librefang/librefang#4045, #3805, mark3labs/mcp-go#956: a client on an event loop stops reading the stderr of its child.

It registers every pipe with epoll, edge-triggered, as tokio and Go do, besides an eventfd and a socket pair of which it holds both ends.
The child is blocked in write(2) on its stderr, and so does not answer on stdout. Answer: the server writes to a full pipe (fd 2); that
the epoll instance of the client watches it does not mean that the client reads it.
"""

from stage import find, put, python, ready

put("server.py", """
import sys
for i in range(5000): print('log line', i, 'x' * 40, file=sys.stderr)
print('answer', flush=True)
sys.stdin.read()
""", 0o644)
client = python("""
import os, select, socket, subprocess, threading
E = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
ep = select.epoll(); a, b = socket.socketpair(); ep.register(b, E)
if hasattr(os, 'eventfd'): ev = os.eventfd(0); ep.register(ev, select.EPOLLIN | select.EPOLLET)
c = subprocess.Popen(['python3', 'server.py'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
for f in c.stdin, c.stdout, c.stderr: os.set_blocking(f.fileno(), False); ep.register(f, E)
idle = threading.Lock(); idle.acquire(); threading.Thread(target=idle.acquire, daemon=True).start()
got = 0
while True:
    for fd, what in ep.poll():
        try:
            if fd == c.stdout.fileno(): print(os.read(fd, 4096))
            if fd == c.stderr.fileno() and got < 10000: got += len(os.read(fd, 8192))
        except BlockingIOError: pass
""")
ready(client=client.pid, server=find("server.py"))
