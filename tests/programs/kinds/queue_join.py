"""The parent joins four workers before it reads the queue of multiprocessing, whose pipe is full.

Answer: a worker writes to the full pipe, the others wait for its lock, and the parent waits for the first worker.
"""

from stage import fork, python, ready

parent = python("""
import multiprocessing as mp
context = mp.get_context('fork')
queue = context.Queue()
workers = [context.Process(target=lambda: queue.put('x' * 500000)) for _ in range(4)]
for it in workers: it.start()
for it in workers: it.join()
print(queue.get())
""")
ready(parent=parent.pid, **{f"worker{place}": fork(parent.pid, place) for place in range(4)})
