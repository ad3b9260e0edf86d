#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hetctl: verify, graph, log and top; another host; the completions of zsh and fish."""

import json
import os
import pathlib
import pty
import re
import shlex
import shutil
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

from hetctl_fixture import (DEADLINE, FAILED, FILE, FIRMWARE, HETCTL, HETD, NO_HETD, NOT_FOUND, QEMU, TOP, USAGE, WRONG_STATE,
                            HetctlTest, Output, main)

PLATFORM = "first-light"
SET = f"--set=FIRMWARE_DIR={FIRMWARE}"
COMPLETION = TOP / "contrib/completion"


def need(program):
    return unittest.skipUnless(shutil.which(program), f"there is no {program}")


class Verify(HetctlTest):
    """Needs no hetd."""

    def write(self, text):
        path = self.directory / "p.platform"
        path.write_text(text, encoding="utf-8")
        return path

    def test_examples(self):
        files = sorted(FILE.parent.glob("*.platform"))
        guest = self.directory / "guest"
        guest.mkdir()
        for name in ("uImage", "Image", "zImage", "bzImage", "initramfs.cpio.gz", "slave-initramfs.cpio.gz"):
            (guest / name).write_bytes(b"")
        output = self.ok("verify", *files, SET, f"--set=GUEST_DIR={guest}")
        for file in files:
            self.assertRegex(output, rf"(?m)^{re.escape(str(file))}: good: platform {file.stem}, \d+ processors$")

    def test_all_errors_with_their_lines(self):
        path = self.write(FILE.read_text(encoding="utf-8").replace("Window=64M@0x60000000", "Window=3@0x60000000") + "\n[Nobody]\n")
        message = self.fails(FAILED, r"p\.platform:\d+: \[Processor slave1\] Window=", "verify", path, SET)
        self.assertRegex(message, r"p\.platform:\d+: \[Nobody\]")
        self.fails(FAILED, "--set NAME=VALUE", "verify", FILE)
        self.fails(NOT_FOUND, "nowhere", "verify", "/nowhere.platform")

    def test_installed_by_its_name(self):
        self.environment = {**self.environment, "XDG_CONFIG_HOME": str(self.directory)}
        (self.directory / "hetd").mkdir()
        path = self.directory / "hetd/installed.platform"
        path.write_text(FILE.read_text(encoding="utf-8"), encoding="utf-8")
        self.assertEqual(self.ok("--user", "verify", "installed", SET), f"{path}: good: platform installed, 3 processors\n")
        self.fails(NOT_FOUND, f"no other.platform in {self.directory}/hetd, /etc/hetd, ", "--user", "verify", "other")
        self.fails(FAILED, "--set NAME=VALUE", "--user", "verify", "installed")

    def test_firmware_beside_its_window(self):
        path = self.write(FILE.read_text(encoding="utf-8").replace("first-light-slave-m3", "first-light-slave-a15"))
        self.fails(FAILED, r"slave2: .*first-light-slave-a15.elf", "verify", path, SET)

    def test_commands_are_those_of_hetd(self):
        """What hetd then starts, but for the folders of its own files and of QEMU"""
        described = self.json("verify", FILE, SET)
        self.assertEqual([p["name"] for p in described["processors"]], ["master", "slave1", "slave2"])
        text = self.ok("verify", FILE, SET, "--commands")
        commands = [shlex.split(block.split("\n", 1)[1].replace("\\\n", "")) for block in text.split("\n# ")[1:]]
        self.assertEqual(commands, [p["command"] for p in described["processors"]])

        self.start_hetd()
        self.ok("start", FILE)
        processors = self.json("describe", PLATFORM)["processors"]
        for processor, command in zip(processors, commands):
            started = pathlib.Path(f"/proc/{processor['pid']}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
            started = [a.replace(f"{self.directory}/run/{PLATFORM}/", "") for a in started]
            self.assertEqual(started[1:], command[1:])


class Graph(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()
        self.ok("define", FILE)

    def test_text(self):
        graph = self.ok("graph", PLATFORM)
        self.assertEqual(graph, self.ok("graph", f"{PLATFORM}/slave1"))
        for part in (f'digraph "{PLATFORM}" {{', r'"slave1" [label="slave1 (defined)\nvirt, cortex-a15"', 'label="64M@0x60000000"',
                     '"master" -> "slave2" [label="0 IPIs"]'):
            self.assertIn(part, graph)
        path = self.directory / "g.dot"
        self.ok("graph", PLATFORM, "-o", path)
        self.assertEqual(path.read_text(encoding="utf-8"), graph)

    @need("dot")
    def test_drawn(self):
        path = self.directory / "g.svg"
        self.ok("graph", PLATFORM, f"--output={path}")
        texts = {t.text for t in xml.etree.ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")}
        self.assertLessEqual({"slave1 (defined)", "mps2-an385, cortex-m3", "16M@0x70000000"}, texts)
        self.fails(FAILED, "could not draw it", "graph", PLATFORM, "-o", self.directory / "g.unheard")

    def test_errors(self):
        nothing = self.directory / "bin"
        nothing.mkdir()
        self.fails(FAILED, "apt-get install graphviz", "graph", PLATFORM, "-o", self.directory / "g.svg",
                   environment={**self.environment, "PATH": str(nothing)})
        self.fails(USAGE, "its ending", "graph", PLATFORM, "-o", self.directory / "svg")
        self.fails(NOT_FOUND, "nobody", "graph", "nobody")
        self.assertEqual([], list(pathlib.Path("/tmp").glob("hetctl-*.dot")))


class Log(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()
        self.fails(NOT_FOUND, "nobody", "log", "nobody")
        self.ok("define", FILE)
        self.fails(WRONG_STATE, "printed anything", "log", PLATFORM)
        self.ok("start", PLATFORM)
        self.until("master", "received vector 3 from slave 1")

    def test_past(self):
        lines = self.ok("log", PLATFORM, "--lines=0").splitlines()
        self.assertIn("master | master: first light on Cortex-A15", lines)
        self.assertIn("slave1 | slave1: received vector 3 from the master", lines)
        whole = self.ok("log", "slave1", "--lines=0").splitlines()
        self.assertEqual(self.ok("log", f"{PLATFORM}/slave1", "--lines=2").splitlines(), whole[-2:])
        self.assertEqual([json.loads(line) for line in self.ok("log", "slave1", "--lines=1", "--json=short").splitlines()],
                         [{"processor": "slave1", "line": whole[-1].split(" | ", 1)[1]}])
        self.fails(USAGE, "--lines", "log", "slave1", "--lines=-1")

    def test_limited(self):
        """What is old goes, what is printed meanwhile does not, and it is said."""
        file = self.directory / "limited.platform"
        file.write_text(FILE.read_text().replace("Role=master", "Role=master\nConsoleLogMax=64K"), encoding="utf-8")
        self.ok("start", file, f"--set=FIRMWARE_DIR={FIRMWARE}")
        self.ok("console", "limited/master", stdin="help\n" * 1000)
        self.until("limited/master", "unknown command over", stdin="over\n")
        note = r"\[hetd: \d+K that were printed before this are gone: ConsoleLogMax=64K\]"
        deadline = time.monotonic() + DEADLINE
        path = self.json("status", "limited/master")["console-log"]
        # Of one that is cut while it is read both the old begin and the note are seen
        while (not re.search(rf"\A *master \| {note}", text := self.ok("log", "limited/master", "--lines=0")) or
               (log := os.stat(path)).st_blocks * 512 > 64 << 10):
            self.assertLess(time.monotonic(), deadline, "it is as long as ever")
        self.assertNotIn("\0", text)
        self.assertIn("unknown command over", text.splitlines()[-1])
        self.assertGreater(log.st_size, 128 << 10)
        history = self.ok("console", "limited/master", "--lines=0")
        self.assertRegex(history, rf"\A{note}\n")
        self.assertIn("unknown command over", history)
        self.assertEqual(len(self.ok("log", "limited/master", "--lines=5").splitlines()), 5)

    def test_follow(self):
        child = self.spawn([HETCTL, "--user", "log", PLATFORM, "--follow"], env=self.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE)
        output = Output(child.stdout.fileno())
        output.expect(r"^slave1 \| slave1: received vector 3 from the master$")
        self.ok("boot", "slave2")
        output.expect(r"^slave2 \| slave2: booted from the shared window")
        self.ok("kick", "slave1", "21")
        output.expect(r"^slave1 \| slave1: received vector 21 from the master$")
        # Started again, it writes to new files
        self.ok("stop", PLATFORM)
        self.ok("start", PLATFORM)
        self.assertEqual(child.wait(DEADLINE), 0)


class Top(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()
        self.ok("start", FILE)
        self.until("slave1", "booted from the shared window")

    def test_rates(self):
        child = self.spawn([HETCTL, "--user", "top", PLATFORM, "--interval=50ms", "--json=short"], env=self.environment,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        output = Output(child.stdout.fileno())
        while True:             # as soon as a look falls behind a kick
            self.ok("kick", "slave1", "3", "--quiet")
            entries = json.loads(output.expect(r"^\[.*\]$")[0])
            self.assertEqual([e["processor"] for e in entries], [f"{PLATFORM}/{n}" for n in ("master", "slave1", "slave2")])
            if entries[1]["ipisTo"] > 0 and entries[1]["ipisFrom"] > 0:         # the slave answers
                break
        self.assertEqual((entries[2]["state"], entries[2]["ipisTo"]), ("ready", 0))
        for entry in entries:
            self.assertGreater(entry["rss"], 1 << 20)
            self.assertGreater(entry["pid"], 0)

    def test_table(self):
        lines = self.ok("top", "--interval=10ms", "--iterations=2").splitlines()
        self.assertEqual(lines[0].split(), ["PROCESSOR", "STATE", "PID", "CPU%", "RSS", "IPI-IN/S", "IPI-OUT/S"])
        self.assertEqual([line.split()[:2] for line in lines[1:4]],
                         [[f"{PLATFORM}/master", "running"], [f"{PLATFORM}/slave1", "running"], [f"{PLATFORM}/slave2", "ready"]])
        self.assertEqual((lines[4], lines[5]), ("", lines[0]))
        one = self.ok("top", "slave1", "--interval=10ms", "--iterations=1")
        self.assertEqual(len(one.splitlines()), 2)

    def test_terminal(self):
        terminal = self.terminal("top", "--interval=20ms")
        for _ in range(2):
            terminal.output.expect(r"\033\[H\033\[J.*PROCESSOR")
            terminal.output.expect("q ends it")
        terminal.type("q")
        status, _, mode = terminal.finish()
        self.assertEqual((status, mode), (0, terminal.before))

    def test_errors(self):
        self.fails(NOT_FOUND, "nobody", "top", "nobody")
        self.fails(USAGE, "--iterations", "top", "--iterations=-1")


@unittest.skipUnless(shutil.which("systemd-stdio-bridge"), "there is no systemd-stdio-bridge")
class Host(HetctlTest):
    """The other host is this one, without the ssh in between."""

    def setUp(self):
        super().setUp()
        programs = self.directory / "bin"
        programs.mkdir()
        ssh = programs / "ssh"
        ssh.write_text("#!/bin/sh\n"
                       f"echo \"$@\" >>{self.directory}/ssh.log\n"
                       "while [ \"$1\" != systemd-stdio-bridge ]; do shift; done\n"
                       f"exec \"$@\" --bus-path='{self.environment['DBUS_SESSION_BUS_ADDRESS']}'\n", encoding="utf-8")
        ssh.chmod(0o755)
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def host(self, status, *arguments):
        result = subprocess.run([HETCTL, "--host=het@board.example", *arguments], env=self.environment, capture_output=True, text=True,
                                timeout=DEADLINE, check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout + result.stderr

    def test_remote(self):
        self.assertIn("hetd does not run on het@board.example", self.host(NO_HETD, "list"))
        self.start_hetd()
        self.assertIn("board.example", (self.directory / "ssh.log").read_text(encoding="utf-8"))
        self.assertIn("het@board.example", self.host(0, "version"))
        self.host(0, "start", PLATFORM)
        self.until("slave1", "booted from the shared window")
        self.assertIn("running", self.host(0, "status", f"{PLATFORM}/slave1"))
        self.host(0, "kick", "slave1", "3")
        self.assertIn("by its name", self.host(USAGE, "start", str(FILE)))
        self.assertIn("by ssh", self.host(USAGE, "console", "slave1"))
        self.fails(USAGE, "exclude", "--host=x", "list")

    def test_unreachable(self):
        (self.directory / "bin/ssh").write_text("#!/bin/sh\nexit 255\n", encoding="utf-8")
        self.assertIn("ssh HOST true", self.host(NO_HETD, "list"))


class Completion(HetctlTest):
    """Of verbs, options and names, as the shell itself makes them"""

    def setUp(self):
        super().setUp()
        self.environment["PATH"] = f"{HETCTL.parent}:{self.environment['PATH']}"
        self.environment["HOME"] = str(self.directory)
        self.start_hetd()
        self.ok("define", FILE)

    def fish(self, line):
        script = f"source {COMPLETION}/fish/hetctl.fish; complete -C {shlex.quote(line)}"
        result = subprocess.run(["fish", "--no-config", "-c", script], env=self.environment, capture_output=True, text=True,
                                timeout=DEADLINE, check=True)
        self.assertEqual(result.stderr, "")
        return [line.split("\t")[0] for line in result.stdout.splitlines()]

    @need("fish")
    def test_fish(self):
        self.assertEqual(self.fish("hetctl ver"), ["verify", "version"])
        self.assertEqual(self.fish("hetctl --user boot "), [f"{PLATFORM}/slave1", f"{PLATFORM}/slave2"])
        self.assertEqual(self.fish("hetctl --user stop "), [PLATFORM])
        self.assertEqual(self.fish("hetctl boot --protocol=l"), ["--protocol=linux"])
        self.assertIn("--commands", self.fish("hetctl verify --c"))
        self.assertIn(PLATFORM, self.fish("hetctl --user verify f"))

    def zsh(self, typed, expected):
        """Types it and the tabulator, and waits for what the shell makes of it."""
        master, side = pty.openpty()
        child = self.spawn(["zsh", "-f", "-i"], env={**self.environment, "TERM": "dumb"}, stdin=side, stdout=side, stderr=side)
        os.close(side)
        output = Output(master)
        os.write(master, f"PS1='ready> '; fpath=({COMPLETION}/zsh $fpath); autoload -U compinit; compinit -u -D; echo go$((1))\n".encode())
        output.expect(r"go1\r?\n")
        os.write(master, f"{typed}\t".encode())
        output.expect(expected)
        child.kill()
        os.close(master)

    @need("zsh")
    def test_zsh(self):
        self.zsh("hetctl verif", "hetctl verify ")
        self.zsh("hetctl --user stop f", f"hetctl --user stop {PLATFORM}")
        self.zsh("hetctl --user boot first-light/slave", "slave1")
        self.zsh("hetctl console --hist", "--history")


if __name__ == "__main__":
    for program in (QEMU, HETD):
        if not os.path.exists(program):
            print(f"skipped: there is no {program}")
            sys.exit(77)
    main()
