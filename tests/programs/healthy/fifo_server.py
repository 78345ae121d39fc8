"""Servers that wait in open(2) of a FIFO for their next client."""

import os

from stage import find, put, ready, start

os.umask(0o77)
for name in "a", "b", "c":
    os.mkfifo(name)
start([put("server.sh", "#!/bin/bash\nwhile :; do read line < a; echo $line; done\n")])
start(["tail", "-f", "b"])
start([put("commands.sh", "#!/bin/sh\ncat c | sh\n")])
ready(server=find("server.sh"), tail=find("^tail -f"), cat=find("^cat"))
