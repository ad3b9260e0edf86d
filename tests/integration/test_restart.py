#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slaves whose QEMU process ends and is started again: Restart= in the platform file, and Restart of the bus."""

import os
import signal

import dbus

from het_bus import ERROR, BusError, options
from het_harness import MASTER, MIB, QEMU, SLAVE1, SLAVE2, TestCase, main, memfd, platform_text
from het_qemu import CONTROL, MASTER_ARGUMENTS, RESULT_DONE, RESULT_PENDING, START, STOP, Qemu, Registers

EXTERNAL_MASTER = "".join(line for line in MASTER.splitlines(True) if not line.startswith("Firmware")) + "Start=external\n"
HOUR = "RestartSec=1h\n"
BACK = ["crashed", "starting", "waiting", "ready"]


class Restart(TestCase):
    def start(self, slave2="Restart=on-failure\n", master="", slave1=""):
        self.platform = self.hetd.define("p", platform_text(MASTER + master, SLAVE1 + slave1, SLAVE2 + slave2)).start()
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")
        # Started again, a process goes on with the log of the one before
        self.console2 = self.slave2.console()

    def kill(self, signal_number=signal.SIGKILL):
        self.assertNotEqual(pid := self.slave2.pid, 0)
        os.kill(pid, signal_number)

    def wait_restarts(self, n, *states):
        self.bus.wait_property(self.slave2.path, "Processor", "Restarts", n)
        return self.slave2.wait_state(*(states or ("ready",)))

    def states(self, since):
        self.bus.mark()
        return self.bus.values(self.slave2.path, "State", since)

    def boot(self, number):
        """Its program counts its boots in the window."""
        since, master_since = self.console2.mark(), self.console.mark()
        self.slave2.boot()
        self.console2.expect(f"booted from the shared window at 0x70000000, boot {number}$", since)
        self.console.expect("received vector 3 from slave 2", master_since)

    def assert_works(self, slave, number, console):
        since, master_since = console.mark(), self.console.mark()
        slave.kick(17)
        console.expect("received vector 17 from the master", since)
        self.console.expect(f"received vector 17 from slave {number}", master_since)


