"""A job in the background reads a FIFO, but asks a question on the terminal first: it is stopped by SIGTTIN.

Answer: seq writes to a full FIFO, whose reader is stopped.
"""

from stage import find, on_terminal, put, ready, state, wait_for

put("read.sh", "#!/bin/sh\nread answer < /dev/tty\ncat\n")
on_terminal(["bash", "-m", "-c", "mkfifo fifo; ./read.sh < fifo > /dev/null & seq 10000000 > fifo"])
reader = find("/bin/sh", "read.sh")
wait_for("a stopped reader", lambda: state(reader) == "T")
ready(reader=reader, seq=find("^seq 10000000"))
