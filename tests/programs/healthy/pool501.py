"""dssg/triage#501, abacusutils#150 (bpo-22393): Pool.map() waits for the result of a worker that was killed.

A new worker has replaced it and waits for a task. No pipe is full and no EOF is missing: the pool cannot be distinguished from one that
is idle. Answer: nothing is reported.
"""

from stage import fork, python, ready

main = python("""
import multiprocessing as mp, os
def work(x):
    if x == 3: os.kill(os.getpid(), 9)
    return x
if __name__ == '__main__':
    with mp.get_context('fork').Pool(3) as pool: print(pool.map(work, range(8), chunksize=1))
""")
ready(main=main.pid, worker=fork(main.pid, 2))
