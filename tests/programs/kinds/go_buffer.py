"""os/exec of Go copies the output of a command into a buffer. The command has ended, but left a background process.

Answer: Wait returns once sleep closes the write end.
"""

import subprocess

from stage import DIR, find, put, ready, start

put("main.go", """package main
import ("bytes";"fmt";"os/exec")
func main() {
  var text bytes.Buffer
  c := exec.Command("sh", "-c", "sleep 1000 & echo started")
  c.Stdout = &text
  fmt.Println(c.Run(), text.String())
}
""", 0o644)
subprocess.run(["go", "build", "-o", "parent", "main.go"], stdin=subprocess.DEVNULL, check=True)
parent = start([DIR + "/parent"])
ready(parent=parent.pid, sleep=find("^sleep 1000"))
