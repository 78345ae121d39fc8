"""Two processes with a socket pair each wait for a message of the other.

Answer: deadlock.
"""

from stage import fork, python, ready

parent = python("""
import os, socket
ours, theirs = socket.socketpair()
if os.fork() == 0:
    ours.close()
    theirs.recv(1)
theirs.close()
ours.recv(1)
""")
ready(parent=parent.pid, child=fork(parent.pid))
