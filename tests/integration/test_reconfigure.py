#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slaves that are replaced by others while the platform runs: Reconfigure of the bus, and `hetctl reconfigure`."""

import os
import pathlib
import signal
import subprocess

import dbus

from het_bus import ERROR, options
from het_harness import FIRMWARE, HETCTL, MASTER, MIB, SLAVE1, SLAVE2, TestCase, main, platform_text, text_fd
from het_qemu import SLAVE2_ARGUMENTS, Qemu

# Slave 1 as a Cortex-M3, whose program is in its board's memory; else it is a Cortex-A15 with four times the window, and the
# master's program carries the slave's
M3 = """[Processor slave1]
Role=slave
Id=1
Machine=mps2-an385
Window=16M@0x60000000
Firmware=${FIRMWARE_DIR}/first-light-slave-m3-anywhere.elf
"""
A15_SLAVE2 = SLAVE2.replace("Machine=mps2-an385\n", "Machine=virt\nCPU=cortex-a15\n").replace("16M@", "32M@").replace(
    "Firmware=${FIRMWARE_DIR}/first-light-slave-m3.elf\n", "")


class Reconfigure(TestCase):
    def start(self, *processors):
        self.platform = self.hetd.define("p", platform_text(*processors), Variables={"FIRMWARE_DIR": str(FIRMWARE)}).start()
        self.master, self.slave1, self.slave2 = self.platform.processors()
        self.console = self.master.console()

    def reconfigure(self, *processors, **values):
        fd = text_fd(platform_text(*processors))
        try:
            self.platform.call("Reconfigure", "ha{sv}", dbus.types.UnixFd(fd), options(**values))
        finally:
            os.close(fd)

    def boot(self, slave, number):
        since = self.console.mark()
        slave.boot()
        self.console.expect(f"received vector 3 from slave {number}", since)

    def assert_works(self, slave, number):
        since = self.console.mark()
        slave.kick(17)
        self.console.expect(f"received vector 17 from slave {number}", since)


