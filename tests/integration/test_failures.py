#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong, who is told, and what goes on."""

import os
import signal
import socket
import subprocess
import time
import unittest

import dbus

from het_bus import ERROR, INVALID_ARGS, ROOT, BusError, Pending, options
from het_events import wait_for_end
from het_harness import FIRMWARE, MASTER, MIB, QEMU, SLAVE1, SLAVE2, Hetd, TestCase, main, memfd, platform_text, text_fd

TIMEOUT = "org.freedesktop.DBus.Error.Timeout"
LIMITS = "org.freedesktop.DBus.Error.LimitsExceeded"
LINES_PER_SEC, LINES_BURST = 200, 1000          # hetd/spawn-process.c
ENTRY = {"Entry": 0x60000000, "Protocol": "raw"}


class Failures(TestCase):
    def setUp(self):
        super().setUp()
        self.use(self.hetd.load("first-light"))

    def use(self, platform):
        self.platform = platform
        self.master, self.slave1, self.slave2 = (platform.processor(n) for n in ("master", "slave1", "slave2"))

    def start(self):
        self.platform.start()
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")

    def assert_works(self, slave, number):
        """A slave that runs and its master hear each other."""
        console = slave.console()
        since, master_since = console.mark(), self.console.mark()
        slave.kick(17)
        console.expect("received vector 17 from the master", since)
        self.console.expect(f"received vector 17 from slave {number}", master_since)

    def executable(self, name, text):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path


class Killed(Failures):
    def test_a_slave(self):
        self.start()
        since, bus_since = self.console.mark(), self.bus.mark()
        os.kill(self.slave1.pid, signal.SIGKILL)
        self.slave1.wait_state("crashed")
        self.assertEqual((self.slave1.reason, self.slave1.pid, self.slave1.get("MemoryGranted")), ("process-killed", 0, False))
        self.assertRegex(self.slave1.get("ReasonText"), r"signal 9 \(Killed\)")
        self.bus.mark()
        self.assertEqual(self.bus.values(self.slave1.path, "State", bus_since), ["crashed"])
        # The master's guest is told, and the rest goes on
        self.console.expect("^master: slave 1 is crashed", since)
        self.assertEqual((self.platform.state, self.bus.values(self.platform.path, "State", bus_since)), ("running", []))
        self.slave2.boot()
        self.slave2.console().expect("booted from the shared window")
        self.console.expect("received vector 3 from slave 2", since)
        self.assert_works(self.slave2, 2)
        self.assertRefused(ERROR + "WrongState", "crashed", self.slave1.boot, **ENTRY)
        self.assertRefused(ERROR + "WrongState", "", self.slave1.call, "Stop")
        # Another start makes it whole again
        self.platform.stop()
        self.start()
        self.assertEqual(self.slave1.state, "running")

    def test_a_slave_that_is_ready(self):
        self.start()
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGSEGV)
        self.slave2.wait_state("crashed")
        self.assertRegex(self.slave2.get("ReasonText"), r"signal 11")
        self.console.expect("^master: slave 2 is crashed", since)
        self.assert_works(self.slave1, 1)

    def test_the_master(self):
        self.start()
        pids = [p.pid for p in (self.slave1, self.slave2)]
        since = self.bus.mark()
        os.kill(self.master.pid, signal.SIGKILL)
        self.platform.wait_state("crashed")
        self.assertEqual((self.platform.reason, self.master.state, self.master.reason), ("master-crashed", "crashed", "process-killed"))
        self.assertEqual([(p.state, p.reason) for p in (self.slave1, self.slave2)], [("stopped", "master-crashed")] * 2)
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])
        self.bus.mark()
        self.assertEqual(self.bus.values(self.platform.path, "State", since), ["stopping", "crashed"])
        # The windows are kept for a look, until the next start
        fd, offset, size = self.slave1.get_memory()
        self.assertEqual((offset, size, os.fstat(fd).st_size), (0, 64 * MIB, 64 * MIB))
        os.close(fd)
        self.assertRefused(ERROR + "WrongState", "crashed", self.platform.call, "Stop", "a{sv}", options())
        self.start()
        self.assertEqual(self.platform.state, "running")

    def test_the_master_while_a_call_waits(self):
        """A call that can have no answer any more is answered."""
        self.start()
        os.kill(self.master.pid, signal.SIGSTOP)
        pending = self.slave1.begin("Kick", "ua{sv}", dbus.UInt32(1), options())
        self.hetd.settle()
        os.kill(self.master.pid, signal.SIGKILL)
        self.assertRefused(ERROR + "MonitorLost", "", pending.wait)
        self.platform.wait_state("crashed")

    def test_everything(self):
        self.start()
        for p in self.platform.processors():
            os.kill(p.pid, signal.SIGKILL)
        self.platform.wait_state("crashed")
        self.assertEqual(self.master.state, "crashed")
        self.assertEqual({p.pid for p in self.platform.processors()}, {0})

    def test_hetd(self):
        """Its QEMUs go on (test_readopt.py); the next hetd sees what has become of them meanwhile."""
        self.start()
        pids = [p.pid for p in self.platform.processors()]
        os.kill(self.hetd.pid, signal.SIGKILL)
        self.hetd.process.wait()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            wait_for_end(self.loop, pid, "a QEMU")
            os.waitpid(pid, 0)
        self.hetd.close()
        self.hetd.take_over()
        self.assertEqual(self.platform.wait_state("crashed"), "crashed")
        self.assertEqual({p.pid for p in self.platform.processors()}, {0})
        self.start()

    def test_the_bus(self):
        """There is nobody to ask hetd for anything: it ends, and everything with it."""
        self.start()
        pids = [p.pid for p in self.platform.processors()]
        self.bus.daemon.popen.terminate()
        self.assertEqual(self.hetd.process.wait(), 1)
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])


