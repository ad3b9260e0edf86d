#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A master whose QEMU process ends: Restart= of it, OnMasterFailure= of its slaves, and Restart of the bus."""

import itertools
import os
import signal
import unittest.mock

import test_restart
from het_bus import ERROR
from het_harness import MASTER, QEMU, SLAVE1, SLAVE2, main, platform_text
from het_qemu import MASTER_ARGUMENTS, SLAVE2_ARGUMENTS, Qemu, Registers

KEEP = "OnMasterFailure=keep\n"
MASTER_BACK = ["crashed", "starting", "ready", "running"]


class MasterRestart(test_restart.Restart):
    def kill_master(self, signal_number=signal.SIGKILL):
        """Returns from where on the console of the next one is."""
        self.assertNotEqual(pid := self.master.pid, 0)
        since = self.console.mark()
        os.kill(pid, signal_number)
        return since

    def wait_master(self, since, n=None):
        """Its program is there again."""
        if n is not None:
            self.bus.wait_property(self.master.path, "Processor", "Restarts", n)
        self.console.expect("master: first light on Cortex-A15$", since)
        self.console.expect("^master: slave 2 is ", since)
        self.platform.wait_state("running")

    def master_values(self, name, since):
        self.bus.mark()
        return self.bus.values(self.master.path, name, since)


