#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/your-firmware-in-ten-minutes.md, as a reader does it: its files are written, its commands are run in a shell of the host and on the
console of the Linux that it boots, and each line that it says they print is looked for in what they print.
"""

import collections
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from het_events import Console, Loop, Pipe, Process, children_of, wait_for_end
from het_harness import BUILD, TOP, main, reap
from het_linux import Shell, need_guest

PAGE = TOP / "docs/your-firmware-in-ten-minutes.md"
CACHE = os.environ.get("QEMU_HET_CACHE") or str(pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "qemu-het")

# kind: "host", "linux" (commands), "output" of the block before, or "file". place: line of the page; file's name
Block = collections.namedtuple("Block", "kind place text name")
FILE = re.compile(r"`~/([^`]+)`:$")


def parse(text):
    """What is said right before a block tells what it is for."""
    blocks, lines, said = [], iter(enumerate(text.splitlines(), 1)), ""
    for number, line in lines:
        if not line.startswith("```"):
            said = line.strip() or said
            continue
        language, content = line[3:], []
        for _, inner in lines:
            if inner == "```":
                break
            content.append(inner)
        name = match[1] if (match := FILE.search(said)) else None
        kind = "file" if name else {"text": "output"}.get(language, "linux" if said == "**Linux:**" else "host")
        blocks.append(Block(kind, number, "\n".join(content), name))
        said = ""
    return blocks


def pattern(line):
    """A line of a page: … is for what differs each time."""
    return ".*".join(re.escape(part) for part in line.split("…")) + "$"


class HostShell:
    """A bash that has a session bus, and ends at the first command that fails."""

    def __init__(self, loop, folder, environment):
        self.loop, self.number = loop, 0
        self.process = Process(loop, ["dbus-run-session", "--", "bash", "-e"], cwd=folder, env=environment, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = Pipe(loop, self.process.popen.stdout)

    def write(self, text):
        self.process.popen.stdin.write(text.encode())
        self.process.popen.stdin.flush()

    def run(self, commands):
        self.number += 1
        end, since = f"<{self.number} end>", len(self.output.lines)
        self.write(f"{commands}\necho; echo '{end}'\n")     # what was printed last may be half a line
        self.loop.wait(lambda: end in self.output.lines[since:] or self.output.ended,
                       lambda: f"the end of {commands}; so far:\n" + "\n".join(self.output.lines[since:]))
        output = self.output.lines[since:]
        if end not in output:
            raise AssertionError(f"it failed:\n{commands}\nit said:\n" + "\n".join(output))
        return output[:output.index(end)]

    def end(self):
        """Returns the exit status. The bus ends with the shell."""
        self.process.popen.stdin.close()
        return self.process.wait()

    def close(self):
        self.process.end()
        self.output.close()


class Tutorial(unittest.TestCase):
    def setUp(self):
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        temporary = tempfile.TemporaryDirectory(prefix="het-")
        self.addCleanup(temporary.cleanup)
        self.addCleanup(reap)
        self.home, self.runtime, self.clone = (pathlib.Path(temporary.name, name) for name in ("home", "run", "clone"))
        for folder in (self.home, self.runtime, self.clone):
            folder.mkdir(mode=0o700)
        # A clone whose build/ is the one that is tested
        for path in TOP.iterdir():
            if path.name not in ("build", ".git"):
                (self.clone / path.name).symlink_to(path)
        (self.clone / "build").symlink_to(BUILD)
        self.host = HostShell(self.loop, self.clone, {**os.environ, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime),
                                                      "QEMU_HET_CACHE": CACHE})
        self.addCleanup(self.host.close)
        self.console = self.linux = None

    def run_linux(self, commands):
        """On the console of the master that runs now"""
        if not self.linux:
            folder = self.runtime / "hetd/my"
            self.console = Console(self.loop, str(folder / "linux.log"), str(folder / "linux.console"))
            self.linux = Shell(self.console)
        return self.linux.ok(commands).splitlines()

    def leave_linux(self):
        if self.console:
            self.console.close()
        self.console = self.linux = None

    def run_host(self, commands):
        if re.search(r"^hetctl .*\bstop ", commands, re.MULTILINE):
            self.leave_linux()
        return self.host.run(commands)

    def check_output(self, block, output):
        for line in block.text.splitlines():
            self.assertTrue(any(re.search(pattern(line), found.rstrip()) for found in output),
                            f"{PAGE.name}:{block.place}: {line!r} was not printed, but:\n" + "\n".join(output))

    def test_page(self):
        blocks = parse(PAGE.read_text(encoding="utf-8"))
        self.assertEqual({block.kind for block in blocks}, {"file", "host", "linux", "output"})
        self.addCleanup(self.leave_linux)
        output = None
        for block in blocks:
            if block.kind == "file":
                path = self.home / block.name
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.text + "\n", encoding="utf-8")
            elif block.kind == "output":
                self.check_output(block, output)
            else:
                output = {"host": self.run_host, "linux": self.run_linux}[block.kind](block.text)
        self.assertEqual(self.host.end(), 0)
        # What bash did not wait for has become ours, and ends by itself.
        for pid in children_of(os.getpid()):
            wait_for_end(self.loop, pid, "that the page has started")
            os.waitpid(pid, 0)
        self.assertEqual([p for p in self.runtime.rglob("*") if p.is_file() and p.suffix != ".log"], [], "files that were left")


if __name__ == "__main__":
    need_guest()
    main()
