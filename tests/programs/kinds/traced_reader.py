"""The reader of a pipeline is stopped by a debugger (state t).

Answer: yes writes to a full pipe, whose reader is stopped by a tracer.
"""

from stage import find, put, python, ready, start, state, wait_for

start([put("run.sh", "#!/bin/sh\nyes | cat > /dev/null\n")])
reader = find("^cat")
tracer = python("""
import ctypes, sys, time
PTRACE_ATTACH = 16
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(PTRACE_ATTACH, int(sys.argv[1]), None, None): sys.exit(ctypes.get_errno())
time.sleep(1000)
""", str(reader))
wait_for("a traced reader", lambda: state(reader) == "t")
ready(reader=reader, writer=find("^yes"), tracer=tracer.pid)
