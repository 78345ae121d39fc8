"""A program that never reads its stdin: `seq | sleep`.

Answer: seq writes to a full pipe, whose reader sleeps on a timer.
"""

from stage import find, put, ready, start

start([put("run.sh", "#!/bin/sh\nseq 10000000 | sleep 1000\n")])
ready(seq=find("^seq 10000000"), sleep=find("^sleep 1000"))