class Replaced(Reconfigure):
    def test_board_and_window(self):
        """There and back again, while the other slave talks and its QEMU stays the same"""
        self.start(MASTER, M3, SLAVE2)
        self.boot(self.slave1, 1)
        self.boot(self.slave2, 2)
        fds = None
        for n in range(1, 4):
            pids, since, bus_since = [p.pid for p in self.platform.processors()], self.console.mark(), self.bus.mark()
            self.reconfigure(MASTER, SLAVE1, SLAVE2)
            self.assertEqual([p.pid == pid for p, pid in zip(self.platform.processors(), pids)], [True, False, True])
            self.assertEqual((self.slave1.get("Machine"), self.slave1.get("CPU"), self.slave1.get("Window")),
                             ("virt", "cortex-a15", (0x60000000, 64 * MIB)))
            self.bus.mark()
            self.assertEqual([str(m) for m in self.bus.values(self.slave1.path, "Machine", bus_since)], ["virt"])
            # The master's program sees one leave and another come, and starts what it carries for that
            self.console.expect("master: slave 1 has left", since)
            self.console.expect("master: slave 1 is ready, window of 65536 KiB at 0x60000000", since)
            self.console.expect("received vector 3 from slave 1", since)
            self.slave1.wait_state("running")
            self.assert_works(self.slave1, 1)
            self.assert_works(self.slave2, 2)
            since = self.console.mark()
            self.reconfigure(MASTER, M3, SLAVE2)
            self.console.expect("master: slave 1 is ready, window of 16384 KiB at 0x60000000", since)
            self.boot(self.slave1, 1)
            self.assert_works(self.slave1, 1)
            self.assert_works(self.slave2, 2)
            now = self.hetd.fds(), len(os.listdir(f"/proc/{self.master.pid}/fd"))
            fds = fds or now
            self.assertEqual(now, fds)
        self.assertEqual((self.slave2.get("Boots"), self.slave2.get("Restarts"), self.slave1.get("Restarts")), (1, 0, 6))

    def test_places_are_exchanged(self):
        """Each is where the other one was."""
        self.start(MASTER, M3, SLAVE2)
        low = SLAVE2.replace("0x70000000", "0x60000000").replace("-m3.elf", "-m3-anywhere.elf")
        self.reconfigure(MASTER, M3.replace("0x60000000", "0x70000000"), low)
        self.boot(self.slave1, 1)
        self.boot(self.slave2, 2)
        self.assertEqual([int(s.get("Window")[0]) for s in (self.slave1, self.slave2)], [0x70000000, 0x60000000])

    def test_what_is_no_qemu(self):
        """It counts from now on, and all of them go on."""
        self.start(MASTER, SLAVE1, SLAVE2)
        self.boot(self.slave2, 2)
        pids, bus_since = [p.pid for p in self.platform.processors()], self.bus.mark()
        self.reconfigure(MASTER + "Restart=on-failure\n", SLAVE1, SLAVE2 + "Restart=on-failure\nOnMasterFailure=keep\n")
        self.assertEqual([p.pid for p in self.platform.processors()], pids)
        self.bus.mark()
        self.assertEqual(self.bus.values(self.slave2.path, "State", bus_since), [])
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.bus.wait_property(self.slave2.path, "Processor", "Restarts", 1)
        self.slave2.wait_state("ready")
        os.kill(self.master.pid, signal.SIGKILL)
        self.bus.wait_property(self.master.path, "Processor", "Restarts", 1)
        self.platform.wait_state("running")

    def test_one_that_has_ended(self):
        self.start(MASTER, M3, SLAVE2)
        os.kill(self.slave1.pid, signal.SIGKILL)
        self.slave1.wait_state("crashed")
        since = self.console.mark()
        self.reconfigure(MASTER, SLAVE1, SLAVE2)
        self.console.expect("received vector 3 from slave 1", since)

    def test_not_started(self):
        self.start(MASTER, M3, SLAVE2)
        self.platform.stop()
        self.reconfigure(MASTER, SLAVE1, SLAVE2)
        self.assertEqual((self.slave1.state, self.slave1.get("Machine")), ("stopped", "virt"))
        self.platform.start()
        self.master.console().expect("received vector 3 from slave 1")

    def test_external(self):
        """One that somebody else starts is detached, and another one attached."""
        self.start(MASTER, SLAVE1, SLAVE2 + "Start=external\n")
        first = Qemu(self, "first", *SLAVE2_ARGUMENTS)
        self.slave2.attach(first.monitor)
        self.boot(self.slave2, 2)
        other = MASTER, SLAVE1, A15_SLAVE2 + "Start=external\n"
        self.assertRefused(ERROR + "WrongState", "slave2 is running: .*detach it first", self.reconfigure, *other)
        self.assert_works(self.slave2, 2)
        self.slave2.call("Detach")
        self.reconfigure(*other)
        second = Qemu(self, "second", "-object", "memory-backend-shared,id=mem,size=32M", "-machine", "virt,slave=on,memory-backend=mem",
                      "-m", "32M", "-cpu", "cortex-a15", "-device", "idm_ipi")
        since = self.console.mark()
        self.slave2.attach(second.monitor)
        self.console.expect("master: slave 2 is ready, window of 32768 KiB at 0x70000000", since)
        self.slave2.call("Detach")
        self.console.expect("master: slave 2 has left", since)

    def test_hetd_is_killed_afterwards(self):
        self.start(MASTER, M3, SLAVE2)
        self.reconfigure(MASTER, SLAVE1, SLAVE2)
        self.console.expect("received vector 3 from slave 1")
        self.hetd.settle()
        self.hetd.kill()
        self.hetd.take_over()
        self.assertEqual((self.slave1.state, self.slave1.get("Machine"), self.slave1.get("Window")[1]), ("running", "virt", 64 * MIB))
        self.console = self.master.console()
        self.assert_works(self.slave1, 1)


