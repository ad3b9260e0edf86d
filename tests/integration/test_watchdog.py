#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slaves that hang: WatchdogSec=, and QEMUs that do not answer."""

import itertools
import mmap
import os
import signal
import socket
import struct

import test_restart
from het_bus import ERROR
from het_events import children_of
from het_harness import MASTER, SLAVE1, SLAVE2, main, platform_text
from het_qemu import Qemu

BASE = 0x78000000
SLAVE3 = f"""[Processor slave3]
Role=slave
Id=3
Machine=virt
CPU=cortex-a15
Window=2M@{BASE:#x}
Entry={BASE:#x}
"""
SLAVE3_ARGUMENTS = ("-object", "memory-backend-shared,id=late,size=2M", "-machine", "virt,slave=on,memory-backend=late",
                    "-cpu", "cortex-a15", "-m", "2M", "-device", "idm_ipi")
EXTERNAL = "Start=external\n"
HEARTBEAT = 0x0c000000 + 0x5000 + 0x10          # of slave 3's IDM, see docs/idm-registers.md
ALIVE, ADDRESS = 0x18, 0x1c                     # words of the program

# Gives signs of life as long as the word ALIVE is not 0
PROGRAM = struct.pack("<8I", 0xe59f1014,        # 0x00  ldr     r1, ADDRESS
                      0xe59f000c,               # 0x04  ldr     r0, ALIVE
                      0xe3500000,               # 0x08  cmp     r0, #0
                      0x15810000,               # 0x0c  strne   r0, [r1]
                      0xeafffffb,               # 0x10  b       0x04
                      0, 1, HEARTBEAT)


class Watchdog(test_restart.Restart):
    watchdog = "WatchdogSec=3s\n"
    restart = "Restart=on-failure\n"

    def start(self, more=""):
        text = platform_text(MASTER, SLAVE1, SLAVE2, SLAVE3 + self.watchdog + more)
        self.platform = self.hetd.define("p", text).start()
        self.master, self.slave3 = self.platform.processor("master"), self.platform.processor("slave3")
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")

    def boot_program(self, alive=1):
        """With a mapping of its window"""
        fd, _, size = self.slave3.get_memory()
        self.window = mmap.mmap(fd, size)
        os.close(fd)
        self.addCleanup(self.window.close)
        self.window[:len(PROGRAM)] = PROGRAM
        self.set_alive(alive)
        self.slave3.boot()

    def set_alive(self, alive):
        self.window[ALIVE:ALIVE + 4] = struct.pack("<I", alive)

    def heartbeat(self):
        return self.platform.describe()["processors"][3]["couple"]["heartbeat-ns"]

    def wait_heartbeat(self):
        """Until there is another one"""
        before = self.heartbeat()
        while self.heartbeat() == before:
            self.assertEqual(self.slave3.state, "running", self.slave3.reason)

    def wait_hung(self, master_since):
        self.slave3.wait_state("crashed")
        self.assertEqual(self.slave3.reason, "watchdog")
        self.console.expect("^master: slave 3 is crashed", master_since)

    def changes(self, since):
        """States and reasons. A QEMU that is slow to answer makes it crashed twice: hetd says so first, in other words."""
        self.bus.mark()
        return tuple([value for value, _ in itertools.groupby(self.bus.values(self.slave3.path, name, since))]
                     for name in ("State", "Reason"))


