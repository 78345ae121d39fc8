"""ninja-build/ninja#2052: the shell of a build command has ended, but left `sleep infinity &` behind.

Answer: ninja waits in ppoll(2) for EOF on the pipe of that command, and sleep holds its write end.
"""

from stage import find, put, ready, start

put("build.ninja", "rule C\n  command = $COMMAND\nbuild sleep: C\n  COMMAND = sleep infinity &\n", 0o644)
ninja = start(["ninja", "sleep"])
ready(ninja=ninja.pid, sleep=find("^sleep infinity"))
