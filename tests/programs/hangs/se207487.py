"""unix.stackexchange.com/questions/207487: a script makes a FIFO, writes to it, and reads it in the next line.

Answer: the shell waits in open(2) for a reader, which would be its own next line.
"""

from stage import put, ready, start

script = start([put("script.sh", '#!/bin/sh\nmkfifo tmppipe\necho "test" > tmppipe\ncat tmppipe\n')])
ready(script=script.pid)
