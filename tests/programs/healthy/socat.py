"""A server of socat with a client, which both wait."""

import os

from stage import find, ready, start, wait_for

server = start(["socat", "UNIX-LISTEN:socket,fork", "EXEC:cat"])
wait_for("the socket of socat", lambda: os.path.exists("socket"))
client = start(["socat", "UNIX-CONNECT:socket", "EXEC:sleep 1000"])
ready(server=server.pid, client=client.pid, cat=find("^cat"), sleep=find("^sleep 1000"))
