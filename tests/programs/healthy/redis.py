"""An idle redis with a client that waits."""

import os

from stage import DIR, find, ready, start, wait_for

redis = start(["redis-server", "--port", "0", "--unixsocket", DIR + "/socket", "--save", ""])
wait_for("the socket of redis", lambda: os.path.exists("socket"))
start(["redis-cli", "-s", DIR + "/socket", "BLPOP", "queue", "0"])
ready(redis=redis.pid, client=find("redis-cli"))
