"""Two workers wait for tasks of a pipe, one of them for the lock of it. The parent has sent no end marks, and waits for their exit.

Answer: deadlock of the parent and both workers.
"""

from stage import fork, python, ready

main = python("""
import multiprocessing as mp
mp.set_start_method('fork')
tasks = mp.SimpleQueue()
workers = [mp.Process(target=tasks.get) for _ in range(2)]
for worker in workers: worker.start()
for worker in workers: worker.join()
""")
ready(main=main.pid, worker0=fork(main.pid, 0), worker1=fork(main.pid, 1))
