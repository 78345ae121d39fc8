"""gentoo/portage#1199 (bugs.gentoo.org/919072): a forked logger keeps the write end of the pipe that it reads.

The parent has closed its write end and waits for the logger. Answer: the logger holds its own write end.
"""

from stage import fork, python, ready

portage = python("""
import os
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    while os.read(r, 65536): pass
    os._exit(0)
os.close(r)
os.write(w, b'>>> Compiling')
os.close(w)
os.waitpid(pid, 0)
""")
ready(portage=portage.pid, logger=fork(portage.pid))
