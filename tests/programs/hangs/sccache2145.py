"""mozilla/sccache#2145: GNU make 4.4 has its jobserver in a FIFO. A build step starts a daemon, which opens that FIFO O_RDWR and stays.

At its end make closes its own write end and reads all tokens until EOF. Answer: the daemon holds the FIFO open for writing.
"""

import os

from stage import find, put, ready, start

put("sccache.py", """
import os, sys, time, re
fifo = re.search(r'--jobserver-auth=fifo:(\\S+)', os.environ['MAKEFLAGS']).group(1)
fd = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
if os.fork(): sys.exit()
os.setsid()
null = os.open('/dev/null', os.O_RDWR)
for i in (0, 1, 2): os.dup2(null, i)
time.sleep(1000)
""", 0o644)
put("Makefile", "all:\n\t+python3 sccache.py\n\t@echo Finished\n", 0o644)
make = start([os.environ.get("GNUMAKE", "make"), "-j2"])
ready(make=make.pid, sccache=find("sccache.py"))