class Hangs(Failures):
    def setUp(self):
        super().setUp()
        self.start()
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")
        self.stopped = self.slave2.pid
        os.kill(self.stopped, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.stopped, signal.SIGCONT)

    def test_one_that_does_not_answer(self):
        pending = self.slave2.begin("Kick", "ua{sv}", dbus.UInt32(1), options(FromSlave=True))
        # Meanwhile everything else works: another platform, from its start to its end, and the other slave of this one
        other = self.hetd.define("other", platform_text(MASTER, SLAVE1, SLAVE2))
        other.start()
        other.processor("slave2").boot()
        other.processor("master").console().expect("received vector 3 from slave 2")
        other.stop()
        other.remove()
        self.assert_works(self.slave1, 1)
        self.assertRefused(TIMEOUT, "slave2: het-ipi-send", pending.wait)
        self.assertEqual((self.slave2.state, self.slave2.reason, self.platform.state), ("lost", "monitor-hung", "running"))
        self.go_on()
        self.slave2.wait_state("running")
        since = self.console.mark()
        self.slave2.kick(2, FromSlave=True)
        self.console.expect("received vector 2 from slave 2", since)
        self.assert_works(self.slave2, 2)

    def test_master_is_reset_meanwhile(self):
        """It is stopped when it is back, if not by then."""
        since = self.bus.mark()
        pending = self.slave2.begin("Kick", "ua{sv}", dbus.UInt32(1), options(FromSlave=True))
        self.assertRefused(TIMEOUT, "slave2: het-ipi-send", pending.wait)
        self.platform.processor("master").call("Reset")
        self.assertEqual(self.slave2.state, "lost")
        self.go_on()
        self.slave2.wait_state("ready")
        self.bus.mark()
        self.assertEqual(self.bus.values(self.slave2.path, "State", since), ["lost", "running", "ready"])
        self.assertEqual(self.slave2.reason, "master-reset")

    def test_calls_that_wait_are_limited(self):
        connection = self.bus.connect()
        # hetd asks the bus once who a caller is; calls behind the first one would overtake it meanwhile
        Pending(connection, self.slave1.path, "org.hetd1.Processor", "Kick", "ua{sv}", (dbus.UInt32(1), options())).wait()
        calls = [Pending(connection, self.slave2.path, "org.hetd1.Processor", "Kick", "ua{sv}",
                         (dbus.UInt32(1), options(FromSlave=True))) for _ in range(33)]
        self.assertRefused(LIMITS, "32 calls of yours", calls.pop().wait)
        self.assertEqual(self.slave2.state, "running", "somebody else can still ask")
        self.go_on()
        for call in calls:
            call.wait()

    def test_the_end_does_not_wait_for_it(self):
        self.platform.stop()
        self.assertEqual((self.platform.state, self.slave2.state, self.slave2.reason), ("stopped", "stopped", "platform-stop"))
        self.assertFalse(os.path.exists(f"/proc/{self.stopped}"))

    def test_ends_with_a_command_that_has_an_fd(self):
        """Between the command and its answer: what the master got for it is taken away again."""
        self.go_on()
        self.slave2.call("Stop")
        self.slave2.call("RevokeMemory")
        os.kill(self.stopped, signal.SIGSTOP)
        fd = memfd(16 * MIB)
        self.addCleanup(os.close, fd)
        since = self.hetd.log().count("HET_SLAVE_ATTACHED")
        pending = self.slave2.begin("GrantMemory", "ha{sv}", dbus.types.UnixFd(fd), options())
        self.loop.wait(lambda: self.hetd.settle() or self.hetd.log().count("HET_SLAVE_ATTACHED") > since, "the master has the window")
        self.hetd.settle()
        os.kill(self.stopped, signal.SIGKILL)
        self.assertRaises(BusError, pending.wait)
        self.slave2.wait_state("crashed")
        self.assertEqual((self.slave2.reason, self.slave2.get("MemoryGranted")), ("process-killed", False))
        self.assertRefused(ERROR + "WrongState", "", self.slave2.get_memory)
        self.assert_works(self.slave1, 1)
        self.slave2.call("Restart")
        self.assertEqual(self.slave2.state, "waiting", "a window that was revoked stays so")
        self.slave2.grant(fd)
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_one_verb_at_a_time(self):
        pending = self.slave2.begin("Stop")
        self.bus.find(lambda m: m.member == "Stop" and m.path == self.slave2.path, 0, "the call")
        self.hetd.settle()
        self.assertRefused(ERROR + "WrongState", "stop", self.slave2.call, "Reset")
        self.go_on()
        pending.wait()
        self.assertEqual(self.slave2.state, "ready")


