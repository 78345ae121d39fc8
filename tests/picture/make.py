#!/usr/bin/env python3
"""Writes what lspipe prints of the processes of scene.py: docs/picture.svg, and the `console` blocks of README.md and docs/*.md.

    sudo tests/picture/make.py target/debug/lspipe            rewrite them
    sudo tests/picture/make.py target/debug/lspipe --check    say which of them differ, and fail

Reports are taken live and saved, and each command reads them by --from. Only what differs from one run to the next is replaced in them:
inode numbers, devices, the folder, the host, times and ages. It needs root, for a PID namespace, and a kernel that lists its open files,
which makes the deadlock proven in a namespace.
"""

import difflib
import glob
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COLUMNS, WIDTH = 92, 112
COMMANDS = ["lspipe", "lspipe why", "lspipe graph"]
INODES = [18913, 18914, 18946, 18951, 18952]

# Width and height of a character, and the margin, in pixels.
WIDE, HIGH, MARGIN, SIZE = 7.83, 17, 14, 13

# The colors of SGR 31 to 37 on a light and on a dark ground, at a contrast of 4.5 to 1 or more.
COLORS = {
    "ground": ("#ffffff", "#0d1117"), "edge": ("#d0d7de", "#30363d"), "plain": ("#1f2328", "#e6edf3"),
    "31": ("#c11324", "#ff7b72"), "32": ("#116329", "#56d364"), "33": ("#875300", "#e3b341"), "34": ("#0550ae", "#79c0ff"),
    "35": ("#7b2fb5", "#d2a8ff"), "36": ("#0b5f6b", "#56d4dd"), "37": ("#1f2328", "#e6edf3"),
}


class Machine:
    """The scene in its namespaces, and the reports that were saved there, by name."""

    def __init__(self, lspipe, folder):
        self.lspipe, self.folder, self.reports = lspipe, folder, {}
        # Of a file, and no pipe of the caller, which would be one more in the report.
        self.errors = open(os.path.join(folder, "errors"), "w")
        self.scene = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "-pfm", "--kill-child", "--mount-proc", "python3", HERE + "/scene.py", folder],
            stdout=subprocess.PIPE, stderr=self.errors)
        if self.scene.stdout.readline() != b"ready\n":
            sys.exit(f"the scene did not start: {open(self.errors.name).read()}")
        with open(f"/proc/{self.scene.pid}/task/{self.scene.pid}/children") as file:
            self.inside = ["nsenter", "-t", file.read().split()[0], "-p", "-m"]

    def close(self):
        self.scene.kill()
        self.scene.wait()

    def save(self, name, *args):
        # Neither the scene nor lspipe has a descriptor of this script.
        path = os.path.join(self.folder, "live")
        with open(path, "w") as file:
            done = subprocess.run([*self.inside, self.lspipe, *args, "--json", "--quiet"], stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=self.errors)
        if done.returncode > 1:
            sys.exit(f"{args}: status {done.returncode}: {open(self.errors.name).read()}")
        with open(path) as file:
            self.reports[name] = file.read()
        return json.loads(self.reports[name])

    def save_all(self):
        """Once the daemon has been idle for long enough to be a warning; and when a client of the FIFO has ended."""
        wanted = [("error", "deadlock", "proven"), ("warning", "leaked-write-end", "inferred")]
        end = time.monotonic() + 120
        while (found := [(it["severity"], it["code"], it["certainty"]) for it in self.save("why", "why")["findings"]]) != wanted:
            if time.monotonic() > end:
                sys.exit(f"other findings than the picture has: {found}")
            time.sleep(1)
        self.save("audit", "audit")
        self.save("before.json")
        for pid in sorted({argument for command in commands() for argument in command.split() if command.startswith("lspipe fds")}):
            if pid.isdigit():
                self.save("fds " + pid, "fds", pid)
        subprocess.run([*self.inside, "kill", "-KILL", "255"], check=True)
        subprocess.run([*self.inside, "sh", "-c", "while kill -0 255; do sleep 0.05; done"], stderr=subprocess.DEVNULL)
        self.save("after.json")

    def settle(self):
        """Replaces what differs from run to run."""
        numbers = sorted({int(number) for number in re.findall(r"pipe:\[(\d+)\]", self.reports["why"])})
        assert len(numbers) == len(INODES), numbers
        for name, text in self.reports.items():
            text = re.sub(r"fifo:\[[\d:]+\]", "fifo:[0:26:4]", text).replace(self.folder, "/run/app")
            text = re.sub(r"pipe:\[(\d+)\]", lambda found: f"pipe:[{INODES[numbers.index(int(found[1]))]}]", text)
            # Ages in sentences and the sizes of tables stay as long as they are.
            text = re.sub(r"\b(for|started) \d+ (s|min)\b", r"\1 3 min", text)
            report = json.loads(text)
            report["taken_at"] = "2026-01-01T12:05:00.000Z" if name == "after.json" else "2026-01-01T12:00:00.000Z"
            report["host"]["hostname"] = "build1"
            of_threads = [task for process in report.get("threads", []) for task in process["tasks"]]
            for wait in report.get("waits", []) + of_threads:
                if wait.get("idle_seconds"):
                    wait["idle_seconds"] = 184.0
            for pipe in report["pipes"]:
                pipe["inode"] = int(re.findall(r"\d+", pipe["id"])[-1])
                if pipe["kind"] == "fifo":
                    pipe["device"] = "0:26"
            self.reports[name] = json.dumps(report)


