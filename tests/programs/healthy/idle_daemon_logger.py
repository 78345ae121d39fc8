"""A daemon that has nothing to log, whose output goes to a reader of logs."""

from stage import find, put, ready, start

put("daemon.py", """
import os, time
if os.fork(): os._exit(0)
os.setsid()
print('started', flush=True)
time.sleep(1000)
""", 0o644)
start([put("run.sh", "#!/bin/sh\npython3 daemon.py | logger --socket-errors=off --no-act --tag daemon\n")])
ready(daemon=find("daemon.py"), logger=find("^logger"))