class Refused(Reconfigure):
    def setUp(self):
        super().setUp()
        self.start(MASTER, SLAVE1, SLAVE2)
        self.console.expect("received vector 3 from slave 1")
        self.pids = [p.pid for p in self.platform.processors()]

    def tearDown(self):
        if not self.has_failed():
            self.assertEqual([p.pid for p in self.platform.processors()], self.pids)
            self.assert_works(self.slave1, 1)
        super().tearDown()

    def refused(self, name, pattern, *processors):
        self.assertRefused(ERROR + name, pattern, self.reconfigure, *processors)

    def test_a_mistake(self):
        self.refused("InvalidPlatform", r"Firmwre=.*did you mean", MASTER, SLAVE1, SLAVE2 + "Firmwre=x\n")

    def test_other_processors(self):
        self.refused("WrongState", "its processors, their numbers", MASTER, SLAVE1)
        self.refused("WrongState", "its processors, their numbers", MASTER, SLAVE1, SLAVE2.replace("slave2", "other"))
        self.refused("WrongState", "its processors, their numbers", MASTER, SLAVE1, SLAVE2.replace("Id=2", "Id=3"))
        self.refused("WrongState", "who starts them", MASTER, SLAVE1, SLAVE2 + "Start=external\n")

    def test_another_master(self):
        self.refused("WrongState", "the QEMU of its master", MASTER.replace("1G", "2G"), SLAVE1, SLAVE2)

    def test_no_such_qemu(self):
        self.refused("InvalidPlatform", "QEMU=", MASTER, SLAVE1, SLAVE2 + "QEMU=/nowhere/qemu\n")

    def test_a_verb_is_at_work(self):
        os.kill(self.slave2.pid, signal.SIGSTOP)
        pending = self.slave2.begin("Boot")
        self.hetd.settle()
        self.refused("WrongState", "slave2 is .*: a boot is being carried out", MASTER, SLAVE1, SLAVE2 + "ExtraArguments=-s\n")
        os.kill(self.slave2.pid, signal.SIGCONT)
        pending.wait()

    def test_no_room_for_its_files(self):
        """The runtime directory cannot be written to: the slave comes back as it was."""
        pid = self.slave2.pid
        state = pathlib.Path(self.hetd.runtime, "p.config.new")
        state.mkdir()
        self.refused("Failed", "p.config", MASTER, SLAVE1, SLAVE2 + "ExtraArguments=-trace nothing\n")
        state.rmdir()
        self.assertNotEqual(self.slave2.pid, pid)
        self.pids[2] = self.slave2.pid
        self.boot(self.slave2, 2)


class Shell(Reconfigure):
    def hetctl(self, *arguments):
        done = subprocess.run([HETCTL, "--user", *map(str, arguments)], env={**os.environ, **self.bus.environment()}, text=True,
                              capture_output=True, check=False, timeout=170)
        return done.returncode, done.stdout + done.stderr

    def test_file(self):
        path = self.directory / "p.platform"
        path.write_text(platform_text(MASTER, M3, SLAVE2), encoding="utf-8")
        self.assertEqual(self.hetctl("start", path)[0], 0)
        self.platform = self.hetd.platforms()[0]
        self.slave1 = self.platform.processor("slave1")
        path.write_text(platform_text(MASTER, SLAVE1, SLAVE2), encoding="utf-8")
        self.assertEqual(self.hetctl("reconfigure", "p"), (0, "p: reconfigured\n"))
        self.assertEqual(self.slave1.get("Machine"), "virt")
        other = self.directory / "other.platform"
        other.write_text(platform_text(MASTER, M3, SLAVE2), encoding="utf-8")
        self.assertEqual(self.hetctl("--json=short", "reconfigure", "p", other), (0, '{"platform":"p","result":"reconfigured"}\n'))
        self.assertEqual((self.slave1.get("Machine"), self.platform.get("SourcePath")), ("mps2-an385", str(other)))
        status, text = self.hetctl("reconfigure", "nobody")
        self.assertEqual((status, "There is no platform 'nobody'" in text), (3, True))


if __name__ == "__main__":
    main()
