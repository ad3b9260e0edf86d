#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes of the slaves when the master is reset: OnMasterReset= in the platform file."""

import os
import signal

import test_restart
from het_harness import main
from test_restart import START


class Reset(test_restart.Restart):
    def reset(self):
        """And waits until the master's program is there again."""
        since = self.console.mark()
        self.master.call("Reset")
        # The program before may have been in the middle of a line
        self.console.expect("master: first light on Cortex-A15$", since)
        self.console.expect("^master: slave 2 is ", since)
        return since

    def wait_stopped(self, slave, since=0):
        """It was told; perhaps the master's program has booted it again since."""
        self.loop.wait(lambda: "master-reset" in self.bus.values(slave.path, "Reason", since), f"the stop of {slave.path}")


class Stop(Reset):
    """The default"""

    def test_running(self):
        self.start("")
        self.boot(1)
        bus_since = self.bus.mark()
        since = self.reset()
        self.wait_stopped(self.slave1, bus_since)
        self.wait_stopped(self.slave2, bus_since)
        self.assertEqual((self.slave2.state, self.states(bus_since)), ("ready", ["ready"]))
        self.assertEqual((self.master.get("Boots"), self.master.reason, self.platform.state), (2, "host-reset", "running"))
        # The next program of the master has both of them as if they were new, but for what is in their windows
        self.console.expect("^master: slave 2 is ready", since)
        self.boot(2)
        self.assert_works(self.slave2, 2, self.console2)
        fds = self.hetd.fds()
        for n in (3, 4):
            bus_since = self.bus.mark()
            self.reset()
            self.wait_stopped(self.slave2, bus_since)
            self.boot(n)
        self.assertEqual(self.hetd.fds(), fds)

    def test_booted_at_once(self):
        """As soon as it is told to be ready, again and again"""
        self.start("")
        for n in range(1, 31):
            self.boot(n)
            since = self.bus.mark()
            self.reset()
            self.wait_stopped(self.slave2, since)

    def test_paused(self):
        self.start("")
        self.boot(1)
        self.platform.call("Pause")
        self.slave2.wait_state("paused")
        self.master.call("Reset")
        self.wait_stopped(self.slave2)
        self.assertEqual(self.slave2.state, "ready")
        self.platform.call("Resume")
        self.boot(2)

    def test_auto_boot(self):
        """It is for the start of the platform."""
        self.start("AutoBoot=yes\n")
        self.console2.expect("boot 1$")
        self.reset()
        self.wait_stopped(self.slave2)
        self.hetd.settle()
        self.assertEqual((self.slave2.state, self.slave2.get("Boots")), ("ready", 1))

    def test_ready(self):
        self.start("")
        since = self.bus.mark()
        self.reset()
        self.assertEqual((self.slave2.reason, self.states(since)), ("granted", []))

    def test_while_it_is_booted(self):
        """The boot is carried out, and then the stop."""
        self.start("")
        os.kill(self.slave2.pid, signal.SIGSTOP)
        pending = self.slave2.begin("Boot")
        self.hetd.settle()
        self.master.call("Reset")
        os.kill(self.slave2.pid, signal.SIGCONT)
        pending.wait()
        self.wait_stopped(self.slave2)
        self.assertEqual(self.slave2.state, "ready")


class Keep(Reset):
    def test_running(self):
        self.start("OnMasterReset=keep\n")
        self.boot(1)
        since, bus_since = self.console2.mark(), self.bus.mark()
        master_since = self.reset()
        self.console.expect("^master: slave 2 is running, window of 16384 KiB at 0x70000000", master_since)
        self.wait_stopped(self.slave1, bus_since)
        # The master's program says hello to one that runs; they hear each other again, and it has not been away
        self.console2.expect("received vector 3 from the master", since)
        self.console.expect("received vector 3 from slave 2", master_since)
        self.assert_works(self.slave2, 2, self.console2)
        self.assertEqual((self.states(bus_since), self.slave2.get("Boots"), self.console2.count("booted", since)), ([], 1, 0))


class Requests(test_restart.WithRegisters, Reset):
    """Of the guest before the reset, and of the one after it"""

    def test_start_before_the_stop(self):
        self.start_with_registers()
        self.boot(1)
        since, bus_since = self.console.mark(), self.bus.mark()
        os.kill(self.slave2.pid, signal.SIGSTOP)
        self.reset()
        self.assertEqual(self.slave2.state, "running")
        self.request(START)
        self.hetd.settle()
        os.kill(self.slave2.pid, signal.SIGCONT)
        self.console.expect("request of slave 2: done", since)
        self.console2.expect("boot 2$")
        self.assertEqual(self.states(bus_since), ["ready", "running"])
        self.assertEqual(self.bus.values(self.slave2.path, "Reason", bus_since), ["master-reset", "boot"])

    def test_start_of_a_guest_that_is_gone(self):
        self.start_with_registers()
        self.hang()
        self.request(START)
        self.hetd.settle()
        since = self.reset()
        self.mend()
        self.kill()
        self.console.expect("request of slave 2: refused", since)
        self.wait_restarts(2)
        self.hetd.settle()
        self.assertEqual((self.slave2.state, self.slave2.get("Boots")), ("ready", 0))


if __name__ == "__main__":
    main()
