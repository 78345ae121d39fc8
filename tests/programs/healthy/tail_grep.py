"""`tail -f log | grep`, in a log to which nothing is written."""

from stage import find, put, ready, start

put("access.log", "first\nsecond\n", 0o644)
script = start([put("watch.sh", "#!/bin/sh\ntail -f access.log | grep --line-buffered second | cat\n")])
ready(script=script.pid, tail=find("^tail -f"), grep=find("^grep"))
