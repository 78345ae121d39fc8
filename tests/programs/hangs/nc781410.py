"""superuser.com/questions/781410: `nc -l localhost 8888 < fifo > fifo`.

Answer: the shell waits in open(2) for a writer, which would be its own next redirection. nc was never started.
"""

from stage import put, ready, start

bash = start([put("relay.sh", "#!/bin/bash\nmkfifo fifo\nnc -l localhost 18888 < fifo > fifo\n")])
ready(bash=bash.pid)
