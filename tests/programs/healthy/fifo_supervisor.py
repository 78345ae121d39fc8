"""Servers that read a FIFO which their parent keeps open: O_RDWR, or for writing only, with a handler for SIGTERM, or beside another child."""

from stage import child, put, ready, said, start


def server(name, before, opens, after):
    script = f"{before}\nmkfifo {name}\nwhile read line; do echo $line; done < {name} &\nexec 3{opens} {name}\n{after}\necho {name}\nwait\n"
    server = start(["bash", put(name + ".sh", script)])
    said(name)
    return child(server.pid)


ready(
    both=server("both", "", "<>", ""),
    trap=server("trap", "trap 'kill 0' TERM", ">", ""),
    child=server("child", "", ">", "sleep 1000 &"),
)
