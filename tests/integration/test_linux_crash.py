#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: Linux gets over crashes of the slaves, and dumps what they leave.
"""

import base64
import itertools
import os
import re
import shutil
import signal
import struct
import subprocess
import zlib

import het_rpmsg
from het_harness import FIRMWARE, main
from het_linux import CLASS, DEBUG, RemoteprocTestCase, SLAVES, WINDOWS, need_guest

DUMP = "/sys/class/devcoredump/devcd*/data"
PT_LOAD, ET_CORE, EM_ARM = 1, 4, 40


class Core:
    """A core file of 32 bits with one segment"""

    def __init__(self, data):
        self.data = data
        (ident, self.type, self.machine, _, _, phoff, _, _, _, phsize, self.count, _, _, _) = struct.unpack_from("<16sHHIIIIIHHHHHH", data)
        self.is_elf32 = ident[:6] == b"\x7fELF\x01\x01"
        kind, self.offset, _, self.address, self.size, memory_size, _, _ = struct.unpack_from("<8I", data, phoff)
        self.is_whole = kind == PT_LOAD and phsize == 32 and memory_size == self.size and len(data) == self.offset + self.size

    def at(self, address, size):
        start = self.offset + address - self.address
        return self.data[start:start + size]


def symbols(path):
    """{name: address}"""
    lines = subprocess.run(["readelf", "-sW", str(path)], check=True, capture_output=True, text=True).stdout.splitlines()
    fields = [line.split() for line in lines]
    return {f[7]: int(f[1], 16) for f in fields if len(f) == 8 and re.fullmatch("[0-9a-f]{8}", f[1])}


class Crash(RemoteprocTestCase):
    shares_boot = True

    def test_fault_of_the_firmware(self):
        """The core stops it, loads its image again and starts it; the other one does not notice."""
        self.start(0)
        self.start(1)
        for number in (0, 1):
            for _ in range(3):
                since = self.console.mark()
                self.shell.ok(f"echo crash >{self.tty(number)}")
                self.wait_recovered(number, since)
                self.echo(self.tty(number), "back again")
                self.echo(self.tty(1 - number), "never away")

    def test_crash_without_recovery(self):
        self.start(1)
        self.write(1, "recovery", "disabled")
        since = self.console.mark()
        self.shell.ok(f"echo crash >{self.tty(1)}")
        self.console.expect("remoteproc remoteproc1: handling crash #1", since)
        self.assertEqual(self.state(1), "crashed")
        since = self.console.mark()
        self.write(1, "recovery", "recover")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.echo(self.tty(1), "back again")

    def test_stopped_by_somebody_else(self):
        """For Linux that is a crash as well: it did not ask for it."""
        self.start(1)
        since = self.console.mark()
        self.slave2.call("Stop")
        self.console.expect("crash detected in slave2: type watchdog", since)
        self.wait_recovered(1, since)
        self.echo(self.tty(1), "back again")

    def test_process_is_killed(self):
        """hetd starts it again, and for Linux that is a crash as any other; the other slave does not notice."""
        self.start(0)
        self.start(1)
        fds = self.hetd.fds()
        for number, slave in ((1, self.slave2), (0, self.slave1), (1, self.slave2)):
            since, pid, restarts = self.console.mark(), slave.pid, slave.get("Restarts")
            os.kill(pid, signal.SIGKILL)
            self.console.expect(f"remoteproc remoteproc{number}: crash detected in slave{number + 1}: type", since)
            self.wait_recovered(number, since)
            self.echo(self.tty(number), "back again")
            self.echo(self.tty(1 - number), "never away")
            self.assertEqual((slave.state, slave.get("Restarts")), ("running", restarts + 1))
            self.assertNotEqual(slave.pid, pid)
        self.assertEqual(self.hetd.fds(), fds)
        for number in (0, 1):
            self.stop(number)


class Hang(RemoteprocTestCase):
    """A program that does not come round any more, and a QEMU that does not, are crashes as well."""

    shares_boot = True
    changes = (("Restart=on-failure\n", "Restart=on-failure\nWatchdogSec=3s\n"),)

    def reasons(self, slave, since):
        """Each once: a QEMU that is slow to answer makes it crashed twice, in other words."""
        self.bus.mark()
        return [reason for reason, _ in itertools.groupby(self.bus.values(slave.path, "Reason", since))]

    def hang(self, number, how):
        since = self.console.mark()
        how()
        self.console.expect(f"remoteproc remoteproc{number}: crash detected in slave{number + 1}: type", since)
        self.wait_recovered(number, since)
        self.echo(self.tty(number), "back again")
        self.echo(self.tty(1 - number), "never away")

    def test_program(self):
        for number in (0, 1):
            self.start(number)
        for number, slave in ((0, self.slave1), (1, self.slave2), (0, self.slave1)):
            mark, pid = self.bus.mark(), slave.pid
            self.hang(number, lambda number=number: self.shell.ok(f"echo hang >{self.tty(number)}"))
            self.assertEqual(self.reasons(slave, mark), ["watchdog", "stop", "boot"])
            self.assertEqual((slave.pid, slave.get("Restarts")), (pid, 0))
        for number in (0, 1):
            self.stop(number)

    def test_qemu(self):
        self.start(0)
        self.start(1)
        mark, pid = self.bus.mark(), self.slave2.pid
        self.hang(1, lambda: os.kill(pid, signal.SIGSTOP))
        self.assertEqual(self.reasons(self.slave2, mark)[:2], ["watchdog", "restart"])
        self.assertNotEqual(self.slave2.pid, pid)


class KilledForGood(RemoteprocTestCase):
    shares_boot = True
    changes = (("Restart=on-failure\n", ""),)

    def kill(self):
        """There is nothing that could be recovered, and Linux says so."""
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.console.expect("remoteproc remoteproc1: crash detected in slave2: type fatal error", since)
        self.console.expect("remoteproc remoteproc1: it is crashed and cannot be started", since)
        self.shell.ok(f"until grep -q crashed {CLASS}1/state; do :; done")
        self.assertEqual(self.slave2.state, "crashed")

    def bring_back(self):
        self.slave2.call("Restart")
        self.write(1, "recovery", "recover")

    def test_process_is_killed(self):
        """The other slave goes on."""
        self.start(0)
        self.start(1)
        self.kill()
        self.echo(self.tty(0), "never away")
        self.stop(0)
        self.shell.ok(f"rmmod {self.driver}")
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "")

    def test_brought_back_by_hand(self):
        self.start(1)
        self.kill()
        since = self.console.mark()
        self.bring_back()
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assertEqual(self.state(1), "running")
        self.echo(self.tty(1), "back again")


class Coredump(RemoteprocTestCase):
    """What is in the window when a slave has failed"""

    shares_boot = True

    def crash(self, number):
        since = self.console.mark()
        self.shell.ok(f"echo crash >{self.tty(number)}")
        self.console.expect(rf"remoteproc remoteproc{number}: handling crash #", since)
        self.shell.ok(f"until [ -e {DUMP} ]; do :; done")
        return since

    def read_dump(self):
        """And gives it back to the kernel; through the console, so it is packed."""
        text = self.shell.ok(f"gzip -1 -c {DUMP} | base64 && echo 1 >$(echo {DUMP})")
        return zlib.decompress(base64.b64decode(text), wbits=31)

    def check(self, number, data):
        core, elf = Core(data), het_rpmsg.Elf(FIRMWARE / SLAVES[number])
        self.assertTrue(core.is_elf32 and core.is_whole)
        self.assertEqual((core.type, core.machine, core.count), (ET_CORE, EM_ARM, 1))
        self.assertEqual((core.address, core.size), WINDOWS[number])
        program = elf.segments[0]
        self.assertEqual(core.at(program.address, program.file_size), elf.data[program.offset:program.offset + program.file_size])
        # The log, up to its end; and what the kernel has made of the table's first ring
        address = symbols(FIRMWARE / SLAVES[number])
        trace = core.at(address["trace_buffer"], 4096).split(b"\0")[0].decode()
        self.assertIn("rpmsg firmware, booted at", trace)
        self.assertIn("crashing, as told", trace)
        return core

    def test_enabled(self):
        """The kernel copies it, and goes on at once."""
        self.assertEqual(self.shell.read(f"{DEBUG}1/coredump"), "disabled")
        self.shell.ok(f"echo enabled >{DEBUG}1/coredump")
        self.assertEqual(self.shell.read(f"{DEBUG}1/coredump"), "enabled")
        self.start(1)
        for n in range(1, 4):
            since = self.crash(1)
            self.wait_recovered(1, since)
            self.assertEqual(self.console.count(rf"handling crash #{n} in slave2", since), 1)
            core = self.check(1, self.read_dump())
        if shutil.which("gdb-multiarch"):
            path = self.directory / "core"
            path.write_bytes(core.data)
            found = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", "x/s &trace_buffer", FIRMWARE / SLAVES[1], path],
                                   capture_output=True, text=True, check=False).stdout
            self.assertIn("rpmsg firmware", found)

    def test_inline(self):
        """It is read from the window itself, which the recovery waits for. A window of 64 MiB"""
        self.shell.ok(f"echo inline >{DEBUG}0/coredump")
        self.start(0)
        for _ in range(2):
            since = self.crash(0)
            self.assertEqual(self.state(0), "offline")
            self.check(0, self.read_dump())
            self.wait_recovered(0, since)
            self.echo(self.tty(0), "back again")

    def test_nobody_reads(self):
        """There is one dump of each slave at most: the first one stays, and the kernel drops those that follow."""
        self.shell.ok(f"echo enabled >{DEBUG}1/coredump")
        self.start(1)
        self.wait_recovered(1, self.crash(1))
        before, pages = self.vmalloc(), WINDOWS[1][1] // 4096
        for _ in range(3):
            self.wait_recovered(1, self.crash(1))
        self.assertLess(self.vmalloc(), before + pages / 8)
        self.stop(1)
        self.assertIn("crashing, as told", self.shell.ok(f"strings {DUMP} | grep crashing,"))
        self.shell.ok(f"echo 1 >$(echo {DUMP}); until [ ! -e {DUMP} ]; do :; done")
        self.assertLess(self.vmalloc(), before - pages)

    def vmalloc(self):
        """Pages of all mappings and large allocations"""
        return int(self.shell.ok("awk '{ n += $2 / 4096 } END { print n }' /proc/vmallocinfo"))


if __name__ == "__main__":
    need_guest()
    main()
