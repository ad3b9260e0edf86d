#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients on the bus that are clumsy or hostile: each is answered with an error that has a name, and nobody else waits for it."""

import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import unittest

import dbus

from het_bus import ERROR, INVALID_ARGS, ROOT, Pending, options
from het_events import Pipe
from het_harness import MASTER, MIB, SLAVE1, SLAVE2, TestCase, main, memfd, open_fds, platform_text, resident_kib, text_fd
from het_monitor import Monitor

LIMITS = "org.freedesktop.DBus.Error.LimitsExceeded"
EXTERNAL = "Start=external\n"
LOG_LINES = 200         # for what everybody may do without end


class Clients(TestCase):
    hetd_arguments = ("--log-level=info",)

    def setUp(self):
        super().setUp()
        self.platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2 + EXTERNAL))
        self.slave1, self.slave2 = (self.platform.processor(n) for n in ("slave1", "slave2"))

    def tearDown(self):
        if not self.has_failed():
            self.hetd.settle()
            self.assertEqual(self.platform.describe()["name"], "p")
        super().tearDown()


class Descriptors(Clients):
    def fds(self):
        """(what, fd): all kinds that are not what is asked for"""
        reader, writer = os.pipe()
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        dead, peer = socket.socketpair()
        peer.close()
        closed_reader, closed_writer = os.pipe()
        os.close(closed_reader)
        sockets = [left, right, dead, socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)]
        self.addCleanup(lambda: [s.close() for s in sockets])
        plain = [reader, writer, closed_writer, os.eventfd(0), os.open("/", os.O_RDONLY), os.open("/", os.O_PATH),
                 os.open("/dev/null", os.O_RDWR), os.open("/dev/zero", os.O_RDONLY), os.open("/proc/self/mem", os.O_RDONLY),
                 os.memfd_create("empty"), os.pidfd_open(os.getpid()), memfd(16 * MIB, seals=0)]
        self.addCleanup(lambda: [os.close(fd) for fd in plain])
        return [(os.readlink(f"/proc/self/fd/{fd}"), fd) for fd in plain + [s.fileno() for s in sockets]]

    def refused(self, function, *arguments):
        """It is answered with an error of the interface, or of the values in it."""
        with self.assertRaises(Exception) as caught:
            function(*arguments)
        self.assertRegex(caught.exception.name, "^(org.hetd1.Error.|org.freedesktop.DBus.Error.InvalidArgs$)")
        self.assertTrue(caught.exception.message)

    def test_all_kinds_everywhere(self):
        before = self.hetd.fds()
        for what, fd in self.fds():
            unix_fd = dbus.types.UnixFd(fd)
            with self.subTest(fd=what):
                self.refused(self.hetd.manager, "DefinePlatform", "sha{sv}", "x", unix_fd, options())
                self.refused(self.slave2.grant, fd)
                self.refused(self.slave2.attach_fd, fd)
        self.assertEqual(self.hetd.fds(), before)

    def test_file_that_changes(self):
        """It is read once."""
        fd = text_fd(platform_text(MASTER))
        self.addCleanup(os.close, fd)
        other = self.hetd.manager("DefinePlatform", "sha{sv}", "other", dbus.types.UnixFd(fd), options())
        os.ftruncate(fd, 0)
        self.assertEqual(len(self.bus.get(other, "Platform", "Processors")), 1)

    def test_huge_file(self):
        fd = os.memfd_create("huge")
        self.addCleanup(os.close, fd)
        os.ftruncate(fd, 1 << 40)
        self.assertRefused(ERROR + "InvalidPlatform", "", self.hetd.manager, "DefinePlatform", "sha{sv}", "x", dbus.types.UnixFd(fd), options())


