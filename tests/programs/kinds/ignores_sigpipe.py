"""A producer in a pipeline ignores SIGPIPE, and the consumer has ended: `producer | head -1`.

Answer: the producer is what is left over, since nothing reads its output, and the shell waits for it.
"""

from stage import find, put, ready, start

put("producer.sh", "#!/bin/sh\ntrap '' PIPE\nwhile :; do echo y 2>/dev/null; sleep 1; done\n")
shell = start([put("run.sh", "#!/bin/sh\n./producer.sh | head -1\necho done\n")])
ready(shell=shell.pid, producer=find("producer.sh"))
