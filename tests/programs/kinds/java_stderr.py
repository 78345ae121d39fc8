"""A Java program waits for an answer on the stdout of a child and never reads its stderr. A thread of an idle pool waits for tasks.

Answer: the child writes to a full pipe (fd 2), whose reader waits for the child.
"""

from stage import find, put, ready, start

parent = start(["java", put("Main.java", """
import java.io.*;
import java.util.concurrent.*;
public class Main {
  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    pool.submit(() -> 1).get();
    Process child = new ProcessBuilder("python3", "-c", "import sys; sys.stderr.write('x' * 200000); print('answer')").start();
    System.out.println(new BufferedReader(new InputStreamReader(child.getInputStream())).readLine());
  }
}
""", 0o644)])
ready(parent=parent.pid, child=find("python3 -c"))
