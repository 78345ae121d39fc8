"""asyncio: a filter whose stdin is never closed, of which the output is read up to EOF.

Answer: deadlock of both, and the end to close is that of the parent.
"""

from stage import find, python, ready

parent = python("""
import asyncio
async def main():
    sort = await asyncio.create_subprocess_exec('sort', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    sort.stdin.write(b'b'); await sort.stdin.drain()
    await sort.stdout.read()
asyncio.run(main())
""")
ready(parent=parent.pid, sort=find("^sort"))
