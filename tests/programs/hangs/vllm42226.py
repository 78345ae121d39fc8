"""vllm-project/vllm#42226: a program has put more into a multiprocessing.Queue than its clients take.

They have ended. At its own end the program joins the feeder thread, which is blocked in write(2). Answer: the only reader of that pipe is
the program itself.
"""

from stage import python, ready, said

main = python("""
import multiprocessing as mp
def client(q):
    for _ in range(2): q.get()
if __name__ == '__main__':
    mp.set_start_method('spawn')
    q = mp.Queue()
    for i in range(200): q.put('conversation' * 2000)
    c = [mp.Process(target=client, args=(q,)) for _ in range(2)]
    [p.start() for p in c]; [p.join() for p in c]
    print('All clients exited', flush=True)
""")
said("All clients")
ready(main=main.pid)
