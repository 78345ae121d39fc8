"""bytedance/SandboxFusion#53, bojieli/ai-agent-book#112: Process.wait() of asyncio before anything reads stdout.

Past 256 KB the StreamReader pauses. Answer: the child writes to a full pipe, whose reader does not poll it but waits for the child.
"""

from stage import find, python, ready

parent = python("""
import asyncio
async def main():
    child = await asyncio.create_subprocess_exec('python3', '-c', 'print("a" * 3000000)', stdout=asyncio.subprocess.PIPE)
    await child.wait()
    print(len(await child.stdout.read()))
asyncio.run(main())
""")
ready(parent=parent.pid, child=find("python3 -c print"))
