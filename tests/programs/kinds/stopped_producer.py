"""The writer of a pipeline was stopped by its user, and the reader is a program on an event loop.

Answer: the reader waits for a pipe whose only writer is stopped.
"""

import os
import signal

from stage import find, put, ready, start, state, wait_for

put("reader.py", """
import selectors, sys
loop = selectors.DefaultSelector()
loop.register(sys.stdin, selectors.EVENT_READ)
while True:
    for key, events in loop.select():
        if not key.fileobj.readline(): sys.exit()
""", 0o644)
start([put("run.sh", "#!/bin/sh\nwhile :; do echo line; sleep 0.2; done | python3 reader.py\n")])
reader = find("reader.py")
with open(f"/proc/{reader}/stat") as file:
    shell = int(file.read().rsplit(")", 1)[1].split()[1])
with open(f"/proc/{shell}/task/{shell}/children") as file:
    writer = next(int(word) for word in file.read().split() if int(word) != reader)
os.kill(writer, signal.SIGSTOP)
wait_for("a stopped writer", lambda: state(writer) == "T")
ready(reader=reader, stopped=writer)
