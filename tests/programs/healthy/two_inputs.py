"""A fast and a slow input of one reader: `diff <(fast) <(slow)`."""

from stage import find, put, ready, start

start([put("run.sh", "#!/bin/bash\ndiff <(seq 10000000) <(sleep 120; seq 3)\n")])
ready(diff=find("^diff"))
