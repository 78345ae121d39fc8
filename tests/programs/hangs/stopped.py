"""The mechanism of eradman/entr#26 and icetee/pv#9: the writer of a pipeline is stopped (state T), and the reader waits for it.

Answer: cat reads a pipe whose only writer is stopped.
"""

from stage import find, put, ready, start

start([put("run.sh", '#!/bin/bash\nsh -c "kill -STOP \\$\\$; echo go" | cat\n')])
ready(cat=find("^cat"), stopped=find("kill -STOP"))
