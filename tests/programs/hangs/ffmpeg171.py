"""kkroening/ffmpeg-python#171: a program writes one picture to the stdin of ffmpeg and reads its stdout, without closing stdin.

Answer: deadlock. Each waits for the other, and both pipes are empty.
"""

import subprocess

from stage import DIR, find, python, ready

picture = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=s=64x64:d=0.04", "-frames:v", "1", DIR + "/a.png"]
subprocess.run(picture, stdin=subprocess.DEVNULL, check=True)
parent = python("""
import subprocess
child = subprocess.Popen(['ffmpeg', '-v', 'error', '-f', 'image2pipe', '-i', 'pipe:0', '-f', 'image2pipe', 'pipe:1'],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(open('a.png', 'rb').read()); child.stdin.flush()
print(len(child.stdout.read()))
""")
ready(parent=parent.pid, ffmpeg=find("ffmpeg -v"))