class Keep(MasterRestart):
    def test_again_and_again(self):
        self.start(KEEP, master="Restart=on-failure\nStartLimitBurst=0\n", slave1=KEEP)
        self.boot(1)
        fds = None
        for n in range(1, 5):
            pid, bus_since, slave_since = self.master.pid, self.bus.mark(), self.console2.mark()
            since = self.kill_master()
            self.wait_master(since, n)
            self.assertNotIn(self.master.pid, (0, pid))
            self.assertEqual(self.master_values("State", bus_since), MASTER_BACK)
            self.assertEqual(self.master_values("Reason", bus_since), ["process-killed", "restart", "connected", "boot"])
            self.assertEqual(self.bus.values(self.platform.path, "Reason", bus_since), ["master-restart", "master-running"])
            self.assertEqual(set(self.bus.values(self.platform.path, "State", bus_since)), {"running"})
            # The slave has not been away: the new program of the master finds it running, and they hear each other
            self.console.expect("^master: slave 2 is running, window of 16384 KiB at 0x70000000", since)
            self.console2.expect("received vector 3 from the master", slave_since)
            self.assert_works(self.slave2, 2, self.console2)
            self.assertEqual((self.states(bus_since), self.slave2.get("Boots"), self.console2.count("booted", slave_since)), ([], 1, 0))
            now = self.hetd.fds(), len(os.listdir(f"/proc/{self.master.pid}/fd")), len(os.listdir(f"/proc/{self.slave2.pid}/fd"))
            fds = fds or now
            self.assertEqual(now, fds)
        self.assertEqual((self.master.get("Restarts"), self.slave2.get("Restarts"), self.master.get("Boots")), (4, 0, 1))

    def test_without_a_restart(self):
        """The slave goes on by itself, until somebody brings a master back."""
        self.start(KEEP)
        self.boot(1)
        bus_since = self.bus.mark()
        since = self.kill_master()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-crashed")
        self.assertEqual((self.platform.state, self.master.state, self.slave2.state), ("running", "crashed", "running"))
        self.bus.wait_property(self.slave1.path, "Processor", "Reason", "master-failure")
        self.assertRefused(ERROR + "MonitorLost", "master", self.slave2.kick, 17)
        self.master.call("Restart")
        self.wait_master(since, 1)
        self.assert_works(self.slave2, 2, self.console2)
        self.assertEqual(self.states(bus_since), [])

    def test_external_master(self):
        """The next one that somebody attaches gets what the one before had."""
        text = platform_text(test_restart.EXTERNAL_MASTER, SLAVE1, SLAVE2 + KEEP)
        self.platform = self.hetd.define("p", text).start()
        self.master, self.slave1, self.slave2 = self.platform.processors()
        self.console2 = self.slave2.console()
        first = Qemu(self, "first", *MASTER_ARGUMENTS)
        self.master.attach(first.monitor)
        self.console = first.console()
        self.boot(1)
        bus_since = self.bus.mark()
        first.process.popen.kill()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-crashed")
        self.bus.wait_property(self.slave1.path, "Processor", "Reason", "master-failure")
        second = Qemu(self, "second", *MASTER_ARGUMENTS)
        self.console = second.console()
        self.master.attach(second.monitor)
        self.console.expect("^master: slave 2 is running, window of 16384 KiB at 0x70000000")
        self.console.expect("received vector 3 from slave 1")           # which it has started
        self.platform.wait_state("running")
        self.assert_works(self.slave2, 2, self.console2)
        self.assertEqual(self.states(bus_since), [])

    def test_stopped_without_a_master(self):
        self.start(KEEP)
        self.boot(1)
        self.kill_master()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-crashed")
        self.platform.stop()
        self.assertEqual((self.platform.state, self.slave2.state), ("stopped", "stopped"))

    def test_slave_is_killed_meanwhile(self):
        self.start(KEEP + "Restart=on-failure\nAutoBoot=yes\n")
        self.console2.expect("boot 1$")
        since = self.kill_master()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-crashed")
        self.kill()
        self.wait_restarts(1, "running")
        self.console2.expect("boot 2$")
        self.master.call("Restart")
        self.wait_master(since, 1)
        self.assert_works(self.slave2, 2, self.console2)

    def test_stopped_while_a_slave_joins(self):
        """The restarted master's. A QEMU that lives on has nothing of the platform afterwards, and can be attached again."""
        self.platform = self.hetd.define("p", platform_text(MASTER + "Restart=on-failure\nRestartSec=1h\n", SLAVE1 + KEEP,
                                                            SLAVE2 + "Start=external\n")).start()
        self.master, self.slave1, self.slave2 = self.platform.processors()
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")
        os.kill(self.master.pid, signal.SIGKILL)
        self.master.wait_state("crashed")
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.assertEqual(self.slave2.state, "waiting")
        qemu.process.popen.send_signal(signal.SIGSTOP)
        since = self.hetd.log().count("HET_SLAVE_ATTACHED")
        pending = self.master.begin("Restart")
        self.loop.wait(lambda: self.hetd.settle() or self.hetd.log().count("HET_SLAVE_ATTACHED") > since + 1, "the new master has both")
        self.hetd.settle()
        stopped, _ = self.platform.begin("Stop")
        self.hetd.settle()
        qemu.process.popen.send_signal(signal.SIGCONT)
        self.assertEqual(stopped(), ("done", ""))
        query = qemu.query()
        self.assertEqual((query["couples"], [memory["granted"] for memory in query["memory"]]), ([], [False]))
        self.assertRefused(ERROR + "Canceled", "slave2: It is leaving its platform", pending.wait)
        self.platform.start()
        self.slave2.attach(qemu.monitor)
        self.assertEqual(self.slave2.state, "ready")