class Hangs(Watchdog):
    def test_no_sign_of_life_any_more(self):
        self.start()
        for boots in range(1, 4):
            self.boot_program()
            for _ in range(5):
                self.wait_heartbeat()
            since, master_since, pid = self.bus.mark(), self.console.mark(), self.slave3.pid
            self.set_alive(0)
            self.wait_hung(master_since)
            # QEMU has answered, and lives; it is for the master, or for a client, to go on
            self.slave3.call("Stop")
            self.assertEqual(self.changes(since), (["crashed", "ready"], ["watchdog", "stop"]))
            self.assertEqual((self.slave3.pid, self.slave3.boots, self.slave3.get("Restarts")), (pid, boots, 0))
            self.assertEqual(self.heartbeat(), 0)
        self.assertIn("no sign of life", self.hetd.log().lower())

    def registers(self):
        """r0 to r15, out of the core file that QEMU makes"""
        with os.fdopen(self.slave3.call("DumpRegisters", "").take(), "rb") as core:
            data = core.read()
        self.assertEqual(data[:5], b"\x7fELF\1")
        note = struct.unpack_from("<I", data, struct.unpack_from("<I", data, 28)[0] + 4)[0]
        self.assertEqual(data[note + 12:note + 17], b"CORE\0")
        return struct.unpack_from("<16I", data, note + 20 + 72)

    def test_memory_and_registers_are_kept(self):
        self.start()
        self.boot_program()
        self.wait_heartbeat()
        self.window[0x1000:0x1004] = b"look"
        self.set_alive(0)
        self.wait_hung(0)
        fd, _, _ = self.slave3.get_memory()
        self.assertEqual(os.pread(fd, 4, 0x1000), b"look")
        os.close(fd)
        registers = self.registers()
        self.assertEqual((registers[0], registers[1]), (0, HEARTBEAT))
        self.assertIn(registers[15], range(BASE, BASE + 0x18))
        self.slave3.call("Stop")
        self.assertRefused(ERROR + "WrongState", "only CPUs that have stopped where they were", self.registers)


class HangsAtStart(Watchdog):
    watchdog = "WatchdogSec=100ms\nWatchdogStartSec=200ms\n"

    def test_never_a_sign_of_life(self):
        self.start()
        self.boot_program(alive=0)
        self.wait_hung(0)
        self.assertEqual(self.heartbeat(), 0)


class SlowStart(Watchdog):
    watchdog = "WatchdogSec=100ms\nWatchdogStartSec=infinity\n"

    def test_first_sign_of_life(self):
        """Who has never given one is not watched; whoever has must go on."""
        other = SLAVE3.replace("slave3", "slave4").replace("Id=3", "Id=4").replace(f"{BASE:#x}", "0x7c000000")
        self.start("\n" + other + "WatchdogSec=1s\nWatchdogStartSec=0\n")
        self.boot_program(alive=0)
        # Another one whose time is over later tells that this one's would have been
        clock = self.platform.processor("slave4")
        clock.boot()
        clock.wait_state("crashed")
        self.assertEqual((self.slave3.state, self.slave3.reason, clock.reason), ("running", "boot", "watchdog"))
        since = self.console.mark()
        self.set_alive(1)
        while not self.heartbeat():
            pass
        self.set_alive(0)
        self.wait_hung(since)


class Paused(Watchdog):
    watchdog = "WatchdogSec=2s\nWatchdogStartSec=2s\n"

    def test_is_not_hung(self):
        """Neither while it is paused nor because it was."""
        self.start()
        self.boot_program(alive=0)
        self.platform.call("Pause")
        since = self.bus.mark()
        self.assertEqual(self.slave3.state, "paused")
        clock = self.hetd.define("clock", platform_text(MASTER, SLAVE3 + self.watchdog)).start()
        clock.processor("slave3").boot()
        clock.processor("slave3").wait_state("crashed")
        self.assertEqual((self.slave3.state, self.changes(since)[0]), ("paused", []))
        self.platform.call("Resume")
        self.slave3.wait_state("crashed")
        self.assertEqual(self.changes(since), (["running", "crashed"], ["cpus-resumed", "watchdog"]))


class NoAnswer(Watchdog):
    def test_is_killed(self):
        """The master's guest is told without it, and it is started again."""
        self.start(self.restart)
        self.boot_program()
        self.wait_heartbeat()
        fds = self.hetd.fds()
        since, master_since, pid = self.bus.mark(), self.console.mark(), self.slave3.pid
        os.kill(pid, signal.SIGSTOP)
        self.wait_hung(master_since)
        self.bus.wait_property(self.slave3.path, "Processor", "Restarts", 1)
        self.slave3.wait_state("ready")
        self.assertEqual(self.changes(since), (["crashed", "starting", "waiting", "ready"],
                                               ["watchdog", "restart", "connected", "granted"]))
        self.assertNotIn(pid, children_of(self.hetd.pid))
        self.console.expect("^master: slave 3 is ready", master_since)
        self.assertEqual(self.hetd.fds(), fds)
        self.boot_program()
        self.wait_heartbeat()

    def test_is_killed_for_good(self):
        self.start()
        self.boot_program()
        self.wait_heartbeat()
        os.kill(self.slave3.pid, signal.SIGSTOP)
        self.wait_hung(0)
        self.bus.wait_property(self.slave3.path, "Processor", "Pid", 0)
        self.assertEqual((self.slave3.state, self.slave3.reason), ("crashed", "watchdog"))
        self.slave3.call("Restart")
        self.assertEqual(self.slave3.state, "ready")


