#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine has no more of something: what is asked for is refused with the reason, and what runs goes on."""

import json
import os
import resource
import signal
import subprocess
from pathlib import Path

from dbus.types import UnixFd
from het_bus import ERROR, BusError, Pending, options
from het_harness import MASTER, SLAVE1, SLAVE2, Hetd, TestCase, main, memfd, memory_maps, platform_text

LIMITS = "org.freedesktop.DBus.Error.LimitsExceeded"
TEXT = platform_text(MASTER, SLAVE1, SLAVE2)


class BadMachine(TestCase):
    def start(self):
        self.platform = self.hetd.define("p", TEXT).start()
        self.find()
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")

    def find(self):
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))

    def assert_works(self):
        console, master = self.slave1.console(), self.master.console()
        since, master_since = console.mark(), master.mark()
        self.slave1.kick(17)
        console.expect("received vector 17 from the master", since)
        master.expect("received vector 17 from slave 1", master_since)

    def limit(self, kind, soft):
        """Of the hetd that runs; returns what undoes it"""
        before = resource.prlimit(self.hetd.pid, kind)
        resource.prlimit(self.hetd.pid, kind, (soft, before[1]))
        return lambda: resource.prlimit(self.hetd.pid, kind, before)


class SmallDisk(BadMachine):
    """The runtime directory is a file system of its own, of 64 KiB."""

    def setUp(self):
        self.mounted = None
        super().setUp()

    def tearDown(self):
        super().tearDown()
        if self.mounted:
            self.hetd.close()
            subprocess.run(["umount", self.mounted], check=True)

    def mount(self, *options):
        target = self.hetd.runtime
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(("size=64k", "mode=0700", *options)), "het-test", target],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"no file system can be mounted here: {done.stderr.strip()}")
        self.mounted = target

    def begin(self):
        """The same hetd, on the small disk"""
        self.assertEqual(self.hetd.end(), 0)
        self.mount()
        self.hetd.start()

    def fill(self):
        path = self.hetd.runtime / "full"
        with open(path, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        return path

    def test_full(self):
        self.begin()
        self.start()
        state = self.hetd.runtime / "p.state"
        full = self.fill()
        before = json.loads(state.read_text(encoding="utf-8"))
        # Nothing new, and it is said why
        for name in ("q", "r"):
            self.assertRefused(LIMITS, f"Cannot write {self.hetd.runtime}/{name}.config: No space left on device",
                               self.hetd.define, name, TEXT)
        self.slave2.call("RevokeMemory")
        fd = memfd(16 << 20)
        self.addCleanup(os.close, fd)
        self.assertRefused(LIMITS, "Cannot write .*p.state: No space left on device", self.slave2.grant, fd)
        self.assertEqual(self.slave2.state, "waiting")
        # What runs goes on, and what was written is still whole
        self.assert_works()
        self.assertEqual(json.loads(state.read_text(encoding="utf-8")), before)
        self.assertIn("the next one would not know what has happened last", self.hetd.log())
        self.hetd.kill()
        self.hetd.take_over()
        self.assert_works()
        full.unlink()
        self.slave2.grant(fd)
        self.slave2.boot()
        self.hetd.define("q", TEXT)
        self.assertEqual(sorted(p.name for p in self.hetd.platforms()), ["p", "q"])
        self.assertEqual([path for path in self.hetd.files() if path.endswith(".new")], [])

    def test_full_at_the_start_of_a_platform(self):
        self.begin()
        platform = self.hetd.define("p", TEXT)
        full = self.fill()
        result, message = platform.job("Start")
        self.assertEqual((result, platform.state), ("failed", "failed"))
        self.assertRegex(message, "No space left on device")
        full.unlink()
        platform.start()

    def test_read_only(self):
        self.begin()
        platform = self.hetd.define("p", TEXT)
        subprocess.run(["mount", "-o", "remount,ro", self.mounted], check=True)
        try:
            with self.assertRaisesRegex(Exception, "Read-only file system"):
                self.hetd.define("q", TEXT)
            with self.assertRaisesRegex(Exception, "Read-only file system"):
                platform.start()
            self.hetd.kill()
            # One that could write nothing would lose what it does
            self.hetd.launch()
            self.assertEqual(self.hetd.process.wait(), 1)
            self.assertIn(f"Cannot use {self.mounted}: Read-only file system", self.hetd.log())
            self.hetd.close()
        finally:
            subprocess.run(["mount", "-o", "remount,rw", self.mounted], check=True)
        self.hetd.take_over()
        self.assertEqual([p.name for p in self.hetd.platforms()], ["p"])
        platform.start()


class SmallFiles(BadMachine):
    def test_while_it_runs(self):
        """The kernel would end who writes beyond the limit."""
        self.start()
        other = self.hetd.define("other", TEXT)
        undo = self.limit(resource.RLIMIT_FSIZE, 32 << 20)
        result, message = other.job("Start")
        self.assertEqual((result, other.state), ("failed", "failed"))
        self.assertRegex(message, "Cannot make a window of .* for slave1: File too large")
        undo()
        undo = self.limit(resource.RLIMIT_FSIZE, 100)
        self.assertRefused(LIMITS, f"Cannot write {self.hetd.runtime}/q.config: File too large", self.hetd.define, "q", TEXT)
        self.assert_works()
        undo()
        other.start()
        self.assertEqual(self.platform.state, "running")


class FewFileDescriptors(BadMachine):
    def test_while_it_runs(self):
        self.start()
        other = self.hetd.define("other", TEXT)
        undo = self.limit(resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{self.hetd.pid}/fd")) + 3)
        result, message = other.job("Start")
        self.assertEqual((result, other.state), ("failed", "failed"))
        self.assertRegex(message, "Too many open files")
        self.assert_works()
        undo()
        other.start()
        self.assertEqual(self.platform.state, "running")

    def limit_to(self, free):
        """So many numbers of file descriptors are free from now on"""
        self.hetd.settle()
        # The log of a console is watched for a second after something was printed: that number will be free
        fds = Path(f"/proc/{self.hetd.pid}/fd")
        used = {int(fd.name) for fd in fds.iterdir() if os.readlink(fd) != "anon_inode:inotify"}
        return self.limit(resource.RLIMIT_NOFILE, sorted(set(range(len(used) + free + 1)) - used)[free])

    def test_none_for_a_window(self):
        """It is revoked and granted as a whole, or not at all."""
        self.start()
        fd = memfd(16 << 20)
        self.addCleanup(os.close, fd)
        results = set()
        for free in range(20):
            for change in (lambda: self.slave2.call("RevokeMemory"), lambda: self.slave2.grant(fd)):
                with self.subTest(free=free, state=self.slave2.state):
                    results.add(self.try_with(free, change))
                    self.slave2.kick(9)                 # the master's QEMU has their couple in any case
        self.assertEqual(results, {True, False})
        if self.slave2.state == "waiting":
            self.slave2.grant(fd)
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")
        self.assert_works()

    def try_with(self, free, change):
        """Whether it succeeded; if not nothing has changed"""
        before = self.slave2.state
        undo = self.limit_to(free)
        try:
            change()
        except BusError as error:
            self.assertIn(error.name, (LIMITS, ERROR + "WrongState"), error)    # the latter if the change before it has failed
            self.assertEqual(self.slave2.state, before)
            return False
        finally:
            undo()
        self.assertEqual({before, self.slave2.state}, {"ready", "waiting"})
        return True

    def test_none_for_a_message(self):
        """One that brings a file descriptor is answered, and is not the end of the connection."""
        self.start()
        self.slave2.call("RevokeMemory")
        undo = self.limit_to(0)
        fd = memfd(16 << 20)
        self.addCleanup(os.close, fd)
        for _ in range(40):
            self.assertRefused(LIMITS, "Too many open files", self.hetd.define, "q", TEXT)
            with self.assertRaisesRegex(Exception, "Too many open files"):
                self.slave2.attach_fd(fd)
            self.assertRefused(LIMITS, "Too many open files", self.slave2.grant, fd)
        self.assert_works()
        undo()
        self.slave2.grant(fd)
        self.hetd.define("q", TEXT).remove()
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")

    def test_none_for_many_messages(self):
        """They come while it is at others."""
        self.start()
        undo = self.limit_to(0)
        fd = memfd(16 << 20)
        self.addCleanup(os.close, fd)
        call = (self.slave1.path, "org.hetd1.Processor", "AttachFd", "ha{sv}", (UnixFd(fd), options()))
        for _ in range(100):
            for pending in [Pending(self.bus.connection, *call) for _ in range(16)]:
                with self.assertRaisesRegex(BusError, "Too many open files"):
                    pending.wait()
            self.bus.mark()                     # the record of the bus is read: without that the bus would stop
        self.assert_works()
        undo()

    def test_when_taking_over(self):
        """It is left as it is, for a hetd that has more."""
        self.start()
        pids = [p.pid for p in self.platform.processors()]
        self.hetd.kill()
        few = len(self.hetd.first_fds) + 2
        poor = Hetd(self.loop, self.bus, self.directory, runtime=self.hetd.runtime)
        # The hard limit, too: hetd raises the other one itself
        poor.launch(limits={resource.RLIMIT_NOFILE: (few, few)})
        poor.wait_ready()
        self.assertEqual(poor.platforms(), [])
        self.assertRegex(poor.log(), "p: It is lost: it cannot be taken over: .*Too many open files")
        self.assertEqual(poor.end(), 0)
        self.hetd.take_over()
        self.assertEqual([p.pid for p in self.platform.processors()], pids)
        self.assert_works()


class RuntimeDirectory(TestCase):
    def test_second_on_the_same_bus(self):
        """It goes away, and does no harm to the first: not even with the same folder."""
        platform = self.hetd.load("first-light").start()
        for runtime, words in ((self.directory / "run2", "another hetd is on this bus"),
                               (self.hetd.runtime, f"Another hetd uses {self.hetd.runtime}: end that one, or name another directory")):
            directory = self.directory / f"second-{runtime.name}"
            directory.mkdir()
            second = Hetd(self.loop, self.bus, directory, runtime=runtime).launch()
            self.assertEqual(second.process.wait(), 1)
            self.assertIn(words, second.log())
            self.assertNotIn("READY=1", second.told)
            second.close()
        platform.processor("slave2").boot()
        platform.processor("slave2").console().expect("booted from the shared window")
        self.assertEqual(platform.state, "running")

    def test_runtime_directory(self):
        file = self.directory / "file"
        file.touch()
        for runtime, words in ((file, "Not a directory"), (file / "x", "Not a directory"), ("/proc/het", "/proc/het")):
            with self.subTest(runtime=runtime):
                second = Hetd(self.loop, self.bus, self.directory / "x", runtime=runtime)
                second.directory.mkdir()
                second.log_path = self.directory / "x.log"
                second.launch()
                self.assertEqual(second.process.wait(), 1)
                self.assertIn(words, second.log())
                second.close()
                second.log_path.unlink()
                (second.directory / "notify").unlink()
                second.directory.rmdir()

    def test_link_instead_of_a_directory(self):
        """What is behind it is neither written to nor removed."""
        elsewhere, link = self.directory / "elsewhere", self.hetd.runtime / "p"
        elsewhere.mkdir()
        (elsewhere / "file").touch()
        link.symlink_to(elsewhere)
        platform = self.hetd.define("p", TEXT)
        with self.assertRaisesRegex(BusError, f"{link}: something else is there, or a link; remove that"):
            platform.start()
        self.assertEqual(os.listdir(elsewhere), ["file"])
        link.unlink()
        platform.start().stop()
        link.rename(self.directory / "before")
        link.symlink_to(elsewhere)
        platform.remove()
        self.assertFalse(os.path.lexists(link))
        self.assertEqual(os.listdir(elsewhere), ["file"])


class LittleMemory(BadMachine):
    def test_none_left(self):
        """GLib ends a process that gets no memory. That is one more way to die, and the next hetd takes over."""
        self.start()
        with open(f"/proc/{self.hetd.pid}/statm", encoding="ascii") as f:
            pages = int(f.read().split()[0])
        sanitized = bool(memory_maps(self.hetd.pid, "libasan"))
        self.limit(resource.RLIMIT_AS, (pages + 16) * resource.getpagesize())
        with self.assertRaisesRegex(Exception, "NoReply|without replying"):
            for i in range(1000):
                self.hetd.define(f"q{i}", TEXT + "#" * 900000)
        # AddressSanitizer ends a process by itself
        ends = (1,) if sanitized else (-signal.SIGTRAP, -signal.SIGABRT, -signal.SIGSEGV)
        self.assertIn(self.hetd.process.wait(), ends)
        self.hetd.close()
        self.hetd.take_over()
        self.assert_works()
        self.assertRefused(ERROR + "WrongState", "running", self.platform.remove)


if __name__ == "__main__":
    main()
