"""beave/sagan#16: a daemon opens its FIFO before it forks. Nothing writes to it yet, so its start script does not return.

Answer: the script waits for its child, which waits in open(2) of the FIFO for a writer.
"""

import os

from stage import find, put, ready, start

os.mkfifo("sagan.fifo")
put("sagan", """#!/usr/bin/env python3
import os, sys
f = open(sys.argv[1])
if os.fork(): sys.exit()
for line in f: pass
""")
init = start([put("init.sh", "#!/bin/sh\necho -n Starting\n./sagan sagan.fifo\necho ok\n")])
ready(init=init.pid, sagan=find("python3", "sagan.fifo"))