class Stop(MasterRestart):
    """The default"""

    def test_running(self):
        self.start("AutoBoot=yes\n", master="Restart=on-failure\n")
        self.console2.expect("boot 1$")
        for n in range(1, 4):
            bus_since, slave_since = self.bus.mark(), self.console2.mark()
            since = self.kill_master()
            self.wait_master(since, n)
            self.console2.expect(f"boot {n + 1}$", slave_since)
            self.slave2.wait_state("running")
            self.assertEqual(self.states(bus_since), ["ready", "running"])
            self.assertEqual(self.bus.values(self.slave2.path, "Reason", bus_since), ["master-failure", "boot"])
            self.assert_works(self.slave2, 2, self.console2)

    def test_ended_slave(self):
        """It is started with the master, as at the start of the platform."""
        self.start("", master="Restart=on-failure\n")
        self.kill()
        self.slave2.wait_state("crashed")
        since = self.kill_master()
        self.wait_master(since, 1)
        self.wait_restarts(1)
        self.boot(1)

    def test_no_restart(self):
        self.start("Restart=always\n")
        self.kill_master()
        self.platform.wait_state("crashed")
        self.assertEqual((self.platform.reason, self.slave2.state), ("master-crashed", "stopped"))

    def test_limit(self):
        self.start("", master="Restart=on-failure\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n")
        for n in (1, 2):
            self.wait_master(self.kill_master(), n)
        self.kill_master()
        self.platform.wait_state("crashed")
        self.assertEqual((self.master.reason, self.platform.reason), ("restart-limit", "master-crashed"))
        self.platform.start()
        self.assertEqual(self.master.get("Restarts"), 0)

    def test_no_qemu_any_more(self):
        """It cannot be started again: that counts as a restart, and is told."""
        link = self.directory / "qemu"
        link.symlink_to(QEMU)
        self.start("", master=f"QEMU={link}\nRestart=on-failure\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n")
        link.unlink()
        since = self.bus.mark()
        self.kill_master()
        self.platform.wait_state("crashed")
        self.assertEqual(self.master_values("Reason", since), ["process-killed", "restart-failed", "restart-limit"])
        self.assertEqual(self.platform.reason, "master-crashed")

    def test_orderly(self):
        self.start("", master="Restart=on-failure\n")
        self.kill_master(signal.SIGTERM)
        self.platform.wait_state("stopped")
        self.assertEqual((self.platform.reason, self.master.get("Restarts")), ("host-shutdown", 0))

    def test_always(self):
        self.start("", master="Restart=always\n")
        self.wait_master(self.kill_master(signal.SIGTERM), 1)
        self.boot(1)

    def test_stop_in_the_pause(self):
        self.start(KEEP, master="Restart=on-failure\n" + test_restart.HOUR)
        self.boot(1)
        self.kill_master()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-restart")
        self.platform.stop()
        self.assertEqual((self.master.state, self.master.reason), ("stopped", "platform-stop"))

    def test_by_hand(self):
        self.start("AutoBoot=yes\n")
        self.console2.expect("boot 1$")
        since, bus_since = self.console.mark(), self.bus.mark()
        self.master.call("Restart")
        self.wait_master(since, 1)
        self.console2.expect("boot 2$")
        self.assertEqual(self.master_values("State", bus_since), ["stopped", "starting", "ready", "running"])


class GuestEnds(MasterRestart):
    """The master's guest panics or powers off, by a device that says so. It is PCI: written to where the board has that."""

    CONFIGURATION, MEMORY = 0x3f000000 + (5 << 15), 0x10000000
    PANICKED, SHUTDOWN = 1, 4

    def start_with_device(self, master):
        self.registers = Registers(self)
        words = self.registers.arguments.rstrip("\n") + " -device pvpanic-pci,addr=5.0"
        with unittest.mock.patch.object(test_restart, "MASTER", MASTER.replace("Machine=virt\n", "Machine=virt,highmem=off\n")):
            self.start("", master=f"{words}{master}\n")
        self.since, self.bus_since = self.console.mark(), self.bus.mark()

    def tell(self, event):
        self.registers.connect()
        self.registers.write(self.CONFIGURATION + 0x10, self.MEMORY)
        self.registers.write(self.CONFIGURATION + 4, 2)
        self.registers.socket.sendall(f"writeb {self.MEMORY:#x} {event}\n".encode())

    def wait_back(self, state, reason):
        self.wait_master(self.since, 1)
        for name, first in (("State", state), ("Reason", reason)):
            values = [value for value, _ in itertools.groupby(self.master_values(name, self.bus_since))]
            self.assertEqual((values[0], values[-1]), (first, {"State": "running", "Reason": "boot"}[name]))
        self.boot(1)

    def test_panic(self):
        self.start_with_device("\nRestart=on-failure")
        self.tell(self.PANICKED)
        self.wait_back("crashed", "guest-panicked")

    def test_panic_and_its_qemu_stays(self):
        self.start_with_device(" -no-shutdown\nRestart=on-failure")
        self.tell(self.PANICKED)
        self.wait_back("crashed", "guest-panicked")

    def test_power_off_and_its_qemu_stays(self):
        self.start_with_device(" -no-shutdown\nRestart=always")
        self.tell(self.SHUTDOWN)
        self.wait_back("stopped", "guest-shutdown")

    def test_power_off_is_no_failure(self):
        self.start_with_device("\nRestart=on-failure")
        self.tell(self.SHUTDOWN)
        self.platform.wait_state("stopped")
        self.assertEqual((self.platform.reason, self.master.get("Restarts")), ("guest-shutdown", 0))


