"""A producer that waits for GNU parallel, all of whose commands sleep."""

from stage import find, put, ready, start

start([put("run.sh", "#!/bin/sh\nseq 10000000 | parallel --will-cite -j 4 sleep 60 '#' {}\n")])
ready(sleep=find("^sleep 60"))
