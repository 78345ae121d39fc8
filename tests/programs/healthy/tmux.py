"""A session of tmux with two idle shells, and a client of it on a terminal."""

from stage import DIR, find, on_terminal, ready

client = on_terminal(["tmux", "-S", DIR + "/socket", "-f", "/dev/null", "new-session", "sh", ";", "split-window", "sh"])
ready(client=client, shell=find("^sh"))
