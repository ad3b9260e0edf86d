#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""clients/qmp: a platform made with QEMU's own QMP library alone, and what the scripts say when it cannot be."""

import json
import os
import pathlib
import signal
import subprocess

from het_harness import FIRMWARE, QEMU, TestCase, main, skip_all
from het_qemu import MASTER_ARGUMENTS, SLAVE2_ARGUMENTS, Qemu

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "clients/qmp"
LIBRARY = os.environ.get("QEMU_HET_PYTHON", "")
DEADLINE = 120
M3 = FIRMWARE / "first-light-slave-m3.elf"


class Scripts(TestCase):
    def setUp(self):
        super().setUp()
        self.environment = os.environ | {"PYTHONPATH": LIBRARY, "PYTHONDONTWRITEBYTECODE": "1"}

    def run_script(self, name, *arguments):
        return subprocess.run([SCRIPTS / name, *map(str, arguments)], env=self.environment, capture_output=True, text=True,
                              timeout=DEADLINE, check=False)

    def ok(self, *arguments):
        result = self.run_script("het-qmp", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def fails(self, message, *arguments):
        result = self.run_script("het-qmp", *arguments)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, rf"^het-qmp: .*{message}")

    def start(self):
        self.master, self.slave = Qemu(self, "master", *MASTER_ARGUMENTS), Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        for qemu in (self.master, self.slave):
            qemu.query()            # who answers has its console
        self.console, self.console2 = self.master.console(), self.slave.console()

    def attach(self):
        return self.ok("attach", self.master.monitor, self.slave.monitor, "--id=2", "--window=16M@0x70000000", f"--program={M3}").strip()

    def test_example(self):
        result = self.run_script("first-light", QEMU, FIRMWARE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("It works", result.stdout)

    def test_life_of_a_slave(self):
        self.start()
        entry = self.attach()
        with self.master.qmp() as qmp:
            qmp.call("cont")
        self.console.expect("slave 2 is ready, window of 16384 KiB at 0x70000000")
        for boot in (1, 2):
            since, since2 = self.console.mark(), self.console2.mark()
            self.ok("boot", self.slave.monitor, f"--entry={entry}")
            self.console2.expect(f"booted from the shared window at 0x70000000, boot {boot}$", since2)
            self.console.expect("received vector 3 from slave 2", since)
            self.ok("kick", self.master.monitor, 2, 17)
            self.console2.expect("received vector 17 from the master", since2)
            self.assertEqual(json.loads(self.ok("query", self.slave.monitor))["state"], "running")
            self.ok("stop", self.slave.monitor)
        self.ok("detach", self.master.monitor, self.slave.monitor, "--id=2")
        self.console.expect("slave 2 has left")
        self.attach()           # with a new window
        since2 = self.console2.mark()
        self.ok("boot", self.slave.monitor, f"--entry={entry}")
        self.console2.expect("booted from the shared window at 0x70000000, boot 1$", since2)

    def test_slave_has_died(self):
        self.start()
        self.attach()
        os.kill(self.slave.pid, signal.SIGKILL)
        self.fails("", "detach", self.master.monitor, self.slave.monitor, "--id=2")
        self.ok("detach", self.master.monitor, self.slave.monitor, "--id=2", "--gone")
        self.assertEqual(self.master.query()["couples"], [])

    def test_events(self):
        self.start()
        entry = self.attach()
        with self.master.qmp() as qmp:
            qmp.call("cont")
        listener = subprocess.Popen([SCRIPTS / "het-qmp", "events", self.master.monitor, "--ipis=2"], env=self.environment,
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(listener.stdout.close)

        def next_event():
            return json.loads(listener.stdout.readline())

        self.assertEqual(next_event()["event"], "LISTENING")
        self.ok("boot", self.slave.monitor, f"--entry={entry}")
        seen = []
        while {"HET_SLAVE_STATE", "HET_IPI"} - {e["event"] for e in seen}:
            seen.append(next_event())
        self.assertIn({"event": "HET_SLAVE_STATE", "data": {"id": 2, "state": "running", "reason": "none"}}, seen)
        os.kill(self.master.pid, signal.SIGTERM)
        self.assertEqual(listener.wait(DEADLINE), 0)

    def test_nothing_is_left_of_what_failed(self):
        self.start()
        fds = self.slave.count_fds(), self.master.count_fds()
        self.fails("window", "attach", self.master.monitor, self.slave.monitor, "--id=2", "--window=16M@0x09000000")
        self.assertEqual((self.slave.query()["state"], self.slave.query()["couples"], self.master.query()["couples"]),
                         ("waiting", [], []))
        self.assertEqual((self.slave.count_fds(), self.master.count_fds()), fds)

    def test_errors(self):
        self.start()
        self.fails("No such file", "query", "/nonexistent.qmp")
        self.fails("is not inside the window", "attach", self.master.monitor, self.slave.monitor, "--window=16M@0x60000000",
                   f"--program={M3}")
        self.fails("no ELF program", "attach", self.master.monitor, self.slave.monitor, "--window=16M@0x70000000", f"--program={__file__}")
        self.fails("no couple", "kick", self.master.monitor, 2, 3)
        self.assertEqual(self.run_script("het-qmp", "attach", "a", "b", "--window=16").returncode, 2)
        self.environment["PYTHONPATH"] = ""
        self.assertIn("PYTHONPATH=", self.run_script("het-qmp", "--help").stderr)


if __name__ == "__main__":
    if not pathlib.Path(LIBRARY, "qemu/qmp").is_dir():
        skip_all("there is no qemu.qmp: QEMU_HET_PYTHON is not set (scripts/build sets it)")
    main()
