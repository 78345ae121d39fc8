"""An idle pool of processes that were forked."""

from stage import python, ready, said

pool = python("""
import multiprocessing as mp, time
if __name__ == '__main__':
    pool = mp.get_context('fork').Pool(2); pool.map(abs, range(4)); print('idle', flush=True); time.sleep(1000)
""")
said("idle")
ready(pool=pool.pid)
