"""bytedance/SandboxFusion#53, bojieli/ai-agent-book#112, with a pidfd in epoll(7), as Python 3.12, tokio and Go have it.

The epoll instance has a socket pair whose two ends the parent holds, and a pidfd of the child. Answer: the child writes to a full pipe,
which its reader does not poll. The reader waits for that child.
"""

from stage import find, python, ready

parent = python("""
import asyncio, sys
async def main():
    child = await asyncio.create_subprocess_exec('python3', '-c', 'print("a" * 3000000)', stdout=asyncio.subprocess.PIPE)
    await child.wait()
    print(len(await child.stdout.read()))
if sys.version_info < (3, 12): asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
asyncio.run(main())
""")
ready(parent=parent.pid, child=find("python3 -c print"))
