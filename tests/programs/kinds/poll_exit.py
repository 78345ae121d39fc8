"""`while child.poll() is None: time.sleep(0.5)`, in a program that never reads what the child writes.

Answer: the parent does not read the full pipe, in whichever state it was seen.
"""

from stage import find, python, ready

parent = python("""
import subprocess, time
child = subprocess.Popen(['python3', '-c', 'print("x" * 300000) # CHILD'], stdout=subprocess.PIPE)
while child.poll() is None: time.sleep(0.5)
""")
ready(parent=parent.pid, child=find("print(", "CHILD", "^python3 -c"))
