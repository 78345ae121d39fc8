"""Servers that read a FIFO which their parent keeps open for writing, with a handler for SIGTERM, or beside another child."""

import os

from stage import child, put, ready, said, start

os.umask(0o77)


def server(name, before, after):
    script = f"{before}\nmkfifo {name}\nwhile read line; do echo $line; done < {name} &\nexec 3> {name}\n{after}\necho {name}\nwait\n"
    server = start(["bash", put(name + ".sh", script)])
    said(name)
    return child(server.pid)


ready(trap=server("trap", "trap 'kill 0' TERM", ""), child=server("child", "", "sleep 1000 &"))
