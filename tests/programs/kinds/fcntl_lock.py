"""Both sides of a pipeline take the same lock by fcntl(2), as programs do that share a database.

Answer: the writer, which holds the lock, is blocked on the full pipe; its reader waits for the lock.
"""

from stage import find, put, ready, start

LOCK = "import fcntl, os, time; f = open('lock', 'w')\n"
put("a.py", LOCK + "fcntl.lockf(f, fcntl.LOCK_EX); os.write(1, b'x' * 200000)\n")
put("b.py", LOCK + "time.sleep(1); fcntl.lockf(f, fcntl.LOCK_EX)\nwhile os.read(0, 4096): pass\n")
start(["sh", put("main.sh", "python3 a.py | python3 b.py\n")])
ready(writer=find("^python3 a.py"), reader=find("^python3 b.py"))