class Killed(Restart):
    def test_again_and_again(self):
        self.start()
        self.boot(1)
        console1, fds = self.slave1.console(), None
        for n in range(1, 5):
            pid, since, master_since = self.slave2.pid, self.bus.mark(), self.console.mark()
            self.kill()
            self.wait_restarts(n)
            self.assertNotIn(self.slave2.pid, (0, pid))
            self.assertEqual(self.states(since), BACK)
            self.assertEqual(self.bus.values(self.slave2.path, "Reason", since),
                             ["process-killed", "restart", "connected", "granted"])
            # The master's guest was told
            self.console.expect("^master: slave 2 is crashed", master_since)
            self.console.expect("^master: slave 2 is ready, window of 16384 KiB at 0x70000000", master_since)
            self.assertEqual(self.console.count("slave 2 has left", master_since), 0)
            # The window is the same one, with what was in it
            self.assertEqual(self.slave2.get("Boots"), 0)
            self.boot(n + 1)
            self.assert_works(self.slave2, 2, self.console2)
            # The other one has not noticed
            self.assert_works(self.slave1, 1, console1)
            # Nothing stays behind, on either side
            now = self.hetd.fds(), len(os.listdir(f"/proc/{self.master.pid}/fd")), len(os.listdir(f"/proc/{self.slave2.pid}/fd"))
            fds = fds or now
            self.assertEqual(now, fds)
        self.assertEqual((self.slave1.get("Restarts"), self.platform.state), (0, "running"))
        self.assertEqual(self.platform.describe()["processors"][2]["restarts"], 4)
        # A platform that is started again counts anew
        self.platform.stop()
        self.platform.start()
        self.assertEqual(self.slave2.get("Restarts"), 0)

    def test_not_booted(self):
        self.start()
        fd, _, size = self.slave2.get_memory()
        os.pwrite(fd, b"kept", size - 8)
        self.kill(signal.SIGABRT)
        self.wait_restarts(1)
        again, _, _ = self.slave2.get_memory()
        self.assertEqual((os.fstat(again).st_ino, os.pread(again, 4, size - 8)), (os.fstat(fd).st_ino, b"kept"))
        os.close(fd)
        os.close(again)
        self.boot(1)

    def test_auto_boot(self):
        self.start("AutoBoot=yes\nRestart=on-failure\n")
        self.console2.expect("boot 1$")
        self.kill()
        self.wait_restarts(1, "running")
        self.console2.expect("boot 2$")
        self.assert_works(self.slave2, 2, self.console2)

    def test_page_is_scribbled_over(self):
        """What a process has done to what it shares with the master is nothing to the one after it."""
        self.start()
        self.boot(1)
        with open(f"/proc/{self.slave2.pid}/maps", encoding="utf-8", errors="replace") as maps:
            address = next(int(line.split("-")[0], 16) for line in maps if "memfd:het-couple" in line)
        with open(f"/proc/{self.slave2.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(b"\xff" * 4096)
        self.kill()
        self.wait_restarts(1)
        self.boot(2)
        self.assert_works(self.slave2, 2, self.console2)

    def test_both_at_once(self):
        self.start(slave1="Restart=always\n")
        for slave in (self.slave1, self.slave2):
            os.kill(slave.pid, signal.SIGKILL)
        self.wait_restarts(1)
        self.bus.wait_property(self.slave1.path, "Processor", "Restarts", 1)
        self.slave1.wait_state("ready")
        self.boot(1)

    def test_while_the_platform_is_paused(self):
        self.start()
        self.platform.call("Pause")
        self.platform.wait_state("paused")
        self.kill()
        self.wait_restarts(1)
        self.platform.call("Resume")
        self.platform.wait_state("running")
        self.boot(1)

    def test_with_its_window_revoked(self):
        """It has none afterwards, either."""
        self.start()
        self.slave2.call("RevokeMemory")
        self.slave2.call("Restart")
        self.assertEqual((self.slave2.state, self.slave2.get("MemoryGranted")), ("waiting", False))
        fd = memfd(16 * MIB)
        self.slave2.grant(fd)
        os.close(fd)
        self.boot(1)

    def test_while_a_verb_is_at_work(self):
        self.start()
        self.boot(1)
        os.kill(self.slave2.pid, signal.SIGSTOP)
        pending = self.slave2.begin("Stop")
        self.hetd.settle()
        self.kill()
        self.assertRefused(ERROR + "MonitorLost", "slave2", pending.wait)
        self.wait_restarts(1)
        self.boot(2)


    def test_while_a_verb_waits_for_the_master(self):
        """The end of the slave does not end what its master was asked for: it is started again after that."""
        self.start()
        self.slave2.call("RevokeMemory")
        fd = memfd(16 * MIB)
        self.addCleanup(os.close, fd)
        os.kill(self.master.pid, signal.SIGSTOP)
        pending = self.slave2.begin("GrantMemory", "ha{sv}", dbus.types.UnixFd(fd), options())
        self.hetd.settle()
        self.kill()
        self.slave2.wait_state("crashed")
        self.hetd.settle()
        os.kill(self.master.pid, signal.SIGCONT)
        with self.assertRaises(BusError):
            pending.wait()
        self.wait_restarts(1, "waiting")
        self.loop.wait(lambda: self.is_granted(fd), "the restart is over")
        self.boot(1)

    def is_granted(self, fd):
        try:
            self.slave2.grant(fd)
        except BusError as e:
            self.assertIn("a restart is being carried out", e.message)
            return False
        return True


class ExternalMaster(Restart):
    def test_comes_and_goes(self):
        self.platform = self.hetd.define("p", platform_text(EXTERNAL_MASTER, SLAVE1, SLAVE2 + "Restart=on-failure\n")).start()
        self.master, self.slave1, self.slave2 = self.platform.processors()
        self.console2 = self.slave2.console()
        self.kill()
        self.wait_restarts(1, "waiting")
        qemu = Qemu(self, "master", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        self.console = qemu.console()
        self.boot(1)
        self.kill()
        self.wait_restarts(2)
        self.boot(2)
        # Without a master there is nothing that could be kept for it
        self.kill()
        self.wait_restarts(3)
        self.master.call("Detach")
        self.kill()
        self.wait_restarts(4, "waiting")
        since = self.console.mark()
        self.master.attach(qemu.monitor)
        self.console.expect("^master: slave 2 is ready", since)
        self.boot(3)
        self.assert_works(self.slave2, 2, self.console2)


class Orderly(Restart):
    """SIGTERM asks a QEMU to quit: that is no failure."""

    def test_on_failure(self):
        self.start()
        self.kill(signal.SIGTERM)
        self.slave2.wait_state("stopped")
        self.assertEqual((self.slave2.reason, self.slave2.get("Restarts")), ("host-shutdown", 0))
        self.assertRefused(ERROR + "WrongState", "restart it first", self.slave2.boot)

    def test_always(self):
        self.start("Restart=always\n")
        since = self.bus.mark()
        self.kill(signal.SIGTERM)
        self.wait_restarts(1)
        self.assertEqual(self.states(since), ["stopped", *BACK[1:]])
        self.boot(1)


class Limit(Restart):
    def test_limit(self):
        self.start("Restart=on-failure\nStartLimitBurst=2\nStartLimitIntervalSec=infinity\n")
        self.boot(1)
        for n in (1, 2):
            self.kill()
            self.wait_restarts(n)
        self.kill()
        self.slave2.wait_state("crashed")
        self.assertEqual((self.slave2.reason, self.slave2.get("Restarts"), self.platform.state), ("restart-limit", 2, "running"))
        self.assertRegex(self.slave2.get("ReasonText"),
                         r"signal 9.*started again 2 times within infinity.*'hetctl restart p/slave2'")
        self.assertRefused(ERROR + "WrongState", "restart it first", self.slave2.boot)
        # By hand it is possible, and the count begins anew
        self.slave2.call("Restart")
        self.assertEqual((self.slave2.state, self.slave2.get("Restarts")), ("ready", 3))
        self.kill()
        self.wait_restarts(4)
        self.boot(2)

    def test_no_limit(self):
        self.start("Restart=on-failure\nStartLimitBurst=0\n")
        for n in range(1, 9):
            self.kill()
            self.wait_restarts(n)
        self.boot(1)


class Pause(Restart):
    def setUp(self):
        super().setUp()
        self.start("Restart=on-failure\n" + HOUR)
        self.kill()
        self.slave2.wait_state("crashed")
        self.assertRegex(self.slave2.get("ReasonText"), "again in 1h$")

    def test_platform_stops(self):
        self.platform.stop()
        self.assertEqual((self.slave2.state, self.slave2.reason), ("stopped", "platform-stop"))
        self.platform.start()
        self.assertEqual(self.slave2.state, "ready")

    def test_master_is_killed(self):
        os.kill(self.master.pid, signal.SIGKILL)
        self.platform.wait_state("crashed")
        self.assertEqual((self.slave2.state, self.slave2.reason), ("stopped", "master-crashed"))

    def test_hetd_ends(self):
        self.assertEqual(self.hetd.end(), 0)

    def test_by_hand(self):
        """Who does not want to wait"""
        self.slave2.call("Restart")
        self.assertEqual((self.slave2.state, self.slave2.get("Restarts")), ("ready", 1))
        self.boot(1)

    def test_master_is_reset(self):
        self.master.call("Reset")
        self.hetd.settle()
        self.assertEqual(self.slave2.state, "crashed")


class WithProgram(Restart):
    """What is started again need not be what it was: `self.program()` says what it is from now on."""

    def start_program(self, keys="StartLimitBurst=3\nStartLimitIntervalSec=1h\n", **more):
        self.path = self.directory / "program"
        self.program(f'exec {QEMU} "$@"')
        self.start(f"QEMU={self.path}\nRestart=on-failure\n{keys}", **more)

    def program(self, text, interpreter="/bin/sh"):
        new = self.directory / "new"
        new.write_text(f"#!{interpreter}\n{text}\n", encoding="utf-8")
        new.chmod(0o755)
        new.rename(self.path)

    def hang(self):
        """Its process is there, and says nothing for ever."""
        path, said = self.directory / "hangs", []
        os.mkfifo(path)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.loop.watch(fd, lambda: said.append(os.read(fd, 100)))
        self.program(f"echo hangs >{path}; exec sleep infinity")
        self.kill()
        self.wait_restarts(1, "starting")
        # A shell opens its script some time after its start: it must be this one
        self.loop.wait(lambda: said, "the program that hangs")
        self.loop.forget(fd)
        os.close(fd)

    def mend(self):
        self.program(f'exec {QEMU} "$@"')


class Program(WithProgram):
    def test_killed_while_it_starts(self):
        self.start_program()
        self.hang()
        since = self.bus.mark()
        self.mend()
        self.kill()
        self.wait_restarts(2)
        self.assertEqual(self.states(since), BACK)
        self.boot(1)

    def test_platform_stops_while_it_starts(self):
        self.start_program()
        self.hang()
        self.platform.stop()
        self.assertEqual((self.slave2.state, self.slave2.reason, self.slave2.pid), ("stopped", "platform-stop", 0))
        self.mend()
        self.platform.start()
        self.assertEqual((self.slave2.state, self.slave2.get("Restarts")), ("ready", 0))

    def test_master_is_killed_while_it_starts(self):
        self.start_program()
        self.hang()
        pid = self.slave2.pid
        os.kill(self.master.pid, signal.SIGKILL)
        self.platform.wait_state("crashed")
        self.assertEqual((self.slave2.state, self.slave2.reason), ("stopped", "master-crashed"))
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_hetd_ends_while_it_starts(self):
        self.start_program()
        self.hang()
        self.assertEqual(self.hetd.end(), 0)

    def test_removed_while_it_starts_by_hand(self):
        self.start_program()
        self.program("exec sleep infinity")
        pending = self.slave2.begin("Restart")
        self.wait_restarts(1, "starting")
        self.assertRefused(ERROR + "WrongState", "a restart is being carried out", self.slave2.call, "Restart")
        self.platform.stop()
        self.assertRefused(ERROR + "Canceled", "ended as asked", pending.wait)

    def fails(self, reason, pattern):
        """Until the limit is reached; then it is mended, and started by hand."""
        since = self.bus.mark()
        self.kill()
        self.bus.wait_property(self.slave2.path, "Processor", "Reason", "restart-limit")
        self.assertEqual((self.slave2.state, self.slave2.pid, self.slave2.get("Restarts")), ("crashed", 0, 3))
        self.assertRegex(self.slave2.get("ReasonText"), pattern + ".*3 times within 1h")
        self.bus.mark()
        self.assertEqual([r for r in self.bus.values(self.slave2.path, "Reason", since) if r == reason], [reason] * 2)
        self.assertEqual(self.platform.state, "running")
        self.mend()
        self.slave2.call("Restart")
        self.boot(1)

    def test_is_gone(self):
        self.start_program()
        self.path.unlink()
        self.fails("restart-failed", "could not be started again: .*program")

    def test_ends_at_once(self):
        self.start_program()
        self.program("echo 'last words' >&2; exit 3")
        self.fails("process-exit", "status 3; it said: last words")

    def test_does_not_speak_qmp(self):
        self.start_program()
        self.program("import socket, signal\n"
                     "connection, _ = socket.socket(fileno=0).accept()\n"
                     "connection.sendall(b'220 mail.example ready\\r\\n')\n"
                     "signal.pause()\n", "/usr/bin/python3")
        self.fails("restart-failed", "could not be used: .*monitor sent a byte")

    def test_is_no_slave(self):
        self.start_program()
        self.program(f"exec {QEMU} -machine none -display none -S "
                     "-chardev socket,id=qmp,fd=0,server=on,wait=off -mon chardev=qmp,mode=control")
        self.fails("restart-failed", "could not be used: .*no slave")


class WithRegisters(WithProgram):
    """The master's guest asks as a driver does that does not know what the others here know: by the registers."""

    def start_with_registers(self, keys=""):
        registers = Registers(self)
        self.start_program(keys, master=registers.arguments)
        registers.connect()
        self.read, self.write = registers.read, registers.write

    def request(self, what):
        since = self.console.mark()
        self.write(CONTROL, what)
        return since


class Requests(WithRegisters):
    def setUp(self):
        super().setUp()
        self.start_with_registers("StartLimitBurst=3\nStartLimitIntervalSec=1h\n")

    def test_start(self):
        """It waits for the slave, and is carried out."""
        self.hang()
        since = self.request(START)
        self.hetd.settle()
        self.assertEqual(self.read(CONTROL) & 0xff, RESULT_PENDING)
        self.mend()
        self.kill()
        self.console.expect("request of slave 2: done", since)
        self.assertEqual(self.read(CONTROL) & 0xff, RESULT_DONE)
        self.assertEqual((self.slave2.state, self.slave2.get("Restarts")), ("running", 2))
        self.console2.expect("boot 1$")

    def test_start_in_vain(self):
        self.hang()
        since = self.request(START)
        self.program("exit 3")
        self.kill()
        self.console.expect("request of slave 2: failed", since)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("crashed", "restart-limit"))

    def test_stop(self):
        """It does not run: that is done at once."""
        self.hang()
        since = self.request(STOP)
        self.console.expect("request of slave 2: done", since)
        self.assertEqual(self.slave2.state, "starting")


class ByHand(Restart):
    def test_crashed(self):
        """Without Restart= that is what brings it back."""
        self.start("")
        self.boot(1)
        self.kill()
        self.slave2.wait_state("crashed")
        self.assertNotIn("again", self.slave2.get("ReasonText"))
        self.slave2.call("Restart")
        self.assertEqual(self.slave2.state, "ready")
        self.boot(2)
        self.assert_works(self.slave2, 2, self.console2)

    def test_running(self):
        self.start("AutoBoot=yes\n")
        self.console2.expect("boot 1$")
        pid, since = self.slave2.pid, self.bus.mark()
        self.slave2.call("Restart")
        self.slave2.wait_state("running")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertEqual(self.states(since), ["stopped", "starting", "waiting", "ready", "running"])
        self.assertEqual(self.bus.values(self.slave2.path, "Reason", since)[:2], ["restart", "restart"])
        self.console2.expect("boot 2$")

    def test_one_that_hangs(self):
        self.start()
        os.kill(self.slave2.pid, signal.SIGSTOP)
        self.slave2.call("Restart")
        self.boot(1)

    def test_platform_stops_meanwhile(self):
        self.start()
        os.kill(self.slave2.pid, signal.SIGSTOP)
        pending = self.slave2.begin("Restart")
        self.hetd.settle()
        self.platform.stop()
        self.assertRefused(ERROR + "Canceled", "being stopped", pending.wait)
        self.assertEqual((self.slave2.state, self.slave2.reason, self.slave2.get("Restarts")), ("stopped", "platform-stop", 0))

    def test_refused(self):
        self.start()
        self.platform.stop()
        self.assertRefused(ERROR + "WrongState", "not started", self.master.call, "Restart")
        self.assertRefused(ERROR + "WrongState", "not started", self.slave2.call, "Restart")
        external = self.hetd.define("q", platform_text(MASTER, SLAVE1, SLAVE2 + "Start=external\n")).start()
        self.assertRefused(ERROR + "WrongState", "Start=external", external.processor("slave2").call, "Restart")


if __name__ == "__main__":
    main()