class Values(Clients):
    def test_names(self):
        text = platform_text(MASTER)
        for name in ("/", "..", "../x", "a/b", "-a", "1a", "a b", "a\nb", "ä", "a%s", "x" * 65, "x" * 100000, "\u202e", "a.b", "a=b"):
            with self.subTest(name=name[:20]):
                self.assertRefused(INVALID_ARGS, "no name of a platform", self.hetd.define, name, text)
                self.assertRefused(ERROR + "NoSuchPlatform", "", self.hetd.manager, "GetPlatform", "s", name)
                self.assertRefused(ERROR + "NoSuchProcessor", "", self.hetd.manager, "GetProcessor", "ss", "p", name)
                self.assertRefused(INVALID_ARGS, "no name of a platform", self.hetd.manager, "LoadPlatform", "sa{sv}", name.replace("/", "%"),
                                   options())

    def test_paths(self):
        for path in ("relative", "", "/nonexistent/" + "x" * 100000, "/" + "x" * 108, "/dev/null", "/", "/proc/self/fd"):
            with self.subTest(path=path[:20]):
                with self.assertRaises(Exception) as caught:
                    self.slave2.attach(path)
                self.assertRegex(caught.exception.name, "^org.(hetd1|freedesktop.DBus).Error.")
                self.assertEqual(self.slave2.state, "defined")

    def test_variables(self):
        text = platform_text(MASTER.replace("Memory=1G", "Memory=${SIZE}"))
        self.assertRefused(ERROR + "InvalidPlatform", "SIZE", self.hetd.define, "x", text, Variables={"OTHER": "y" * MIB})
        self.assertRefused(ERROR + "InvalidPlatform", "", self.hetd.define, "x", text, Variables={"SIZE": "z" * (8 * MIB)})
        many = {f"V{i}": "v" for i in range(20000)}
        self.hetd.define("many", text, Variables={"SIZE": "1G", **many}).remove()

    def test_types(self):
        """Each method with arguments that are none of its own, drawn by lot"""
        draw = random.Random(20)
        values = {"s": "x", "u": dbus.UInt32(7), "t": dbus.UInt64(1 << 63), "b": True, "d": 0.5, "o": dbus.ObjectPath("/x"), "as": ["a"] * 9,
                  "a{sv}": options(A="b"), "(su)": ("x", dbus.UInt32(1)), "v": dbus.String("x", variant_level=1), "ay": dbus.ByteArray(b"\0" * 99),
                  "a(ss)": dbus.Array([], signature="(ss)"), "aas": dbus.Array([["x"]], signature="as")}
        members = {ROOT: ("org.hetd1.Manager", ("DefinePlatform", "LoadPlatform", "StartPlatform", "StopPlatform", "RemovePlatform",
                                                "GetPlatform", "GetProcessor")),
                   self.platform.path: ("org.hetd1.Platform", ("Start", "Stop")),
                   self.slave2.path: ("org.hetd1.Processor", ("Attach", "AttachFd", "Boot", "Kick", "GrantMemory", "Stop", "Restart"))}
        for path, (interface, names) in members.items():
            for name in names:
                for _ in range(12):
                    kinds = draw.sample(sorted(values), draw.randint(0, 4))
                    with self.subTest(member=name, signature="".join(kinds)), self.assertRaises(Exception) as caught:
                        self.bus.call(path, interface, name, "".join(kinds), *(values[k] for k in kinds))
                        self.fail("it was taken")
                    self.assertRegex(caught.exception.name, "^org.(hetd1|freedesktop.DBus).Error.")

    def test_deep_variants(self):
        value = dbus.String("x", variant_level=60)
        self.assertRefused(INVALID_ARGS, "", self.slave2.call, "Boot", "a{sv}", dbus.Dictionary({"Entry": value}, signature="sv"))

    def test_removed_objects(self):
        self.hetd.define("gone", platform_text(MASTER, SLAVE2)).remove()
        for path, interface, member, signature, arguments in (
                (ROOT + "/platform/gone", "org.hetd1.Platform", "Start", "a{sv}", (options(),)),
                (ROOT + "/platform/gone/processor/slave2", "org.hetd1.Processor", "Boot", "a{sv}", (options(),)),
                (ROOT + "/platform/gone", "org.freedesktop.DBus.Properties", "GetAll", "s", ("org.hetd1.Platform",)),
                (ROOT + "/job/4294967295", "org.hetd1.Job", "Cancel", "", ()),
                (ROOT + "/job/01", "org.hetd1.Job", "Cancel", "", ()),
                (ROOT + "/platform/%70", "org.hetd1.Platform", "Start", "a{sv}", (options(),))):
            with self.subTest(path=path, member=member), self.assertRaises(Exception) as caught:
                self.bus.call(path, interface, member, signature, *arguments)
            self.assertRegex(getattr(caught.exception, "name", "ValueError"), "UnknownObject|UnknownMethod|UnknownInterface|ValueError")
        # One that is removed while calls to it wait
        with self.subTest("while calls wait"):
            other = self.hetd.define("other", platform_text(MASTER, SLAVE2 + EXTERNAL)).start()
            monitor = Monitor(self, "m")
            monitor.hold = {"query-het"}
            pending = other.processor("slave2").begin("Attach", "sa{sv}", str(monitor.path), options())
            self.assertTrue(monitor.held.wait(60))
            other.begin("Stop")[0]()
            monitor.go_on.set()
            with self.assertRaises(Exception) as caught:
                pending.wait()
            self.assertRegex(caught.exception.name, "^org.hetd1.Error.")
            other.remove()


