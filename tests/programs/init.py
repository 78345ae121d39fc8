"""PID 1 of a scene's namespace: starts the scene and reaps what is reparented to it, as an init does.

usage: init.py SCRIPT
"""

import os
import sys

scene = os.fork()
if scene == 0:
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    os.execv(sys.executable, [sys.executable, "-B", sys.argv[1]])
while os.wait()[0] != scene:
    pass
sys.exit("the scene ended")
