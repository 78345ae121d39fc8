"""python/cpython#118981: multiprocessing's spawn keeps the ends of the child open while it writes a big pickle to it.

The child has crashed. Answer: the parent writes to a pipe whose only reader is itself.
"""

from stage import python, ready

parent = python("""
import multiprocessing as mp
def work(x): pass
if __name__ == '__main__':
    mp.set_start_method('spawn')
    mp.set_executable('/bin/false')
    mp.Process(target=work, args=(b'x' * 3000000,)).start()
""")
ready(parent=parent.pid)
