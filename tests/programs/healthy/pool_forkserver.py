"""An idle ProcessPoolExecutor with a fork server."""

from stage import python, ready, said

pool = python("""
import concurrent.futures as cf, multiprocessing as mp, time
if __name__ == '__main__':
    pool = cf.ProcessPoolExecutor(2, mp_context=mp.get_context('forkserver'))
    list(pool.map(abs, range(4))); print('idle', flush=True); time.sleep(1000)
""")
said("idle")
ready(pool=pool.pid)
