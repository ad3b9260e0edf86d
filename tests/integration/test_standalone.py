#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A master and slaves with no daemon: they come, go and are killed, in any order, and their guests talk all the while."""

import os
import pathlib
import re
import shlex
import signal
import struct
import unittest

from het_harness import FIRMWARE, QEMU, TOP, main
from het_standalone import MASTER_MEMORY, SOCKET, WINDOWS, StandaloneTestCase

CYCLES = int(os.environ.get("QEMU_HET_CYCLES", "5"))


def segments(elf):
    """(physical address, content) of what an ELF file of 32 bits loads"""
    offset, = struct.unpack_from("<I", elf, 28)
    size, count = struct.unpack_from("<HH", elf, 42)
    for i in range(count):
        kind, start, _, physical, length = struct.unpack_from("<5I", elf, offset + i * size)
        if kind == 1 and length:
            yield physical, elf[start:start + length]


class FirstLight(StandaloneTestCase):
    def expect_talk(self, master, since, slave=1):
        """The slave's program is up, and has sent back all that it was sent."""
        for vector in (0, 1, 2, 3):
            master.expect(rf"^master: received vector {vector} from slave {slave}$", since)

    def ping(self, master, slave, vector):
        since = master.mark()
        master.send(f"ping {slave} {vector}\r")
        master.expect(rf"^master: received vector {vector} from slave {slave}$", since)

    def test_slave_first(self):
        slave = self.start_a15()
        self.assertEqual(self.query(slave)["state"], "waiting")
        master = self.start_master()
        console = master.console()
        console.expect(r"^master: copied .* starting slave 1$")
        console.expect(r"^master: start of slave 1: done$")
        self.expect_talk(console, 0)
        slave.console().expect(r"^slave1: booted from the shared window at 0x60000000, boot 1$")
        self.ping(console, 1, 17)

        info = self.query(slave)
        self.assertEqual((info["role"], info["id"], info["state"], info["reason"]), ("slave", 1, "running", "boot"))
        self.assertEqual(info["memory"][0]["bus-address"], WINDOWS[1])
        self.assertEqual(info["memory"][0]["offset"], WINDOWS[1] - MASTER_MEMORY)
        couple = self.query(master, 1)
        self.assertEqual((couple["peer-state"], couple["request"]), ("running", "done"))
        self.assertEqual((couple["window"]["address"], couple["window"]["size"]), (WINDOWS[1], 64 << 20))
        self.assertTrue(couple["direct"], "halted vCPUs wait for vectors themselves")

        console.send("stop 1\r")
        console.expect(r"^master: stop of slave 1: done$")
        self.assertEqual(self.query(slave)["state"], "ready")
        since = console.mark()
        console.send("start 1\r")
        self.expect_talk(console, since)

    def test_killed_and_started_again(self):
        master = self.start_master()
        console = master.console()
        slave = self.start_a15()
        self.expect_talk(console, 0)
        for _ in range(CYCLES):
            since = console.mark()
            os.kill(slave.pid, signal.SIGKILL)
            slave.process.wait()
            console.expect(r"^master: slave 1 is crashed", since)
            self.assertEqual(self.query(master, 1)["peer-state"], "crashed")
            since = console.mark()
            slave = self.start_a15()
            console.expect("^master: slave 1 is ready", since)
            console.send("start 1\r")
            self.expect_talk(console, since)
        # In order: it has not crashed
        since = console.mark()
        with slave.qmp() as qmp:
            qmp.call("quit")
        slave.process.wait()
        console.expect(r"^master: slave 1 is offline", since)
        self.assertFalse(console.find("is crashed", since))

    def test_master_killed(self):
        """The slaves stop, give its memory back, and are there for the next one, which replaces the socket that was left."""
        master = self.start_master()
        slave = self.start_a15()
        self.expect_talk(master.console(), 0)
        for _ in range(CYCLES):
            os.kill(master.pid, signal.SIGKILL)
            master.process.wait()
            self.assertTrue(os.path.exists(SOCKET))
            master = self.start_master()
            self.expect_talk(master.console(), 0)
            info = self.query(slave)
            self.assertEqual((info["state"], len(info["couples"])), ("running", 1))

    def test_several(self):
        """Different processors at once; what happens to one is nothing to the others."""
        master = self.start_master()
        console = master.console()
        a15 = self.start_a15()
        self.expect_talk(console, 0)
        m3 = self.start_m3()
        others = [self.start_a15(n, size="32M", window_address=0x48000000 + (n << 25)) for n in (3, 4, 5)]
        for n in (2, 3, 4, 5):
            console.expect(rf"^master: slave {n} is ready, window of")
        self.load(master, "first-light-slave-m3.elf")
        with m3.qmp() as qmp:
            qmp.call("het-slave-boot", entry=WINDOWS[2])
        self.expect_talk(console, 0, slave=2)
        for i in range(CYCLES):
            n = 3 + i % 3
            since = console.mark()
            os.kill(others[n - 3].pid, signal.SIGKILL)
            others[n - 3].process.wait()
            console.expect(rf"^master: slave {n} is crashed", since)
            for slave in (1, 2):
                self.ping(console, slave, 4 + i)
            since = console.mark()
            others[n - 3] = self.start_a15(n, size="32M", window_address=0x48000000 + (n << 25))
            console.expect(rf"^master: slave {n} is ready, window of", since)
        self.assertEqual([c["peer-state"] for c in self.query(master)["couples"]], ["running"] * 2 + ["ready"] * 3)
        self.assertEqual(self.query(a15)["boots"], 1)

    def load(self, master, name):
        fd = self.export_memory(master)
        for address, content in segments((FIRMWARE / name).read_bytes()):
            os.pwrite(fd, content, address - MASTER_MEMORY)

    def test_stopped_slave(self):
        """One that does not answer is cut off when its time is over; the others go on meanwhile."""
        master = self.start_master(timeout=1000)
        console = master.console()
        slave = self.start_a15()
        self.expect_talk(console, 0)
        m3 = self.start_m3()
        console.expect(r"^master: slave 2 is ready")
        os.kill(m3.pid, signal.SIGSTOP)
        since = console.mark()
        console.send("start 2\r")
        self.ping(console, 1, 9)
        console.expect(r"^master: start of slave 2: failed$", since)
        console.expect(r"^master: slave 2 is crashed", since)
        since = console.mark()
        os.kill(m3.pid, signal.SIGCONT)
        console.expect(r"^master: slave 2 is ready", since)
        self.assertEqual(self.query(slave)["state"], "running")

    def test_what_the_guest_cannot_have(self):
        """A start that fails says why, to who looks at the slave and to who looks at the master."""
        master = self.start_master()
        console = master.console()
        m3 = self.start_m3()
        console.expect(r"^master: slave 2 is ready")
        console.send("start 2\r")
        console.expect(r"^master: start of slave 2: refused$")
        for qemu in (master, m3):
            self.assertIn("entry 0 means the platform's program", qemu.stderr())

    def test_second_master(self):
        self.start_master().console().expect("first light")
        second = self.start_master()
        self.assertEqual(second.process.wait(), 1)
        self.assertIn(f"another process listens on '{SOCKET}'", second.stderr())

    @unittest.skipUnless(os.geteuid() == 0, "only root can run a QEMU of another user")
    def test_other_user(self):
        """A slave of another user is not taken, unless the master says so."""
        master = self.start_master()
        console = master.console()
        console.expect("first light")
        os.chmod(SOCKET, 0o666)
        os.chmod(self.directory, 0o777)
        child = os.fork()
        if child == 0:
            self.connect_as(65534)
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, "it is turned away")
        self.start_a15()
        self.expect_talk(console, 0)

    @staticmethod
    def connect_as(uid):
        """In a child: exits with 0 if it is turned away without a word."""
        import socket
        os.setuid(uid)
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(SOCKET)
            try:
                os._exit(1 if s.recv(1) else 0)
            except ConnectionError:
                os._exit(0)


class CoverLetter(StandaloneTestCase):
    def test_command_lines(self):
        """Those that the cover letter of the series has: master and slave find each other, and a place for the window."""
        text = (TOP / "qemu-patches/cover-letter").read_text(encoding="utf-8").replace("\\\n", "")
        lines = [shlex.split(line) for line in re.findall(r"(?m)^  (qemu-system-.*)$", text)]
        self.assertEqual(len(lines), 2)
        programs = [pathlib.Path(QEMU).parent / line[0] for line in lines]
        missing = [str(p) for p in programs if not p.exists()]
        if missing:
            self.skipTest(f"{missing[0]} is not there")
        pathlib.Path("zImage").symlink_to(FIRMWARE / "first-light-master.elf")
        master, slave = (self.qemu(f"letter{i}", *line[1:], emulator=program)
                         for i, (line, program) in enumerate(zip(lines, programs)))
        master.console().expect(r"^master: slave 1 is ready, window of")
        self.assertEqual(self.query(slave)["state"], "ready")


if __name__ == "__main__":
    main()
