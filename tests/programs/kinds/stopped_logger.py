"""The log reader of a daemon is stopped. The daemon's parent has an unused copy of the read end and waits for a connection.

Answer: the writer is blocked on a full pipe, whose reader is stopped.
"""

from stage import fork, python, ready, state, wait_for

parent = python("""
import os, select, signal, socket
r, w = os.pipe(); s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)
if os.fork() == 0: os.close(r); os.write(w, b'x' * 1000000)
select.select([s], [], [])
""")
logger, writer = fork(parent.pid), fork(parent.pid, 1)
wait_for("a stopped logger", lambda: state(logger) == "T")
ready(logger=logger, writer=writer)
