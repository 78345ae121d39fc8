"""Programs that run short commands in a loop and read their output: a writer may end while lspipe looks."""

from stage import find, put, ready, start

put("loop.py", """
import random, subprocess
while True: subprocess.run(['sleep', str(random.uniform(.02, 1))], capture_output=True)
""", 0o644)
for _ in range(20):
    start(["python3", "loop.py"])
ready(loop=find("loop.py"))
