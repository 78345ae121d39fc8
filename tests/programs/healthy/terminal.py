"""Shells and pipelines that wait for a person at a terminal."""

from stage import find, on_terminal, ready

shell = on_terminal(["bash", "--norc", "-i"])
pipeline = on_terminal(["sh", "-c", "cat | sort"])
question = on_terminal(["sh", "-c", "seq 10000000 | (read answer < /dev/tty; cat > /dev/null)"])
ready(shell=shell, pipeline=pipeline, sort=find("^sort"), question=question, seq=find("^seq 10000000"))
