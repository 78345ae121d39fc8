"""A daemon that logs a line every second through a pipe."""

from stage import find, put, ready, start

put("daemon.py", """
import os, time
if os.fork(): os._exit(0)
os.setsid()
while True: os.write(1, b'log line\\n'); time.sleep(1)
""", 0o644)
start([put("run.sh", "#!/bin/sh\npython3 daemon.py | logger --socket-errors=off --no-act --tag daemon\n")])
ready(daemon=find("daemon.py"), logger=find("^logger"))
