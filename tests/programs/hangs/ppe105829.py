"""python/cpython#105829: submit() of a ProcessPoolExecutor holds a lock while it writes to the wake-up pipe of the pool, which is full.

The thread that would read it waits for that lock. The workers have copies of both ends, and wait for tasks. Answer: the only process that
would ever read the pipe is the writer itself, whose other thread waits for a lock.
"""

from stage import fork, python, ready

main = python("""
import multiprocessing as mp, threading, time
ctx = mp.get_context('fork')
tasks = ctx.Queue(); reader, writer = ctx.Pipe(duplex=False); lock = threading.Lock()
def worker(q): q.get()
if __name__ == '__main__':
    for _ in range(3): ctx.Process(target=worker, args=(tasks,), daemon=True).start()
    def manager():
        time.sleep(1)
        with lock: reader.recv_bytes()
    threading.Thread(target=manager, daemon=True).start()
    with lock:
        while True: writer.send_bytes(b'')
""")
ready(main=main.pid, worker=fork(main.pid, 2))
