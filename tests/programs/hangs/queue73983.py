"""python/cpython#73983, n8n#19084: a parent joins a child that has put a big result on a multiprocessing.Queue.

The feeder thread of the child is blocked in write(2). The parent, the only reader, waits for the child. Answer: deadlock.
"""

from stage import fork, python, ready

parent = python("""
import multiprocessing as mp
def work(q): q.put(b'x' * 1000000)
if __name__ == '__main__':
    mp.set_start_method('fork')
    q = mp.Queue(); p = mp.Process(target=work, args=(q,)); p.start()
    p.join()
    print(len(q.get()))
""")
ready(parent=parent.pid, child=fork(parent.pid))