class Programs(Failures):
    """What is started is not what it should be."""

    def start_fails(self, name, extra):
        platform = self.hetd.define(name, platform_text(MASTER, SLAVE1, SLAVE2 + extra))
        since = self.bus.mark()
        result, message = platform.job("Start")
        self.assertEqual((result, platform.state, platform.reason), ("failed", "failed", "start-failed"))
        self.assertIn("slave2", message)
        self.assertIn(message, platform.get("ReasonText"))
        self.assertEqual({p.pid for p in platform.processors()}, {0})
        self.bus.mark()
        self.assertEqual(self.bus.values(platform.path, "State", since), ["starting", "stopping", "failed"])
        return message

    def test_ends_at_once(self):
        self.assertRegex(self.start_fails("a", "QEMU=/bin/true\n"), "ended with status 0")
        self.assertRegex(self.start_fails("b", "QEMU=/bin/false\n"), "ended with status 1")

    def test_last_words(self):
        self.assertRegex(self.start_fails("a", "ExtraArguments=-nonsense\n"), "-nonsense: invalid option")
        self.assertRegex(self.start_fails("b", "ExtraArguments=-device nonsense\n"), "'nonsense' is not a valid device model name")

    def test_talks_without_end(self):
        """A QEMU that prints a line for all that its CPU does: it is held back, and nobody waits for it."""
        noisy = SLAVE2 + "ExtraArguments=-d cpu,exec,nochain\n"
        self.use(self.hetd.define("noisy", platform_text(MASTER, SLAVE1, noisy)))
        before, begun = self.hetd.log().count("QEMU says"), time.monotonic()
        self.start()
        self.slave2.boot()
        self.loop.wait(lambda: self.hetd.settle() or self.hetd.log().count("QEMU says") > LINES_BURST, "it talks")
        for _ in range(3):
            self.assert_works(self.slave1, 1)
        lines = self.hetd.log().count("QEMU says") - before
        self.assertLess(lines, LINES_BURST + LINES_PER_SEC * (time.monotonic() - begun) + 4096, "on a slow machine there are less")
        self.platform.stop()

    def test_is_no_program(self):
        text = self.executable("text", "this is no program\n")
        self.assertRegex(self.start_fails("a", f"QEMU={text}\n"), "text")

    def test_does_not_speak_qmp(self):
        talker = self.executable("talker", "#!/usr/bin/python3\n"
                                 "import socket, signal\n"
                                 "connection, _ = socket.socket(fileno=0).accept()\n"
                                 "connection.sendall(b'220 mail.example ready\\r\\n')\n"
                                 "signal.pause()\n")
        self.assertRegex(self.start_fails("a", f"QEMU={talker}\n"), "monitor sent a byte")

    def test_greets_and_says_no_more(self):
        """It is asked again, and becomes a part of the platform when it answers."""
        slow = self.executable("slow", "#!/usr/bin/python3\n"
                               "import os, socket, sys\n"
                               "connection, _ = socket.socket(fileno=os.dup(0)).accept()\n"
                               "connection.sendall(b'{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10, \"minor\": 0, \"micro\": 0}, '\n"
                               "                   b'\"package\": \"\"}, \"capabilities\": []}}\\r\\n')\n"
                               "request = connection.makefile().readline()\n"
                               "name = request.split('\"id\":')[1].split('\"')[1]\n"
                               "connection.sendall(b'{\"return\": {}, \"id\": \"%s\"}\\r\\n' % name.encode())\n"
                               "while connection.recv(4096):\n"
                               "    pass\n"
                               f"os.execv({QEMU!r}, [{QEMU!r}, *sys.argv[1:]])\n")
        self.use(self.hetd.define("slow", platform_text(MASTER, SLAVE1, SLAVE2 + f"QEMU={slow}\n")))
        self.start()
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")
        self.assert_works(self.slave2, 2)

    def test_knows_nothing_of_platforms(self):
        """As a QEMU without our patches answers: there is no such command"""
        message = self.start_fails("a", "ExtraArguments=-compat unstable-input=reject\n")
        self.assertRegex(message, "query-het")

    def test_is_not_there(self):
        self.hetd.end()
        self.hetd = Hetd(self.loop, self.bus, self.directory, "--qemu=arm=/nonexistent/qemu-system-arm").start()
        self.addCleanup(self.hetd.close)
        platform = self.hetd.load("first-light")
        self.assertRefused(ERROR + "SpawnFailed", "/nonexistent/qemu-system-arm.*--qemu=arm=PATH", platform.call, "Start", "a{sv}",
                           options())
        self.assertEqual(platform.state, "defined")


