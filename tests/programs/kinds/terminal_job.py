"""A pipeline in the background, in which a command that xargs runs reads from the terminal: SIGTTIN stops the pipeline.

Answer: the command is stopped, and so is what waits for the output.
"""

from stage import find, on_terminal, put, ready, state, wait_for

put("job.sh", """#!/bin/bash
set -m
(seq 1 3 | xargs -n1 sh -c 'read x </dev/tty; echo $x' | cat > out) &
sleep 1000
""")
shell = on_terminal(["bash", "--norc", "./job.sh"])
command = find("^sh -c")
wait_for("a stopped command", lambda: state(command) == "T")
ready(shell=shell, stopped=command, cat=find("^cat"))
