"""A producer that waits for a shell, which runs a slow command for each line."""

from stage import find, put, ready, start

start([put("run.sh", "#!/bin/bash\nseq 10000000 | while read line; do sleep 40; done\n")])
ready(sleep=find("^sleep 40"))
