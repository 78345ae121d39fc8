"""A Go program calls Wait before it reads from StdoutPipe.

Answer: the child writes to a full pipe, whose reader waits for the child.
"""

import subprocess

from stage import DIR, find, put, ready, start

put("main.go", """package main
import ("fmt";"io";"os/exec")
func main() {
  c := exec.Command("python3", "-c", "print('x' * 200000)")
  out, _ := c.StdoutPipe()
  c.Start()
  c.Process.Wait()
  text, _ := io.ReadAll(out)
  fmt.Println(len(text))
}
""", 0o644)
subprocess.run(["go", "build", "-o", "parent", "main.go"], stdin=subprocess.DEVNULL, check=True)
parent = start([DIR + "/parent"])
ready(parent=parent.pid, child=find("python3 -c"))
