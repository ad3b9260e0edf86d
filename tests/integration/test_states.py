#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Each change of a state is one signal and one line of the log, in the same words, with a reason that docs/states.md has with that state.
"""

import os
import pathlib
import re
import signal

import test_watchdog
from het_harness import main

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/states.md"
WORD = re.compile("`([a-z-]+)`")
# What it says, and behind it the fields that the journal has
LINE = re.compile(r"(?:^|\s)([\w/-]+): ([a-z]+) -> ([a-z]+): (.*)  \[PLATFORM=.*STATE=([a-z]+) REASON=([a-z-]+)\]$")


def documented():
    """({reason: {state of a processor}}, {reason of a platform})"""
    processors, platforms = PAGE.read_text(encoding="utf-8").split("## Platforms")
    of_processors = {}
    for line in processors.split("| reason | with |")[1].splitlines():
        if cells := re.findall(r"^\| (.*?) \| (.*?) \|", line):
            for reason in WORD.findall(cells[0][0]):
                of_processors.setdefault(reason, set()).update(WORD.findall(cells[0][1]))
    of_platforms = {reason for line in platforms.split("| reason | meaning |")[1].splitlines() if line.startswith("|")
                    for reason in WORD.findall(line.split("|")[1])}
    return of_processors, of_platforms


class States(test_watchdog.Watchdog):
    watchdog = "WatchdogSec=1s\n"

    def told(self, path):
        """[(state, reason, text)] of the signals"""
        return [tuple(changed[name] for name in ("State", "Reason", "ReasonText"))
                for _, changed in self.bus.changes(path) if "State" in changed]

    def logged(self):
        """{name: [(state before, state, text, STATE=, REASON=)]}"""
        found = {}
        for line in self.hetd.log().splitlines():
            if match := LINE.search(line):
                found.setdefault(match[1], []).append(match.groups()[1:])
        return found

    def check(self, *reasons):
        self.bus.mark()
        self.hetd.settle()
        of_processors, of_platforms = documented()
        logged, seen = self.logged(), set()
        objects = {p.path: f"p/{p.get('Name')}" for p in self.platform.processors()} | {self.platform.path: "p"}
        for path, name in objects.items():
            told, lines = self.told(path), logged.get(name, [])
            self.assertEqual([(state, text, state, reason) for state, reason, text in told], [line[1:] for line in lines], name)
            self.assertEqual([line[0] for line in lines[1:]], [line[1] for line in lines[:-1]], f"no state of {name} is skipped")
            for state, reason, text in told:
                self.assertTrue(text)
                self.assertIn(reason, of_platforms if name == "p" else of_processors)
                if name != "p":
                    self.assertIn(state, of_processors[reason], reason)
                seen.add(reason)
        self.assertEqual(set(reasons) - seen, set())

    def test_life(self):
        self.start(self.restart)
        self.boot_program()
        self.platform.call("Pause")
        self.platform.call("Resume")
        self.slave3.call("Stop")
        self.boot_program()
        self.slave3.call("Reset")
        self.boot_program()
        self.master.call("Reset")
        self.slave3.wait_state("ready")
        self.boot_program()
        self.set_alive(0)
        self.slave3.wait_state("crashed")
        os.kill(self.slave3.pid, signal.SIGKILL)
        self.bus.wait_property(self.slave3.path, "Processor", "Restarts", 1)
        self.slave3.wait_state("ready")
        self.slave3.call("RevokeMemory")
        self.slave3.call("Restart")
        self.platform.stop()
        self.check("platform-start", "connected", "granted", "boot", "cpus-stopped", "cpus-resumed", "stop", "host-reset", "master-reset",
                   "watchdog", "process-killed", "restart", "revoked", "platform-stop", "start", "master-running", "master-paused")

    def test_master_ends(self):
        self.start()
        os.kill(self.master.pid, signal.SIGKILL)
        self.platform.wait_state("crashed")
        self.check("process-killed", "master-crashed")

    def test_start_fails(self):
        """Of a QEMU that ends at once: all is undone."""
        self.platform = self.hetd.define("p", test_watchdog.platform_text(
            test_watchdog.MASTER, test_watchdog.SLAVE1 + "ExtraArguments=-device there-is-no-such\n"))
        self.assertEqual(self.platform.job("Start")[0], "failed")
        self.platform.wait_state("failed")
        self.check("process-exit", "start-failed")


if __name__ == "__main__":
    main()
