"""A Java program with an idle pool reads the output of a child that prints now and then."""

from stage import find, put, ready, start

parent = start(["java", put("Main.java", """
import java.io.*;
import java.util.concurrent.*;
public class Main {
  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    pool.submit(() -> 1).get();
    Process child = new ProcessBuilder("sh", "-c", "while :; do echo line; sleep 3; done").redirectErrorStream(true).start();
    BufferedReader lines = new BufferedReader(new InputStreamReader(child.getInputStream()));
    for (String line; (line = lines.readLine()) != null; ) {}
  }
}
""", 0o644)])
ready(parent=parent.pid, child=find("while :; do echo line"))
