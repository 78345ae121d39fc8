"""A parent that runs as root reads the output of children that it started as another user."""

from stage import child, python, ready

parent = python("""
import subprocess, time
children = [subprocess.Popen(['sleep', '1000'], stdout=-1, stderr=-1, user=65534) for _ in range(5)]
time.sleep(1000)
""")
ready(parent=parent.pid, child=child(parent.pid, 4))
