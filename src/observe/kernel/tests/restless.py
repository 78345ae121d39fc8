"""Holds a pipe of which the one write end is opened, duplicated, inherited and closed without pause: it is never hidden."""
import os

reader, held = os.pipe()
print(os.fstat(reader).st_ino, flush=True)
turn = 0
while True:
    again = os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
    copy = os.dup(again)
    os.close(held)
    os.close(again)
    held, turn = copy, turn + 1
    if turn % 16 == 0:
        # By vfork(2), which shares the table for a moment.
        os.set_inheritable(held, True)
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