def ask(machine, command, *options):
    """What a command prints, of the reports that were saved."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in machine.reports.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        first, *rest = command.split(" | ", 1)
        words = first.split()
        name = words[1] if words[1:2] == ["audit"] else " ".join(words[1:3]) if words[1:2] == ["fds"] else "why"
        # These look at nothing.
        is_static = words[1:2] == ["diff"] or {"-H", "--explain", "--help"} & set(words)
        source = [] if is_static else ["--quiet", "--from", f"'{name}'"]
        line = " ".join([machine.lspipe, *words[1:], *source, *options] + (["|", *rest] if rest else []))
        done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, cwd=folder, env=dict(os.environ, LC_ALL="C.UTF-8"))
    if done.returncode > 1:
        sys.exit(f"{command}: status {done.returncode}")
    # The sentence that only a saved report has.
    text = re.sub(r" ?The PIDs are those of \S+ at \S+\.", "", done.stdout.decode())
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def pages():
    return [ROOT + "/README.md", *sorted(glob.glob(ROOT + "/docs/*.md"))]


BLOCK = re.compile(r"(?<=^```console\n)\$ (lspipe.*)\n(?:.*\n)*?(?=```$)", re.MULTILINE)


def commands():
    return [found[1] for page in pages() for found in BLOCK.finditer(open(page).read())]


def runs(line):
    """The parts of a line with their styles: (column, text, classes)."""
    column, styles, found = 0, set(), []
    for sequence, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
        if text:
            found.append((column, text, sorted(styles)))
            column += len(text)
            continue
        for code in sequence.split(";"):
            if code in ("", "0"):
                styles = set()
            else:
                styles.add("bold" if code == "1" else "dim" if code == "2" else "c" + str(30 + int(code) % 10))
    return found


def svg(lines):
    width, height = COLUMNS * WIDE + 2 * MARGIN, len(lines) * HIGH + 2 * MARGIN
    style = []
    for shade in (0, 1):
        rules = [f".ground{{fill:{COLORS['ground'][shade]};stroke:{COLORS['edge'][shade]}}}", f"text{{fill:{COLORS['plain'][shade]}}}"]
        rules += [f".c{code}{{fill:{pair[shade]}}}" for code, pair in COLORS.items() if code.isdigit()]
        style.append("".join(rules))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        'role="img" aria-label="Output of lspipe, lspipe why and lspipe graph">',
        f"<style>text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}}"
        f".bold{{font-weight:700}}.dim{{opacity:.75}}{style[0]}@media(prefers-color-scheme:dark){{{style[1]}}}</style>",
        f'<rect class="ground" x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="6"/>',
    ]
    for row, line in enumerate(lines):
        y = MARGIN + row * HIGH + SIZE
        for column, text, classes in runs(line):
            bare = text.strip(" ")
            if bare:
                x = MARGIN + (column + len(text) - len(text.lstrip(" "))) * WIDE
                kind = f' class="{" ".join(classes)}"' if classes else ""
                out.append(f'<text x="{x:.1f}" y="{y}" textLength="{len(bare) * WIDE:.1f}"{kind}>{html.escape(bare, False)}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    is_check = "--check" in sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="lspipe-picture-") as folder:
        machine = Machine(os.path.realpath(sys.argv[1]), folder)
        try:
            machine.save_all()
        finally:
            machine.close()
    machine.settle()

    lines = []
    for command in COMMANDS:
        lines += [f"\x1b[1m$ {command}\x1b[0m", *ask(machine, command, "--color=always", f"--width={COLUMNS}"), ""]
    made = {ROOT + "/docs/picture.svg": svg(lines[:-1])}

    def block(found):
        width = [] if " | " in found[1] or "--explain" in found[1] or "-H" in found[1] else [f"--width={WIDTH}"]
        return "\n".join(["$ " + found[1], *ask(machine, found[1], *width), ""])

    for page in pages():
        made[page] = BLOCK.sub(block, open(page).read())
    stale = [path for path, text in made.items() if not os.path.exists(path) or open(path).read() != text]
    for path in stale:
        if is_check:
            diff = difflib.unified_diff(open(path).read().splitlines(), made[path].splitlines(), path, "what lspipe prints now", "", "", 1, "")
            print(*diff, sep="\n")
        else:
            with open(path, "w") as file:
                file.write(made[path])
    sys.exit("stale: sudo tests/picture/make.py LSPIPE" if is_check and stale else 0)


main()