class Firmware(Failures):
    def setUp(self):
        super().setUp()
        self.file = self.directory / "firmware.elf"
        self.good = (FIRMWARE / "first-light-slave-m3.elf").read_bytes()
        self.file.write_bytes(self.good)
        self.platform.remove()
        self.use(self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2.replace("${FIRMWARE_DIR}/first-light-slave-m3.elf",
                                                                                    str(self.file)))))
        self.start()

    def assert_boots(self):
        self.file.write_bytes(self.good)
        self.slave2.boot()
        self.slave2.console().expect("booted from the shared window")

    def test_is_gone(self):
        self.file.unlink()
        with self.assertRaisesRegex(Exception, r"firmware\.elf.*No such file"):
            self.slave2.boot()
        self.assertEqual(self.slave2.state, "ready")
        self.assert_boots()

    def test_is_garbage(self):
        for garbage in (b"", b"garbage", b"\x7fELF", self.good[:52], self.good[:0x1010], bytes(1000),
                        self.good[:4] + b"\2" + self.good[5:], self.good[:18] + b"\0\0" + self.good[20:]):
            self.file.write_bytes(garbage)
            with self.subTest(garbage=garbage[:20], size=len(garbage)):
                self.assertRefused(INVALID_ARGS, r"firmware\.elf", self.slave2.boot)
                self.assertEqual(self.slave2.state, "ready")
        self.assert_boots()

    def test_is_for_another_window(self):
        self.assertRefused(INVALID_ARGS, "first-light-slave-a15.elf", self.slave2.boot,
                           Firmware=str(FIRMWARE / "first-light-slave-a15.elf"))
        self.assert_boots()

    def test_is_no_file(self):
        for path in ("/dev/zero", "/", str(self.directory / "bus")):
            with self.subTest(path=path):
                self.assertRefused(INVALID_ARGS, path, self.slave2.boot, Firmware=path)
        os.mkfifo(self.directory / "fifo")
        self.assertRefused(INVALID_ARGS, "fifo", self.slave2.boot, Firmware=str(self.directory / "fifo"))
        self.assertRefused(INVALID_ARGS, "absolute", self.slave2.boot, Firmware="firmware.elf")
        self.assert_boots()

    def test_of_the_master_is_garbage(self):
        bad = self.directory / "bad.elf"
        bad.write_bytes(b"\x7fELF" + bytes(100))
        platform = self.hetd.define("q", platform_text(MASTER.replace("${FIRMWARE_DIR}/first-light-master.elf", str(bad)), SLAVE1, SLAVE2))
        result, message = platform.job("Start")
        self.assertEqual(result, "failed")
        self.assertRegex(message, r"master.*bad\.elf")


