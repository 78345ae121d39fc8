"""asyncio writes all of the input of a filter with drain() before it reads the output, which is longer than the input.

Answer: the filter writes to a full pipe, and the program waits for room in its stdin.
"""

from stage import find, put, python, ready

put("filter.py", """
import sys
while part := sys.stdin.buffer.read1(4096):
    sys.stdout.buffer.write(part * 4); sys.stdout.buffer.flush()
""", 0o644)
parent = python("""
import asyncio
from asyncio.subprocess import PIPE
async def main():
    child = await asyncio.create_subprocess_exec('python3', 'filter.py', stdin=PIPE, stdout=PIPE, limit=1024)
    for _ in range(1000):
        child.stdin.write(b'x' * 10000)
        await child.stdin.drain()
    child.stdin.close()
    print(len(await child.stdout.read()))
asyncio.run(main())
""")
ready(parent=parent.pid, child=find("filter.py"))
