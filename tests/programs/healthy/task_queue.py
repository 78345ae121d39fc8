"""A queue of tasks: the workers were forked, and one runs a task that sleeps."""

from stage import fork, python, ready

main = python("""
import multiprocessing as mp, time
ctx = mp.get_context('fork')
def worker(tasks, results):
    while True: results.put(tasks.get()())
def nap(): time.sleep(1000)
tasks, results = ctx.Queue(), ctx.Queue()
for _ in range(3): ctx.Process(target=worker, args=(tasks, results), daemon=True).start()
tasks.put(nap)
results.get()
""")
ready(main=main.pid, worker=fork(main.pid, 2))