class Files(TestCase):
    """Platform files with mistakes, over the bus"""

    def refused(self, text, pattern, name="wrong", **values):
        return self.assertRefused(ERROR + "InvalidPlatform", pattern, self.hetd.define, name, text, **values)

    def test_file_and_line(self):
        text = platform_text(MASTER.replace("Machine=virt", "Machine=toaster"), SLAVE1 + "Colour=red\n")
        path = str(self.directory / "wrong.platform")
        message = self.refused(text, "toaster", Path=path)
        lines = text.splitlines()
        self.assertEqual([line.split(": ")[0] for line in message.splitlines()],
                         [f"{path}:{lines.index(word) + 1}" for word in ("Machine=toaster", "Colour=red")])
        self.assertRegex(message, r"\[Processor master\] Machine=: .*virt")
        self.assertRegex(message, r"\[Processor slave1\] Colour=: is not known")
        # The same by its path, and without one
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.assertEqual(self.assertRefused(ERROR + "InvalidPlatform", "toaster", self.hetd.load, path), message)
        self.refused(text, r"^wrong:\d+: \[Processor master\]")

    def test_mistakes(self):
        both = platform_text(MASTER, SLAVE2)
        for change, wrong in (
                (("16M@0x70000000", "16M@0x7fff0000"), "Window="),
                (("16M@0x70000000", "16M"), "Window="),
                (("Id=2", "Id=0"), "Id="),
                (("Id=2", "Id=256"), "Id="),
                (("Role=slave", "Role=master"), "master"),
                (("Memory=1G", "Memory=much"), "Memory="),
                (("${FIRMWARE_DIR}/first-light-slave-m3.elf", "/nonexistent.elf"), "Firmware=.*/nonexistent.elf"),
                (("${FIRMWARE_DIR}/first-light-slave-m3.elf", "relative.elf"), "Firmware=.*relative"),
                (("${FIRMWARE_DIR}", "${NOBODY_SETS_THIS}"), "NOBODY_SETS_THIS"),
                (("[Processor slave2]", "[Processor slave2"), "bracket"),
                (("[Processor slave2]", "[Processor ../x]"), "Processor"),
                (("Machine=mps2-an385", "Machine=mps2-an385\nExtraArguments=-S"), "ExtraArguments=")):
            with self.subTest(change=change):
                self.assertIn(change[0], both)
                self.assertRegex(self.refused(both.replace(*change), wrong, Path="/x/wrong.platform"), r"(?m)^/x/wrong\.platform:\d+: ")
        self.refused("", "master", Path="/x/wrong.platform")
        self.refused("\0", "wrong.platform:1", Path="/x/wrong.platform")
        self.assertEqual(self.hetd.platforms(), [])

    def test_names(self):
        text = platform_text(MASTER, SLAVE2)
        for name in ("a/b", "../x", ".", "a b", "x" * 300, "\n"):
            with self.subTest(name=name):
                self.assertRefused(INVALID_ARGS, "is no name of a platform", self.hetd.define, name, text)
        self.refused(text, "Name=", "")
        self.assertEqual(self.hetd.define("", text, Path="/x/from-path.platform").name, "from-path")
        self.assertEqual(self.hetd.define("", text.replace("[Platform]", "[Platform]\nName=named"), Path="/x/y.platform").name, "named")
        # The names of sockets have an end
        self.refused(text.replace("slave2", "s" * 60), "--runtime-dir", "x" * 60)

    def test_too_large(self):
        self.refused("#" * MIB + "\n" + platform_text(MASTER, SLAVE2), "1048576|1 MiB|larg")

    def test_no_file(self):
        reader, writer = os.pipe()
        ours, theirs = socket.socketpair()
        directory = os.open("/", os.O_RDONLY)
        for fd in (reader, writer, theirs.fileno(), directory):
            with self.subTest(fd=os.readlink(f"/proc/self/fd/{fd}")):
                self.assertRefused(INVALID_ARGS, "regular file", self.hetd.manager, "DefinePlatform",
                                   "sha{sv}", "x", dbus.types.UnixFd(fd), options())
        for fd in (reader, writer, directory):
            os.close(fd)
        ours.close()
        theirs.close()
        self.assertRefused(ERROR + "NoSuchPlatform", "nobody", self.hetd.load, "nobody")
        self.assertRefused(ERROR + "NoSuchPlatform", "/nonexistent", self.hetd.load, "/nonexistent.platform")

    def test_twice(self):
        text = platform_text(MASTER, SLAVE2)
        platform = self.hetd.define("a", text)
        self.assertRefused(ERROR + "PlatformExists", "a", self.hetd.define, "a", text)
        platform.start()
        self.assertRefused(ERROR + "PlatformExists", "a", self.hetd.define, "a", text)
        for call in (lambda: platform.call("Start", "a{sv}", options()),
                     lambda: self.hetd.manager("StartPlatform", "sa{sv}", "a", options())):
            self.assertRefused(ERROR + "WrongState", "running", call)
        self.assertRefused(ERROR + "WrongState", "running", platform.remove)
        self.assertRefused(ERROR + "WrongState", "running", self.hetd.manager, "RemovePlatform", "s", "a")
        platform.stop()
        self.assertRefused(ERROR + "WrongState", "stopped", platform.call, "Stop", "a{sv}", options())
        platform.remove()
        self.assertRefused("org.freedesktop.DBus.Error.UnknownObject", "a", platform.get, "State")
        self.hetd.define("a", text)


