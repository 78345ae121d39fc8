"""confluentinc/ducktape#140, python/asyncio#209: two commands are started by two threads of one process.

Between pipe(2) and the start of a short command, another thread starts a long one, which inherits the write end (close_fds=False). The
short one ends, and its output is read to EOF. Answer: the long-running child, a sibling of the short one, holds the write end.
"""

from stage import find, python, ready

reader = python("""
import os, subprocess
r, w = os.pipe(); os.set_inheritable(r, True); os.set_inheritable(w, True)
subprocess.Popen(['sleep', '1000'], close_fds=False)
subprocess.Popen(['echo', 'pids'], stdout=w)
os.close(w)
print(os.fdopen(r).read())
""")
ready(python=reader.pid, sleep=find("^sleep 1000"))
