"""Glyndor/podup#1102: `podup logs -f | head -1` hangs.

head has ended. podup ignores SIGPIPE, discards EPIPE and goes on. Answer: podup is what is left over, since nothing reads its output.
"""

from stage import find, put, ready, start

put("podup", """#!/usr/bin/env python3
import os, time
while True:
    try: os.write(1, b'demo-web-1 | tick\\n')
    except OSError: pass
    time.sleep(0.5)
""")
script = start([put("run.sh", "#!/bin/sh\n./podup logs -f | head -1\necho done\n")])
ready(script=script.pid, podup=find("podup logs"))