class Arguments(Failures):
    def test_unknown_options(self):
        self.start()
        fd = memfd(16 * MIB)
        self.addCleanup(os.close, fd)
        colour = options(Colour="red")
        unix_fd = dbus.types.UnixFd(fd)
        text = dbus.types.UnixFd(text_fd(platform_text(MASTER, SLAVE2)))
        calls = [(self.hetd.manager, "DefinePlatform", "sha{sv}", "x", text, colour),
                 (self.hetd.manager, "LoadPlatform", "sa{sv}", "first-light", colour),
                 (self.hetd.manager, "StartPlatform", "sa{sv}", "first-light", colour),
                 (self.hetd.manager, "StopPlatform", "sa{sv}", "first-light", colour),
                 (self.platform.call, "Start", "a{sv}", colour),
                 (self.platform.call, "Stop", "a{sv}", colour),
                 (self.slave2.call, "Attach", "sa{sv}", "/x", colour),
                 (self.slave2.call, "AttachFd", "ha{sv}", unix_fd, colour),
                 (self.slave2.call, "Kick", "ua{sv}", dbus.UInt32(1), colour),
                 (self.slave2.call, "GrantMemory", "ha{sv}", unix_fd, colour),
                 *((self.slave2.call, member, "a{sv}", colour) for member in ("Detach", "Boot", "Stop", "Reset", "RevokeMemory"))]
        for call in calls:
            with self.subTest(member=call[1]):
                self.assertRefused(INVALID_ARGS, "Colour", *call)
        self.assertEqual((self.platform.state, self.slave2.state), ("running", "ready"))

    def test_options_of_another_type(self):
        self.start()
        for values, name in (({"Entry": "0x70000000"}, "Entry"), ({"Load": 1}, "Load"), ({"Protocol": True}, "Protocol"),
                             ({"Firmware": {"a": "b"}}, "Firmware")):
            with self.subTest(values=values):
                self.assertRefused(INVALID_ARGS, name, self.slave2.boot, **values)
        self.assertRefused(INVALID_ARGS, "Variables", self.hetd.manager, "LoadPlatform", "sa{sv}", "first-light", options(Variables="x"))

    def test_arguments_of_another_type(self):
        self.assertRefused(INVALID_ARGS, "", self.slave2.call, "Kick", "sa{sv}", "1", options())
        self.assertRefused(INVALID_ARGS, "", self.slave2.call, "Boot", "")
        self.assertRefused("org.freedesktop.DBus.Error.UnknownMethod", "Explode", self.slave2.call, "Explode")
        self.assertRefused("org.freedesktop.DBus.Error.UnknownObject", "nobody", self.bus.call, ROOT + "/platform/nobody",
                           "org.hetd1.Platform", "Describe")
        self.assertRefused("org.freedesktop.DBus.Error.PropertyReadOnly", "State", self.bus.call, self.slave2.path,
                           "org.freedesktop.DBus.Properties", "Set", "ssv", "org.hetd1.Processor", "State",
                           dbus.String("running", variant_level=1))

    def test_memory_that_is_refused(self):
        self.start()
        self.slave2.call("RevokeMemory")
        good = memfd(16 * MIB)
        reader, writer = os.pipe()
        path = self.directory / "file"
        path.write_bytes(bytes(16 * MIB))
        read_only = os.open(f"/proc/self/fd/{good}", os.O_RDONLY)
        regular = os.open(path, os.O_RDWR)
        event = os.eventfd(0)
        zero = os.open("/dev/zero", os.O_RDWR)
        handle = os.open(path, os.O_PATH)
        small, unsealed, grows = memfd(16 * MIB - 4096), memfd(16 * MIB, seals=0), memfd(16 * MIB, seals=0x2)
        write_sealed = memfd(16 * MIB, seals=0x2 | 0x4 | 0x8)
        for fd, offset, pattern in ((reader, 0, "reading and writing|no memfd"), (writer, 0, "reading and writing|no memfd"),
                                    (read_only, 0, "reading and writing"), (regular, 0, "seals|no memfd"), (event, 0, "no memfd"),
                                    (zero, 0, "no memfd"), (handle, 0, "reading and writing"), (small, 0, "0xfff000 bytes"),
                                    (unsealed, 0, "F_SEAL_SHRINK"), (grows, 0, "F_SEAL_GROW"), (write_sealed, 0, "writing"),
                                    (good, 4096, "0x1000000 bytes"), (good, 1, "page size"), (good, 1 << 63, "bytes"),
                                    (good, (1 << 64) - 4096, "bytes")):
            with self.subTest(fd=os.readlink(f"/proc/self/fd/{fd}"), pattern=pattern):
                self.assertRefused(ERROR + "MemoryRefused", pattern, self.slave2.grant, fd, Offset=offset)
                self.assertEqual(self.slave2.state, "waiting")
        self.slave2.grant(good)
        self.assertEqual(self.slave2.state, "ready")
        self.slave2.boot()
        self.slave2.console().expect("booted from the shared window")
        for fd in (good, reader, writer, read_only, regular, event, zero, handle, small, unsealed, grows, write_sealed):
            os.close(fd)

    def test_not_started(self):
        for call in (self.slave2.boot, lambda: self.slave2.kick(1), lambda: self.slave2.call("Stop"), lambda: self.slave2.call("Reset"),
                     lambda: self.slave2.call("RevokeMemory"), self.slave2.get_memory, lambda: self.slave2.call("Detach"),
                     lambda: self.master.call("Reset"), lambda: self.platform.call("Pause"), lambda: self.platform.call("Resume")):
            self.assertRefused(ERROR + "WrongState", "", call)
        fd = memfd(16 * MIB)
        self.addCleanup(os.close, fd)
        self.assertRefused(ERROR + "WrongState", "", self.slave2.grant, fd)


