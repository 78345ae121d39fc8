"""python/cpython#91776, #81610: fork while another thread holds a lock.

The child waits for a lock that no thread of the child will release, and the parent waits for the child. No pipe is part of it.
Answer: the parent waits for its child, which waits for a lock, not for a pipe.
"""

from stage import fork, python, ready

parent = python("""
import os, threading, time
lock = threading.Lock()
def hold():
    with lock: time.sleep(1000)
threading.Thread(target=hold, daemon=True).start(); time.sleep(0.2)
pid = os.fork()
if pid == 0:
    with lock: os._exit(0)
os.waitpid(pid, 0)
""")
ready(parent=parent.pid, child=fork(parent.pid))
