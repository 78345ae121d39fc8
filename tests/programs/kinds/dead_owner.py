"""A worker was killed while it held a lock in shared memory. The other workers wait for it, and the parent for their results.

Answer: the workers wait for each other and for the parent, and the parent reads a pipe that only they would write.
"""

import os

from stage import fork, python, ready, said

parent = python("""
import multiprocessing as mp, os, time
ctx = mp.get_context('fork')
lock = ctx.Lock(); r, w = os.pipe()
def first():
    os.close(w); os.close(r); lock.acquire(); print('locked', flush=True); time.sleep(1000)
def work():
    os.close(r); time.sleep(1)
    with lock: os.write(w, b'result')
[ctx.Process(target=it).start() for it in (first, work, work)]
os.close(w)
os.read(r, 100)
""")
said("locked")
workers = {f"worker{place}": fork(parent.pid, place) for place in (1, 2)}
os.kill(fork(parent.pid), 9)
ready(parent=parent.pid, **workers)
