#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
A slave's process that has been taken over. It was attached like any other, and holds the real file descriptors that hetd gives to a
slave; the master, and the slave beside it, are real QEMUs. Whatever it does, those two go on talking, and hetd answers.
"""

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from het_events import Pipe
from het_harness import MASTER, SLAVE1, SLAVE2, TestCase, main, platform_text
from het_monitor import Monitor
from het_qemu import SLAVE2_ARGUMENTS, Qemu

EXTERNAL = "Start=external\n"
PROGRAM = pathlib.Path(__file__).with_name("hostile_slave.py")
ENDS = ("page", "rx", "tx", "rx-halt", "tx-halt")
EVENTS_PER_SEC, EVENTS_BURST = 200, 1000        # hetd/processor.h
READ_BYTES = 32 * 1024                          # what it may have read before it holds back


class HostileSlave(Monitor):
    """It keeps what it is given."""

    def __init__(self, test, name):
        super().__init__(test, name)
        self.named, self.couple, self.window = {}, {}, None

    def answer(self, command):
        arguments = command.get("arguments", {})
        if command["execute"] == "getfd":
            self.named[arguments["fdname"]] = self.fds.pop(0)
        elif command["execute"] == "het-master-attach":
            self.couple = {end: self.named.pop(arguments["couple"][end]) for end in ENDS}
        elif command["execute"] == "het-memory-grant":
            self.window = self.named.pop(arguments["memory"])
        super().answer(command)

    def all_fds(self):
        return [*(self.couple[end] for end in ENDS), self.window]

    def close(self):
        super().close()
        for fd in (*self.named.values(), *self.couple.values(), self.window):
            os.close(fd)

    def flood(self, *messages):
        """Sends them again and again; returns the function that ends it, and returns how often they were sent"""
        ended, count = threading.Event(), [0]

        def run():
            try:
                while not ended.is_set():
                    self.send(*messages)
                    count[0] += 1
            except OSError:
                pass                    # hetd has ended the connection

        def end():
            ended.set()
            self.peer.shutdown(2)       # the sender may be held back
            thread.join()
            return count[0]

        thread = threading.Thread(target=run)
        thread.start()
        return end


class Hostile(TestCase):
    hetd_arguments = ("--log-level=info",)      # it would log each event
    slave2 = SLAVE2

    def setUp(self):
        super().setUp()
        self.platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, self.slave2 + EXTERNAL)).start()
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))
        self.console, self.console1 = self.master.console(), self.slave1.console()
        self.console.expect("received vector 3 from slave 1")
        self.hostile = HostileSlave(self, "hostile")
        self.slave2.attach(self.hostile.path)
        self.vector = 3

    def assert_unhurt(self):
        """The master and the other slave hear each other, both guests and both QEMUs live, and hetd answers."""
        self.vector = 4 + (self.vector - 3) % 28
        since, slave_since = self.console.mark(), self.console1.mark()
        self.slave1.kick(self.vector)
        self.console1.expect(f"received vector {self.vector} from the master", slave_since)
        self.console.expect(f"received vector {self.vector} from slave 1", since)
        self.assertEqual((self.master.state, self.slave1.state, self.slave1.boots), ("running", "running", 1))
        self.hetd.settle()

    def attack(self, name, **more):
        fds = self.hostile.all_fds()
        program = shutil.copy(PROGRAM, self.directory)          # where everybody can read it
        process = self.start_process(sys.executable, program, name, *fds, pass_fds=fds, stdout=subprocess.PIPE, **more)
        process.says = Pipe(self.loop, process.popen.stdout)
        self.addCleanup(process.says.close)
        return process

    def attack_and_check(self, name, **more):
        process = self.attack(name, **more)
        self.loop.wait(lambda: process.says.lines or process.says.ended, f"{name} is at work")
        self.assertEqual(process.says.lines, ["at work"])
        for _ in range(3):
            self.assert_unhurt()
        self.assertTrue(process.is_running(), "it was still at it")
        process.end()
        self.check_another()

    def check_another(self):
        """Nothing sticks: an honest QEMU takes its place."""
        self.slave2.call("Detach")
        qemu = Qemu(self, "honest", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.slave2.boot()
        console = qemu.console()
        console.expect("^slave2: the master's greeting: Hello")
        since = console.mark()
        self.slave2.kick(30)
        console.expect("received vector 30 from the master", since)
        self.assert_unhurt()


class Memory(Hostile):
    def test_what_it_has(self):
        """A page that it shares with the master only, eventfds, and its own window"""
        self.assertEqual([os.readlink(f"/proc/self/fd/{fd}") for fd in self.hostile.all_fds()],
                         ["/memfd:het-couple:2 (deleted)"] + ["anon_inode:[eventfd]"] * 4 + ["/memfd:het:p/slave2 (deleted)"])
        self.assertEqual(self.hostile.named, {})

    def test_behind_the_window(self):
        process = self.attack("beyond")
        self.assertEqual(process.wait(), -signal.SIGBUS)
        self.assertEqual(process.says.lines, ["mapped"])
        self.assert_unhurt()
        self.check_another()

    def test_truncated(self):
        self.attack_and_check("truncate")

    def test_holes(self):
        self.attack_and_check("holes")


class ReadOnly(Hostile):
    """Access=ro"""

    slave2 = SLAVE2 + "Access=ro\n"

    def check_another(self):
        """Its firmware would have nowhere to put its stack."""

    def test_process(self):
        """As another user, if we can be one: that is how QEMUs are kept apart."""
        other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        window, _, size = self.slave2.get_memory()
        os.pwrite(window, b"as it was", size - 9)
        self.attack_and_check("write", **other)
        self.slave2.call("Detach")
        self.assertEqual(os.pread(window, 9, size - 9), b"as it was")
        os.close(window)


class ReadOnlyGuest(TestCase):
    """Of a real QEMU: what its guest, or a debugger, writes is not there; what the master writes is."""

    BASE, DATA, STACK, DOORBELL = 0x70000000, 0x8000, 0x20001000, 0x50001004
    UNCHANGED, CHANGED = 20, 21

    def program(self):
        """It writes to its window, and tells the master by a vector what it reads there then."""
        code = struct.pack("<12H", 0x4806,      # ldr r0, [pc, #24]: the data
                           0x6801,              # ldr r1, [r0]
                           0x1c4a,              # adds r2, r1, #1
                           0x6002,              # str r2, [r0]
                           0x6803,              # ldr r3, [r0]
                           0x2400 | self.UNCHANGED,     # movs r4, #UNCHANGED
                           0x428b,              # cmp r3, r1
                           0xd000,              # beq .+4
                           0x2400 | self.CHANGED,       # movs r4, #CHANGED
                           0x4d03,              # ldr r5, [pc, #12]: the doorbell
                           0x602c,              # str r4, [r5]
                           0xe7fe)              # b .
        return code.ljust(28, b"\0") + struct.pack("<II", self.BASE + self.DATA, self.DOORBELL)

    def start(self, access):
        gdb = self.directory / "gdb"
        slave = SLAVE2.replace("Firmware=${FIRMWARE_DIR}/first-light-slave-m3.elf\n", "") + \
            f"ExtraArguments=-chardev socket,id=gdb,path={gdb},server=on,wait=off -gdb chardev:gdb\n"
        self.platform = self.hetd.define("p", platform_text(MASTER, slave + access)).start()
        self.slave2, self.console = self.platform.processor("slave2"), self.platform.processor("master").console()
        self.window, _, self.size = self.slave2.get_memory()
        self.addCleanup(os.close, self.window)
        os.pwrite(self.window, struct.pack("<II", self.STACK, self.BASE + 0x101), 0)
        os.pwrite(self.window, self.program(), 0x100)
        os.pwrite(self.window, struct.pack("<I", 41), self.DATA)
        self.slave2.boot(Entry=self.BASE, Protocol="vector-table", Load=False)
        return gdb

    def value(self):
        return struct.unpack("<I", os.pread(self.window, 4, self.DATA))[0]

    def test_written_to(self):
        self.start("Access=ro\n")
        self.console.expect(f"received vector {self.UNCHANGED} from slave 2")
        self.assertEqual((self.value(), self.slave2.state, str(self.slave2.get("Access"))), (41, "running", "ro"))
        self.assertEqual(self.platform.describe()["processors"][1]["window"]["access"], "ro")
        with open(f"/proc/{self.slave2.pid}/maps", encoding="utf-8") as f:
            self.assertEqual([line.split()[1] for line in f if "/memfd:het:p/slave2" in line], ["r--s"])

    def test_not_read_only(self):
        """The same program sees what it has written, so it would have told."""
        self.start("")
        self.console.expect(f"received vector {self.CHANGED} from slave 2")
        self.assertEqual((self.value(), str(self.slave2.get("Access"))), (42, "rw"))

    def test_debugger(self):
        path = self.start("Access=ro\n")
        self.console.expect(f"received vector {self.UNCHANGED} from slave 2")
        with socket.socket(socket.AF_UNIX) as gdb:
            gdb.connect(str(path))
            gdb.settimeout(60)
            for command in (f"M{self.BASE + self.DATA:x},1:ff", f"m{self.BASE + self.DATA:x},4"):
                gdb.sendall(f"${command}#{sum(command.encode()) & 0xff:02x}".encode())
                answer = b""
                while answer.count(b"#") == 0:
                    self.assertTrue(data := gdb.recv(4096), "QEMU has ended")
                    answer += data
                gdb.sendall(b"+")
        self.assertIn(b"$29000000#", answer)
        self.assertEqual(self.value(), 41)


class Couple(Hostile):
    def test_doorbells(self):
        self.attack_and_check("doorbells")

    def test_made_to_wait_by_full_counters(self):
        self.attack_and_check("block")

    def test_made_to_wait_by_empty_counters(self):
        self.attack_and_check("empty")

    def test_scribbled_over(self):
        self.attack_and_check("scribble")

    def test_states(self):
        self.attack_and_check("states")


class Messages(Hostile):
    def states(self, n):
        return [Monitor.make_event("HET_SLAVE_STATE", id=2, state=state, reason="none") for state in ("ready", "paused")] * n

    def count_lines(self):
        return self.hetd.log().count("slave2: ")

    def check_flood(self, *messages):
        before, begun = self.count_lines(), time.monotonic()
        end = self.hostile.flood(*messages)
        self.loop.wait(lambda: self.hetd.settle() or "sends too many events" in self.hetd.log(), "hetd holds it back")
        for _ in range(3):
            self.assert_unhurt()
        n = self.count_lines() - before
        most = EVENTS_BURST + EVENTS_PER_SEC * (time.monotonic() - begun) + READ_BYTES // 40
        self.assertLess(n, most, "of that a slow machine makes less, but none makes more")
        self.slave2.begin("Detach")
        end()
        self.slave2.wait_state("defined", "lost", "crashed")
        self.assert_unhurt()

    def test_states_without_end(self):
        self.check_flood(*self.states(50))

    def test_unknown_states_without_end(self):
        self.check_flood(*[Monitor.make_event("HET_SLAVE_STATE", id=2, state="x" * 100, reason="none")] * 100)

    def test_memory_without_end(self):
        self.check_flood(*[Monitor.make_event(name, id="m") for name in ("HET_MEMORY_GRANTED", "HET_MEMORY_REVOKED")] * 50)

    def test_what_only_a_master_may_say(self):
        """Nothing that it sends moves another slave, or the platform."""
        since = self.bus.mark()
        for id_ in (0, 1, 2):
            self.hostile.event("HET_STOP_REQUEST", id=id_)
            self.hostile.event("HET_BOOT_REQUEST", id=id_, entry=0x60000000, argument=0, protocol="raw")
        for name in ("RESET", "STOP", "RESUME", "GUEST_PANICKED"):
            self.hostile.event(name, guest=True, reason="guest-reset")
        self.hostile.event("HET_SLAVE_STATE", id=1, state="crashed", reason="guest-panicked")
        self.hostile.event("HET_SLAVE_STATE", id=2, state="paused", reason="none")
        self.slave2.wait_state("paused")
        self.bus.mark()
        self.assertEqual(self.bus.changes(self.slave1.path, since) + self.bus.changes(self.master.path, since) +
                         self.bus.changes(self.platform.path, since), [])
        self.assertNotIn("het-request-complete", self.hostile.commands)
        self.assert_unhurt()

    def test_answers_to_nothing(self):
        for id_ in (None, 0, 1, "hetd-1", {"a": []}, "x" * 10000):
            self.hostile.send({"return": {}, "id": id_}, {"error": {"class": "GenericError", "desc": "\u0000\u202e"}, "id": id_})
        self.hostile.event("HET_SLAVE_STATE", id=2, state="paused", reason="none")
        self.slave2.wait_state("paused")
        self.assert_unhurt()

    def test_no_monitor_any_more(self):
        """It breaks off in the middle of a message, greets again, or sends one that never ends."""
        for data in (b'{"event": ', b'{"QMP": {"version": {"qemu": {"major": 1, "minor": 0, "micro": 0}}, "capabilities": []}}', b"\xff\xfe",
                     b"[" * 100000):
            with self.subTest(data=data[:20]):
                if self.slave2.state == "crashed":
                    self.hostile = HostileSlave(self, f"hostile-{len(data)}")
                    self.slave2.attach(self.hostile.path)
                self.hostile.peer.sendall(data + b"\r\n")
                self.hostile.peer.shutdown(1)
                self.hostile.listener.close()
                self.slave2.wait_state("crashed")
                self.assert_unhurt()

    def test_silent(self):
        """It answers nothing: only who talks to it waits, and not for ever."""
        self.hostile.hold = {"het-slave-stop"}
        pending = self.slave2.begin("Stop")
        self.assertTrue(self.hostile.held.wait(60))
        for _ in range(3):
            self.assert_unhurt()
        self.assertRefused("org.freedesktop.DBus.Error.Timeout", "slave2: het-slave-stop", pending.wait)
        self.assert_unhurt()


if __name__ == "__main__":
    main()
