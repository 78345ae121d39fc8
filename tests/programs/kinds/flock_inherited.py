"""A job that is stopped has inherited the lock of its script. The next run writes to a command that waits for that lock.

Answer: seq is blocked on the full pipe, whose reader waits for the lock in vain; the lock is held by the job.
"""

import os
import signal

from stage import find, put, ready, start

start(["bash", put("first.sh", "exec 9>lock\nflock 9\nsleep 1000\n")])
job = find("^sleep 1000")
os.kill(job, signal.SIGSTOP)
start(["bash", put("next.sh", "seq 1000000 | flock lock cat >/dev/null\n")])
ready(job=job, flock=find("^flock lock cat"), seq=find("^seq"))
