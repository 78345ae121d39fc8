"""communicate() of Python reads the stdout and stderr of a child that has ended, but left a background process with both.

Answer: sleep holds both write ends, which is one finding.
"""

from stage import find, python, ready

reader = python("""
import subprocess
child = subprocess.Popen(['sh', '-c', 'sleep 1000 & echo started'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
print(child.communicate())
""")
ready(reader=reader.pid, sleep=find("^sleep 1000"))
