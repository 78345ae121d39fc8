"""A job that holds a lock is blocked on a full pipe, since its reader does not read. Each later run waits for the lock.

Answer: the reader of the first run; and that the later run waits for a lock that the first one holds.
"""

from stage import find, put, ready, start

start(["bash", put("first.sh", "exec 9>lock\nflock 9\nyes one | sleep 1000\n")])
yes, sleep = find("^yes one"), find("^sleep 1000")
start(["bash", put("next.sh", "flock lock yes two | cat >/dev/null\n")])
ready(yes=yes, sleep=sleep, flock=find("^flock lock yes two"), cat=find("^cat"))
