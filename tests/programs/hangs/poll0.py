"""The mechanism of aptible/supercronic#36 and of `nc -N`: a relay whose own buffer is full polls its stdin with events = 0.

Answer: the pipe is full. The relay does not wait for something to read: it waits for room in its socket.
"""

from stage import find, put, ready, start

put("relay.py", """
import select, socket, os
a, b = socket.socketpair()
a.setblocking(False)
try:
    while True: a.send(b'x' * 65536)
except BlockingIOError: pass
p = select.poll(); p.register(0, 0); p.register(a, select.POLLOUT)
p.poll()
""", 0o644)
script = put("run.sh", "#!/bin/bash\nwhile :; do echo a line of output of a certain length; done | python3 relay.py\n")
start([script])
ready(relay=find("relay.py"))