class Quotas(Clients):
    hetd_arguments = ("--log-level=info", "--quota=platforms=5", "--quota=processors=9", "--quota=jobs=2", "--quota=calls=40",
                      "--quota=memory=20G")

    def test_platforms(self):
        one = platform_text(MASTER)
        for i in range(4):
            self.hetd.define(f"x{i}", one)
        self.assertRefused(LIMITS, "has 5 of 5 platforms", self.hetd.define, "x4", one)
        self.hetd.define("x3", one, Replace=True)                        # takes its place
        self.hetd.platforms()[-1].remove()
        self.hetd.define("x4", one)

    def test_processors(self):
        slaves = [f"[Processor s{i}]\nRole=slave\nMachine=mps2-an385\nWindow=16M@{0x61000000 + i * 16 * MIB:#x}\n" for i in range(6)]
        self.assertRefused(LIMITS, "has 3 of 9 processors", self.hetd.define, "x", platform_text(MASTER, *slaves))
        self.hetd.define("x", platform_text(MASTER, *slaves[:5]))
        self.assertRefused(LIMITS, "has 9 of 9 processors", self.hetd.define, "y", platform_text(MASTER))
        # The bigger one finds no room in the place of the smaller one, which stays as it is
        self.assertRefused(LIMITS, "", self.hetd.define, "p", platform_text(MASTER, *slaves[:3]), Replace=True)
        self.assertEqual(len(self.platform.processors()), 3)

    def test_memory(self):
        self.assertRefused(LIMITS, "bytes of memory", self.hetd.define, "x", platform_text(MASTER.replace("1G", "19G")))
        self.hetd.define("x", platform_text(MASTER.replace("1G", "3G")))

    def test_jobs(self):
        others = [self.hetd.define(f"x{i}", platform_text(MASTER)) for i in range(3)]
        jobs = [other.begin("Start") for other in others[:2]]
        self.assertRefused(LIMITS, "has 2 of 2 jobs", others[2].begin, "Start")
        for wait, _ in jobs:
            self.assertEqual(wait(), ("done", ""))
        others[2].start()

    def test_calls(self):
        """Of one user, by as many connections as he likes"""
        self.platform.start()
        monitor = Monitor(self, "m")
        self.slave2.attach(monitor.path)
        monitor.hold = {"het-ipi-send"}
        connections = [self.bus.connect() for _ in range(3)]
        arguments = (self.slave2.path, "org.hetd1.Processor", "Kick", "ua{sv}", (dbus.UInt32(1), options(FromSlave=True)))
        for connection in connections:
            with self.assertRaises(Exception):                          # hetd knows now whose they are
                Pending(connection, self.slave1.path, "org.hetd1.Processor", "Kick", "ua{sv}", (dbus.UInt32(99), options())).wait()
        calls = [Pending(connection, *arguments) for connection in connections for _ in range(20)]
        self.hetd.settle()
        errors = []
        monitor.go_on.set()
        for call in calls:
            try:
                call.wait()
            except Exception as e:              # pylint: disable=broad-except
                errors.append(e.name)
        self.assertEqual(errors, [LIMITS] * 20)

    def test_option(self):
        for wrong in ("platforms", "x=1", "memory=much"):
            done = subprocess.run([self.hetd.process.arguments[0], f"--quota={wrong}"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(wrong, done.stderr)


class Consoles(Clients):
    def test_reader_that_does_not_read(self):
        """It misses something. The guest, its QEMU and the log do not."""
        self.platform.start()
        master = self.platform.processor("master")
        console = master.console()
        console.expect("received vector 3 from slave 1")
        word = "nonsense" * 8
        count = 2 * MIB // len(word)                    # more than all the buffers of a socket hold
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(str(master.get("Console")))
            deaf.settimeout(60)
            for _ in range(count // 100):
                deaf.sendall(f"{word}\n".encode() * 100)
            deaf.sendall(b"last\n")
            console.expect("^master: unknown command last")
            self.assertGreaterEqual(console.count(f"unknown command {word}"), count // 100 * 100)
            since = console.mark()
            self.slave1.kick(11)
            console.expect("received vector 11 from slave 1", since)
            self.platform.call("Pause")                 # its monitor answers, too
            self.platform.call("Resume")


class Floods(Clients):
    def start_deaf(self, *arguments, **more):
        """(its process, what it says) of a client that calls and calls, and reads no reply"""
        program = shutil.copy(pathlib.Path(__file__).with_name("deaf_client.py"), self.directory)
        process = self.start_process(sys.executable, program, self.directory / "bus", *arguments, stdout=subprocess.PIPE, **more)
        says = Pipe(self.loop, process.popen.stdout)
        self.addCleanup(says.close)
        return process, says

    def test_replies_that_nobody_reads(self):
        """The bus keeps them for a while, and then does away with that client; hetd keeps none of them."""
        self.platform.start()
        before = resident_kib(self.hetd.pid)
        deaf, says = self.start_deaf(20000, ROOT, "org.hetd1.Manager", "Describe")
        self.loop.wait(lambda: self.hetd.settle() or says.lines or says.ended, "it has asked")
        for _ in range(20):
            self.slave1.get("State")
        self.hetd.settle()
        if before:
            self.assertLess(resident_kib(self.hetd.pid) - before, 64 * 1024)
        deaf.end()

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_denied_without_end(self):
        """Who may do nothing does not fill the log either."""
        stranger, says = self.start_deaf(5000, self.platform.path, "org.hetd1.Platform", "Remove", user=65534, group=65534, extra_groups=[])
        self.loop.wait(lambda: self.hetd.settle() or says.lines or says.ended, "it has tried")
        self.loop.wait(lambda: self.hetd.settle() or "User 65534 was denied" in self.hetd.log(), "it was denied")
        stranger.end()
        self.hetd.settle()
        self.assertLess(self.hetd.log().count("was denied"), LOG_LINES)
        self.assertEqual(self.platform.state, "defined")

    def test_objects_without_end(self):
        """As many as one user may have, and each of them can be used"""
        text = platform_text(MASTER)
        with self.assertRaises(Exception) as caught:
            for i in range(1000):
                self.hetd.define(f"x{i}", text)
        self.assertEqual(caught.exception.name, LIMITS)
        self.assertEqual(len(self.hetd.platforms()), 64)
        self.assertEqual(len(self.bus.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")), 64 + 3 + 63)

    def test_clients_without_end(self):
        """Hundreds come, ask for something and go."""
        before = len(open_fds(self.hetd.pid))
        for _ in range(300):
            connection = dbus.bus.BusConnection(self.bus.address)
            connection.set_exit_on_disconnect(False)
            connection.call_async("org.hetd1", self.platform.path, "org.hetd1.Platform", "Stop", "a{sv}", (options(),), None, None)
            connection.flush()
            connection.close()
        self.hetd.settle()
        self.assertLessEqual(len(open_fds(self.hetd.pid)), before + 4)


if __name__ == "__main__":
    main()