class Readopted(MasterRestart):
    """hetd is killed, too."""

    def take_over(self):
        self.hetd.take_over()
        self.open_consoles()

    def open_consoles(self):
        self.console, self.console2 = self.master.console(), self.slave2.console()

    def test_master_dies_first(self):
        self.start(KEEP, master="Restart=on-failure\n" + test_restart.HOUR)
        self.boot(1)
        self.kill_master()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-restart")
        self.hetd.settle()
        self.hetd.kill()
        self.take_over()
        self.assertEqual((self.master.state, self.platform.state, self.platform.reason, self.slave2.state),
                         ("crashed", "running", "master-restart", "running"))
        self.master.call("Restart")
        self.wait_master(0)
        self.assert_works(self.slave2, 2, self.console2)
        self.assertEqual(self.slave2.get("Boots"), 1)

    def test_master_dies_meanwhile(self):
        self.start(KEEP, master="Restart=on-failure\n")
        self.boot(1)
        pid, since = self.master.pid, self.console.mark()
        self.hetd.kill()
        os.kill(pid, signal.SIGKILL)
        self.take_over()
        self.wait_master(since, 1)
        self.assert_works(self.slave2, 2, self.console2)
        self.assertEqual((self.slave2.get("Boots"), self.slave2.state), (1, "running"))

    def test_without_a_restart(self):
        self.start(KEEP)
        self.boot(1)
        self.kill_master()
        self.bus.wait_property(self.platform.path, "Platform", "Reason", "master-crashed")
        self.hetd.settle()
        self.hetd.kill()
        self.take_over()
        self.assertEqual((self.platform.state, self.platform.reason, self.slave2.state), ("running", "master-crashed", "running"))

    def kill_all(self):
        """hetd first, so that nobody sees it."""
        pids = [p.pid for p in self.platform.processors()]
        self.hetd.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.take_over()

    def test_all_are_gone(self):
        self.start(KEEP)
        self.boot(1)
        self.kill_all()
        self.platform.wait_state("crashed")
        self.assertEqual((self.platform.reason, [s.reason for s in (self.slave1, self.slave2)]), ("windows-lost", ["window-lost"] * 2))
        self.assertRegex(str(self.platform.get("ReasonText")), "lost .*: slave1, slave2$")
        self.assertRefused(ERROR + "WrongState", "its window has no memory now", self.slave2.get_memory)
        self.platform.start()
        self.open_consoles()
        self.boot(1)

    def test_all_are_gone_and_come_back(self):
        self.start(KEEP + "Restart=on-failure\nAutoBoot=yes\n", master="Restart=on-failure\n", slave1="AutoBoot=no\n")
        self.console2.expect("boot 1$")
        since, slave_since = self.console.mark(), self.console2.mark()
        self.kill_all()
        self.wait_master(since, 1)
        self.wait_restarts(1, "running")
        # It begins with an empty window, which was said
        self.console2.expect("boot 1$", slave_since)
        self.assertRegex(self.hetd.log(), "p/slave2: .*Its window is lost with what was in it")
        self.bus.wait_property(self.slave1.path, "Processor", "Restarts", 1)
        self.slave1.wait_state("ready", "running")
        self.assert_works(self.slave2, 2, self.console2)


if __name__ == "__main__":
    main()