class Daemon(TestCase):
    def test_directory_of_a_platform(self):
        platform = self.hetd.load("first-light")
        (self.hetd.runtime / "first-light").touch()
        with self.assertRaisesRegex(Exception, f"{self.hetd.runtime}/first-light"):
            platform.start()
        self.assertEqual(platform.state, "defined")
        (self.hetd.runtime / "first-light").unlink()
        platform.start()

    def test_options_of_the_command_line(self):
        for arguments, words in ((["--user", "--system"], "Either --user or --system"), (["--qemu=x"], "TARGET=PATH"),
                                 (["--log-level=much"], "much"), (["--nonsense"], "--nonsense"), (["word"], "word")):
            process = subprocess.run([self.hetd.process.arguments[0], *arguments], capture_output=True, text=True, check=False,
                                     env=self.bus.environment())
            self.assertEqual(process.returncode, 2, arguments)
            self.assertIn(words, process.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_other_users(self):
        """They may look, and change nothing."""
        platform = self.hetd.load("first-light")

        def call(path, *arguments):
            return subprocess.run(["busctl", f"--address={self.bus.address}", "call", "org.hetd1", path, *arguments],
                                  user=65534, group=65534, extra_groups=[], check=False, capture_output=True, text=True)
        for arguments in ((platform.path, "org.hetd1.Platform", "Start", "a{sv}", "0"), (platform.path, "org.hetd1.Platform", "Remove"),
                          (ROOT, "org.hetd1.Manager", "LoadPlatform", "sa{sv}", "first-light", "0"),
                          (platform.processor("slave2").path, "org.hetd1.Processor", "GetMemory")):
            refused = call(*arguments)
            self.assertNotEqual(refused.returncode, 0)
            self.assertRegex(refused.stderr, "Access denied|Only root")
        self.assertIn("User 65534 was denied org.hetd1.Platform.Start()", self.hetd.log())
        self.assertEqual(platform.state, "defined")
        self.assertIn("first-light", call(ROOT, "org.hetd1.Manager", "ListPlatforms").stdout)
        self.assertIn("first-light", call(platform.path, "org.hetd1.Platform", "Describe").stdout)


if __name__ == "__main__":
    main()
