"""A producer that waits for xargs -P, all of whose commands sleep."""

from stage import find, put, ready, start

start([put("run.sh", "#!/bin/sh\nseq 10000000 | xargs -P 4 -I NUMBER sleep 60\n")])
ready(sleep=find("^sleep 60"))
