"""An idle server whose workers were forked and share a listening socket; the parent has a pipe to wake itself up, and a timeout."""

from stage import fork, python, ready

parent = python("""
import os, select, signal, socket
listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen()
r, w = os.pipe2(os.O_NONBLOCK); signal.set_wakeup_fd(w)
for _ in range(3):
    if os.fork() == 0:
        wake, end = os.pipe2(os.O_NONBLOCK)
        while True:
            if listener in select.select([listener, wake], [], [], 1)[0]: listener.accept()
while True: select.select([r], [], [], 1)
""")
ready(parent=parent.pid, worker=fork(parent.pid, 2))
