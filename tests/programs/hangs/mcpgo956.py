"""mark3labs/mcp-go#956, kubestellar/console#7960: a Go client makes a StderrPipe and never reads it.

The server is blocked in write(2) on its stderr, and so does not answer on stdout. Go registers every pipe with epoll, also those that it
does not read. Answer: the server writes to a full pipe (fd 2), whose reader waits for the answer of the server.
"""

import subprocess

from stage import DIR, find, put, ready, start

put("main.go", """package main
import ("bufio";"fmt";"os/exec")
func main() {
  c := exec.Command("python3", "-c", "import sys\\nsys.stdin.readline()\\nsys.stderr.write('x'*200000)\\nprint('answer',flush=True)\\nsys.stdin.read()")
  in, _ := c.StdinPipe(); out, _ := c.StdoutPipe(); e, _ := c.StderrPipe(); _ = e
  c.Start()
  fmt.Fprintln(in, "initialize")
  s, err := bufio.NewReader(out).ReadString('\\n')
  fmt.Println(s, err)
  c.Wait()
}
""", 0o644)
subprocess.run(["go", "build", "-o", "client", "main.go"], stdin=subprocess.DEVNULL, check=True)
client = start([DIR + "/client"])
ready(client=client.pid, server=find("python3 -c"))
