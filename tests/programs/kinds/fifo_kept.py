"""A script starts a loop that reads a FIFO, writes to it, keeps the write end open, and waits for the loop.

Answer: deadlock of both, suspected: another process may open the FIFO.
"""

from stage import child, put, ready, said, start

script = """mkfifo f
while read line; do echo $line; done < f &
exec 3> f
echo started >&3
wait
"""
bash = start(["bash", put("main.sh", script)])
said("started")
ready(bash=bash.pid, loop=child(bash.pid))
