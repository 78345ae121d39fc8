"""fork while another thread holds a lock: the child waits for it before it writes its result, which the parent reads.

Answer: deadlock, or at least: the parent reads a pipe whose only writer waits for a lock that no thread of it will release.
"""

from stage import fork, python, ready

parent = python("""
import os, threading, time
lock = threading.Lock()
def hold():
    with lock: time.sleep(1000)
threading.Thread(target=hold, daemon=True).start(); time.sleep(0.2)
r, w = os.pipe()
if os.fork() == 0:
    os.close(r)
    with lock: os.write(w, b'result')
    os._exit(0)
os.close(w)
os.read(r, 100)
""")
ready(parent=parent.pid, child=fork(parent.pid))
