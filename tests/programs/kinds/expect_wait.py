"""expect(1) waits for the end of a program before it reads the output.

Answer: the program writes to its full terminal, whose master expect holds and does not read, while it waits for the program.
"""

from stage import find, put, ready, start

expect = start(["expect", put("main.exp", "spawn seq 1000000\nwait\n", 0o644)])
ready(expect=expect.pid, seq=find("^seq 1000000"))
