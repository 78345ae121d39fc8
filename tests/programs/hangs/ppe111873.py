"""python/cpython#111873, blacklanternsecurity/bbot#3203, GridTools/gt4py#2870: the parent of a process pool was killed with SIGKILL.

One of the orphaned workers waits to read the pipe of the queue, whose only write ends the workers themselves hold; the others wait for
the lock that it holds. Answer: the workers wait for each other, and no other process can write.
"""

import os

from stage import fork, python, ready, said

main = python("""
import concurrent.futures as cf, multiprocessing as mp, time
def work(x): time.sleep(0.1); return x
if __name__ == '__main__':
    pool = cf.ProcessPoolExecutor(4, mp_context=mp.get_context('fork'))
    list(pool.map(work, range(16))); print('up', flush=True); time.sleep(1000)
""")
said("up")
workers = {f"worker{place}": fork(main.pid, place) for place in range(4)}
os.kill(main.pid, 9)
main.wait()
ready(**workers)
