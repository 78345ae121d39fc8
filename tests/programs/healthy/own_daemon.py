"""A start command forks a daemon, and waits until that has written a byte: it connects to a database that is slow to answer."""

from stage import child, find, put, ready, start

put("daemon.py", """
import os, time
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.close(r)
    time.sleep(1000)
    os.write(w, b'1')
os.close(w)
os.read(r, 1)
""", 0o644)
script = start(["bash", put("main.sh", "python3 daemon.py\n:\n")])
ready(command=child(script.pid), daemon=find("python3 daemon.py"))
