#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Monitors that answer late, or in an order that a real QEMU has only now and then."""

import threading

from het_bus import ERROR, options
from het_harness import MASTER, SLAVE1, SLAVE2, TestCase, main, platform_text
from het_monitor import Monitor

EXTERNAL = "Start=external\n"
EXTERNAL_MASTER = "".join(line for line in MASTER.splitlines(True) if not line.startswith("Firmware")) + EXTERNAL


class Late(TestCase):
    def define(self):
        self.platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2 + EXTERNAL))
        self.slave2 = self.platform.processor("slave2")
        self.monitor = Monitor(self, "late")

    def begin_attach(self):
        return self.slave2.begin("Attach", "sa{sv}", str(self.monitor.path), options())

    def wait_held(self):
        """The command that is held back has come; hetd has told its clients all that went before."""
        self.assertTrue(self.monitor.held.wait(60))
        self.hetd.settle()

    def test_reset_of_a_crashed_guest(self):
        """QEMU resets after its answer: until then the guest is as crashed as it was."""
        self.define()
        self.slave2.attach(self.monitor.path)
        for verb, command, reason in (("Reset", "system_reset", "host-reset"), ("Stop", "het-slave-stop", "stop")):
            self.monitor.state("crashed", "guest-panicked")
            self.slave2.wait_state("crashed")
            self.monitor.more[command] = lambda reason=reason: self.monitor.state("ready", reason)
            self.slave2.call(verb)
            self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", reason))

    def test_start_during_an_attach(self):
        self.define()
        self.monitor.hold = {"query-het"}
        pending = self.begin_attach()
        self.wait_held()
        self.assertRefused(ERROR + "WrongState", "slave2.*attach is being carried out", self.platform.begin, "Start")
        self.monitor.go_on.set()
        pending.wait()
        self.assertEqual(self.slave2.state, "waiting")

    def test_stop_during_an_attach(self):
        """What is given to a QEMU that lives on is taken away again, whenever the stop comes."""
        self.define()
        self.platform.start()
        self.monitor.hold = {"het-master-attach"}
        pending = self.begin_attach()
        self.wait_held()
        wait, _ = self.platform.begin("Stop")
        self.platform.wait_state("stopping")
        self.monitor.go_on.set()
        self.assertEqual(wait(), ("done", ""))
        pending.wait()
        order = [c for c in self.monitor.commands if c.startswith("het-")]
        self.assertEqual(order, ["het-master-attach", "het-memory-grant", "het-slave-stop", "het-memory-revoke", "het-master-detach"])
        self.assertEqual((self.platform.state, self.slave2.state), ("stopped", "defined"))


class Requests(TestCase):
    """Of a master's guest, which asks for a slave's start or stop."""

    def setUp(self):
        super().setUp()
        self.platform = self.hetd.define("p", platform_text(EXTERNAL_MASTER, SLAVE2 + EXTERNAL)).start()
        self.slave2 = self.platform.processor("slave2")
        self.slave, self.master = Monitor(self, "slave"), Monitor(self, "master", role="master")
        self.slave2.attach(self.slave.path)
        self.platform.processor("master").attach(self.master.path)
        self.completed = threading.Event()
        self.master.more["het-request-complete"] = self.completed.set

    def wait_completed(self):
        self.assertTrue(self.completed.wait(60), "the request was answered")
        self.hetd.settle()

    def test_stop_of_a_crashed_slave(self):
        self.slave.state("crashed", "guest-panicked")
        self.slave2.wait_state("crashed")
        self.slave.more["het-slave-stop"] = lambda: self.slave.state("ready", "stop")
        self.master.event("HET_STOP_REQUEST", id=2)
        self.wait_completed()
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "stop"))
        self.assertEqual(self.master.results, ["done"])

    def test_flood(self):
        """More than a QEMU that keeps to the rules sends: few are kept, and hetd goes on."""
        self.slave.hold = {"het-slave-stop"}
        for _ in range(2000):
            self.master.event("HET_STOP_REQUEST", id=2)
        self.assertTrue(self.slave.held.wait(60))
        self.master.event("HET_STOP_REQUEST", id=1 << 32 | 2)
        self.master.event("HET_STOP_REQUEST", id="2")
        self.master.event("HET_BOOT_REQUEST", id=7)             # answered at once: there is none
        self.wait_completed()
        self.assertEqual(self.master.results, ["refused"])
        self.slave.go_on.set()
        self.loop.wait(lambda: self.hetd.settle() or len(self.master.results) == 5, "the requests that were kept are answered")
        self.assertEqual(self.slave.commands.count("het-slave-stop"), self.master.results.count("done"))
        self.assertEqual(set(self.master.results), {"refused", "done"})


if __name__ == "__main__":
    main()
