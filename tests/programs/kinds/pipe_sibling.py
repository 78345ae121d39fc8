"""A worker reads a pipe up to EOF. The parent has closed its write end and waits for the worker, but another worker was forked with a copy of
that end, and waits for an event that the parent sets after that.

Answer: deadlock of all three.
"""

from stage import fork, python, ready, said

main = python("""
import multiprocessing as mp
def read(pipe):
    try:
        while True: pipe.recv()
    except EOFError: pass
mp.set_start_method('fork')
reader_end, writer_end = mp.Pipe(duplex=False)
event = mp.Event()
reader, other = mp.Process(target=read, args=(reader_end,)), mp.Process(target=event.wait)
reader.start(); other.start(); reader_end.close(); writer_end.send(1); writer_end.close()
print('joining', flush=True)
reader.join(); event.set(); other.join()
""")
said("joining")
ready(main=main.pid, reader=fork(main.pid, 0), other=fork(main.pid, 1))
