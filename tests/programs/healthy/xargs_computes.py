"""A producer that waits for xargs, which waits for a command that computes."""

from stage import find, put, ready, start

start([put("run.sh", "#!/bin/sh\nseq 10000000 | xargs -n 50 sh -c 'timeout 600 sha1sum /dev/zero'\n")])
ready(sum=find("^sha1sum /dev/zero"))
