#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/debugging.md: a debugger at each processor, trace events in hetd's log, and what the page names is there."""

import re
import shutil
import subprocess
import unittest

from hetctl_fixture import FILE, FIRMWARE, TOP, HetctlTest, Output, main

PAGE = (TOP / "docs/debugging.md").read_text(encoding="utf-8")
GDB = shutil.which("gdb-multiarch")


class Debugging(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()
        text = FILE.read_text(encoding="utf-8")
        for name, more in (("master", " -trace idm_*"), ("slave2", "")):
            # As the page has it, in this hetd's directory
            line = re.search(rf"(?m)^ExtraArguments=-gdb unix:/run/hetd/NAME/{name}\.gdb,server=on,wait=off$", PAGE).group()
            text = text.replace(f"[Processor {name}]", f"[Processor {name}]\n{line}{more}")
        file = self.directory / "debug.platform"
        file.write_text(text.replace("/run/hetd/NAME", f"{self.directory}/run/debug"), encoding="utf-8")
        self.ok("start", file, f"--set=FIRMWARE_DIR={FIRMWARE}")
        self.until("debug/master", "received vector 3 from slave 1")

    def gdb(self, name, program):
        child = self.spawn([GDB, "-nx", "-q", FIRMWARE / program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(child.stdin.close)
        child.output = Output(child.stdout.fileno())
        self.tell(child, "set confirm off", "set pagination off", f"target remote {self.directory}/run/debug/{name}.gdb", "echo connected\\n")
        child.output.expect("^(\\(gdb\\) )?connected")
        return child

    @staticmethod
    def tell(child, *commands):
        child.stdin.write("".join(f"{c}\n" for c in commands).encode())
        child.stdin.flush()

    @unittest.skipUnless(GDB, "gdb-multiarch is not installed")
    def test_two_debuggers(self):
        slave = self.gdb("slave2", "first-light-slave-m3.elf")
        self.tell(slave, "break received", "continue")
        slave.output.expect("Continuing")
        self.ok("boot", "debug/slave2")
        slave.output.expect("Program received signal SIGINT")
        self.tell(slave, "continue")
        self.ok("kick", "debug/slave2", "9")
        slave.output.expect(r"Breakpoint 1, (0x\w+ in )?received \(")
        self.assertEqual((self.json("status", "debug/slave2")["state"], self.json("status", "debug/slave1")["state"]), ("paused", "running"))

        # The other one goes on meanwhile, until it has its own debugger
        self.ok("kick", "debug/slave1", "21")
        self.until("debug/slave1", "received vector 21 from the master")
        master = self.gdb("master", "first-light-master.elf")
        self.tell(master, "bt", "detach")
        master.output.expect(r"main \(\) at ")
        master.output.expect("detached")

        self.tell(slave, "detach")
        slave.output.expect("detached")
        self.until("debug/slave2", "received vector 9 from the master")

    def test_trace_events(self):
        with open(self.directory / "hetd.log", "rb") as log:
            self.assertRegex(log.read().decode(errors="replace"), r"debug/master: QEMU says: idm_\w+ ")

    def test_names(self):
        """The words of the table are words of states.md"""
        states = (TOP / "docs/states.md").read_text(encoding="utf-8")
        for row in re.findall(r"(?m)^\| ([^|]*`[^|]*) \|", PAGE):
            for word in re.findall(r"`([a-z-]+)`", row):
                self.assertIn(f"`{word}`", states)
        for verb in set(re.findall(r"(?m)^hetctl ([a-z]+)|`hetctl ([a-z]+)", PAGE)):
            self.assertIn("Usage: hetctl", self.ok(next(filter(None, verb)), "--help"))


if __name__ == "__main__":
    main()
