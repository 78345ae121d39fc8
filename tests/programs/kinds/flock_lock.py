"""Both sides of a pipeline take the same lock by flock(2), each in a shell that keeps it in a descriptor.

Answer: seq, which has inherited the lock, is blocked on the full pipe; the flock of its reader waits for the lock.
"""

from stage import find, put, ready, start

put("w.sh", "exec 9>lock\nflock 9\nseq 1000000\n")
put("r.sh", "sleep 1\nexec 9>lock\nflock 9\ncat >/dev/null\n")
start(["bash", put("main.sh", "bash w.sh | bash r.sh\n")])
ready(seq=find("^seq"), writer=find("w.sh"), flock=find("^flock 9"))
