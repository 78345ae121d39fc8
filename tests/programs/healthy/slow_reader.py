"""A reader that is slow on purpose, and a pager."""

from stage import find, on_terminal, put, ready, start

start([put("slow.sh", "#!/bin/sh\nyes | pv -q -L 100 > /dev/null\n")])
on_terminal(["sh", "-c", "seq 100000000 | less"])
ready(pv=find("^pv -q"), less=find("^less"))