class AnotherHetd(Watchdog):
    """It watches what it has taken over, also what has hung while there was none."""

    def take_over(self):
        self.hetd.kill()
        self.hetd.take_over()
        self.console = self.master.console()

    def test_hangs_after_it(self):
        self.start(self.restart)
        self.boot_program()
        self.wait_heartbeat()
        self.take_over()
        self.wait_heartbeat()
        os.kill(self.slave3.pid, signal.SIGKILL)
        self.bus.wait_property(self.slave3.path, "Processor", "Restarts", 1)
        self.slave3.wait_state("ready")
        # The page was made good for the new process, with how often it is asked for a sign of life
        self.boot_program()
        self.wait_heartbeat()
        self.set_alive(0)
        self.wait_hung(0)

    def test_hangs_meanwhile(self):
        self.start()
        self.boot_program()
        self.wait_heartbeat()
        self.hetd.kill()
        self.set_alive(0)
        self.hetd.take_over()
        self.console = self.master.console()
        self.wait_hung(0)


class SomebodyElses(Watchdog):
    """It is not hetd's: it is never killed, and comes back by itself."""

    def test_external(self):
        self.start(EXTERNAL)
        qemu = Qemu(self, "slave", *SLAVE3_ARGUMENTS)
        self.slave3.attach(qemu.monitor)
        self.boot_program()
        self.wait_heartbeat()
        since, master_since = self.bus.mark(), self.console.mark()
        os.kill(qemu.pid, signal.SIGSTOP)
        self.wait_hung(master_since)
        pending = self.slave3.begin("Stop")
        os.kill(qemu.pid, signal.SIGCONT)
        pending.wait()
        self.assertEqual((self.slave3.state, self.changes(since)), ("ready", (["crashed", "ready"], ["watchdog", "stop"])))
        self.console.expect("^master: slave 3 is ready", master_since)
        self.boot_program()
        self.wait_heartbeat()
        self.assertTrue(qemu.process.is_running())

    def test_without_a_monitor(self):
        """The signs of life are in memory that hetd has: it does not need the monitor to miss them."""
        self.start(EXTERNAL)
        qemu = Qemu(self, "slave", *SLAVE3_ARGUMENTS)
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(qemu.monitor))
            self.slave3.attach_fd(monitor.fileno())
            self.boot_program()
            self.wait_heartbeat()
            monitor.shutdown(socket.SHUT_RDWR)
        self.slave3.wait_state("lost")
        for _ in range(5):
            before = self.heartbeat()
            while self.heartbeat() == before:
                self.assertEqual(self.slave3.state, "lost", self.slave3.reason)
        since, master_since = self.bus.mark(), self.console.mark()
        self.set_alive(0)
        self.wait_hung(master_since)
        self.assertEqual(self.changes(since), (["crashed"], ["watchdog"]))
        self.assertTrue(qemu.process.is_running())
        # The next one takes its place
        self.slave3.call("Detach")
        self.console.expect("^master: slave 3 has left", master_since)
        self.slave3.attach(Qemu(self, "next", *SLAVE3_ARGUMENTS).monitor)
        self.boot_program()
        self.wait_heartbeat()


class Hung(Watchdog):
    """Its QEMU does not answer a command, which makes it lost before its time is over."""

    watchdog = "WatchdogSec=20s\n"

    def test_is_lost_and_killed(self):
        self.start(self.restart)
        self.boot_program()
        self.wait_heartbeat()
        since, master_since = self.bus.mark(), self.console.mark()
        os.kill(self.slave3.pid, signal.SIGSTOP)
        self.assertRefused("org.freedesktop.DBus.Error.Timeout", "", self.slave3.call, "Stop")
        self.bus.wait_property(self.slave3.path, "Processor", "Restarts", 1)
        self.slave3.wait_state("ready")
        self.console.expect("^master: slave 3 is crashed", master_since)
        self.assertEqual(self.changes(since), (["lost", "crashed", "starting", "waiting", "ready"],
                                               ["monitor-hung", "watchdog", "restart", "connected", "granted"]))


if __name__ == "__main__":
    main()
