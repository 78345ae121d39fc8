"""A child script spoken to through its stdin and stdout pipes, with real words passing both ways."""

import json
import subprocess
import sys
import scene

CHILD = """
import json, sys, scene
for line in sys.stdin:
    print(json.dumps({"heard": line.strip(), "report": scene.report()}), flush=True)
"""


def build():
    script = subprocess.Popen([sys.executable, "-BEsSc", f"import sys; sys.path.insert(0, {sys.path[0]!r}){CHILD}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    scene.label("to_child", script.stdin.fileno())
    scene.label("from_child", script.stdout.fileno())
    script.stdin.write("hello\n")
    script.stdin.flush()
    answer = json.loads(script.stdout.readline())
    assert answer["heard"] == "hello"
    scene.adopt(answer["report"], script.pid)
    scene.keep(script)
    return {"child": script.pid}


scene.run(build)
