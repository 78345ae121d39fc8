"""A local copy of rsync, with a limit of its rate."""

import os

from stage import find, ready, start

os.mkdir("from")
with open("from/big", "wb") as big:
    big.write(os.urandom(20_000_000))
rsync = start(["rsync", "-a", "--whole-file", "--bwlimit=200", "from/", "to/"])
ready(rsync=rsync.pid, server=find("rsync"))
