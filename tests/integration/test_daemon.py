#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hetd as a process: what it is started with, what is sent to it, and what must not end it."""

import fcntl
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import unittest.mock

import dbus

from het_bus import ERROR, ROOT, Pending, options
from het_events import Pipe
from het_harness import HETD, MASTER, QEMU, SLAVE1, SLAVE2, TestCase, main, open_fds, platform_text
from het_qemu import Proxy


class Daemon(TestCase):
    def limit(self, pid):
        return resource.prlimit(pid, resource.RLIMIT_NOFILE)

    def test_text_that_is_cut(self):
        """A line too long to be quoted, with a character of two bytes where it is cut: hetd stays on the bus."""
        line = "x" * 59 + "ä" * 20
        text = self.assertRefused(ERROR + "InvalidPlatform", "is neither a group", self.hetd.define, "p", f"[Processor m]\n{line}\n")
        self.assertIn("x" * 59 + "ä'", text)
        self.assertEqual(self.hetd.platforms(), [])

    def test_reader_of_the_log_is_gone(self):
        self.assertEqual(self.hetd.end(), 0)
        read, write = os.pipe()
        self.hetd.start(stderr=write)
        os.close(write)
        os.close(read)
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1)).start()
        self.assertEqual(platform.state, "running")

    def test_reader_of_the_log_has_stopped(self):
        """As a pager does, or a terminal after Ctrl-S: hetd does not wait for it, and says later that something is missing."""
        self.assertEqual(self.hetd.end(), 0)
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        self.hetd.start(stderr=write)
        os.close(write)
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2)).start()
        self.assertEqual(platform.state, "running")
        os.read(read, 1 << 16)
        platform.stop()
        self.assertRegex(os.read(read, 1 << 16).decode(), r"(?m)^\[\d+ lines are missing here, which nobody has read in time\]\n.*")

    @unittest.skipUnless(os.geteuid() == 0, "only root can start hetd as somebody else")
    def test_terminal_of_somebody_else(self):
        """As after su(1): hetd may not open it once more, and does not wait for it either when nobody reads what is printed there."""
        self.assertEqual(self.hetd.end(), 0)
        read, write = os.openpty()
        self.addCleanup(os.close, read)
        os.fchmod(write, 0o600)
        self.hetd.runtime.mkdir(exist_ok=True)
        os.chown(self.hetd.runtime, 65534, 65534)
        self.hetd.prefix = lambda: ["bash", "-c", "exec setsid --ctty setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\" <&2", "bash"]
        mask = os.umask(0)
        try:
            self.hetd.start(stderr=write)
        finally:
            os.umask(mask)
            os.close(write)
        text = platform_text(MASTER, SLAVE1)
        for i in range(1500):                           # two lines each, more than a terminal holds
            self.hetd.define(f"p{i}", text).remove()
            if i % 50 == 0:
                self.bus.mark()
        self.assertEqual(self.hetd.platforms(), [])

    def test_journal_hangs(self):
        """A stopped journald takes nothing: hetd does not wait for it, and says later what is missing."""
        journal = self.start_journal()
        self.assertEqual(self.hetd.end(), 0)
        self.hetd.prefix = lambda: ["nsenter", f"--mount=/proc/{journal.pid}/ns/mnt", "--"]
        self.hetd.start()
        self.bus.call("/org/freedesktop/LogControl1", "org.freedesktop.DBus.Properties", "Set", "ssv", "org.freedesktop.LogControl1",
                      "LogTarget", dbus.String("journal", variant_level=1))
        text = platform_text(MASTER, SLAVE1)
        self.hetd.define("first", text).remove()
        self.hetd.first_fds = open_fds(self.hetd.pid)   # with the connection to the journal
        journal.popen.send_signal(signal.SIGSTOP)
        for i in range(900):                            # two entries each; hetd keeps 1024
            self.hetd.define(f"p{i}", text).remove()
            if i % 50 == 0:
                self.bus.mark()                         # the record of the bus is read, or the bus itself would wait
        journal.popen.send_signal(signal.SIGCONT)
        entries = self.follow(journal)
        gap = "entries are missing here, which the journal did not take"
        self.loop.wait(lambda: any(gap in line for line in entries.lines), "the entries that have waited, and that some are missing")
        self.hetd.define("last", text).remove()
        self.loop.wait(lambda: any("last: Removed" in line for line in entries.lines), "a new entry")
        lines = [line for line in entries.lines if re.match(r"p\d+: |last: |\d+ entries", line)]
        missing = next(i for i, line in enumerate(lines) if gap in line)
        self.assertEqual(missing + int(lines[missing].split()[0]), 1800)
        self.assertEqual([line.split(",")[0] for line in lines[missing + 1:]], ["last: Defined", "last: Removed"])

    def start_journal(self):
        """A journald of our own, with its sockets and files where nobody else sees them"""
        journald = pathlib.Path("/lib/systemd/systemd-journald")
        if os.geteuid() != 0 or not journald.exists():
            self.skipTest("only root can start a journald in a mount namespace" if journald.exists() else "there is no journald")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notify.close)
        notify.bind(str(self.directory / "journal-notify"))
        script = ("for d in /run /var/log; do mount -t tmpfs het-test $d || exit 77; done; "
                  f"mkdir -p /run/systemd/journal /run/log/journal; exec {journald}")
        journal = self.start_process("unshare", "--mount", "bash", "-c", script, stderr=subprocess.DEVNULL,
                                     env={**os.environ, "NOTIFY_SOCKET": notify.getsockname()})
        end, told = journal.watch_end(), []
        self.loop.watch(notify.fileno(), lambda: told.append(notify.recv(4096)))
        self.loop.wait(lambda: end.seen or any(b"READY=1" in message for message in told), "journald")
        self.loop.forget(notify.fileno())
        end.close()
        if end.seen:
            self.skipTest("no journald can be started here")
        return journal

    def follow(self, journal):
        follower = self.start_process("nsenter", f"--mount=/proc/{journal.pid}/ns/mnt", "--", "journalctl", "--directory=/run/log/journal",
                                      "--follow", "--lines=all", "--output=cat", "--identifier=hetd", stdout=subprocess.PIPE)
        pipe = Pipe(self.loop, follower.popen.stdout)
        self.addCleanup(pipe.close)
        return pipe

    def test_bus_hangs_at_the_end(self):
        """A dbus-daemon that does not read does not keep hetd from ending, nor from ending the QEMUs."""
        self.assertEqual(self.hetd.end(), 0)
        read, write = os.pipe()
        with open(read, "rb") as stream:
            log = Pipe(self.loop, stream)
        self.addCleanup(log.close)
        self.hetd.start(stderr=write)
        os.close(write)
        self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2)).start()
        many = [SLAVE1.replace("slave1", f"s{i}").replace("Id=1", f"Id={i}").replace("64M@0x60000000", f"64K@0x{0x60000000 + (i << 16):x}")
                for i in range(1, 16)]
        for i in range(60):
            self.hetd.define(f"p{i}", platform_text(MASTER, *many))
        os.kill(self.hetd.pid, signal.SIGSTOP)
        # From a connection that hetd knows, or it would ask the bus whose it is. The answers are more than a socket holds.
        for call in [("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", ())] * 60 + [
                     ("org.hetd1.Manager", "RemovePlatform", "s", ("p0",))]:
            Pending(self.bus.connection, ROOT, *call)
        self.bus.mark()                                 # they are with hetd
        self.bus.daemon.popen.send_signal(signal.SIGSTOP)
        self.addCleanup(self.bus.daemon.popen.send_signal, signal.SIGCONT)
        os.kill(self.hetd.pid, signal.SIGCONT)
        self.loop.wait(lambda: any("p0: Removed" in line for line in log.lines), "hetd has answered all of them")
        os.kill(self.hetd.pid, signal.SIGTERM)
        self.assertEqual(self.hetd.process.wait(), 0)
        self.loop.wait(lambda: log.ended, "the end of the log")
        self.assertRegex("\n".join(log.lines), "The bus does not take what is still to be told")

    def test_bus_sends_rubbish(self):
        """Nothing more can be read from it: hetd ends as without a bus, in order."""
        self.assertEqual(self.hetd.end(), 0)
        proxy = Proxy(self.directory / "bus", self.directory / "proxy")
        self.addCleanup(proxy.close)
        self.hetd.environment = lambda: {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={proxy.path}"}
        self.hetd.start()
        pids = [p.pid for p in self.hetd.define("p", platform_text(MASTER, SLAVE1)).start().processors()]
        [(client, _)] = proxy.pairs
        client.sendall(b"rubbish!" * 8)
        self.assertEqual(self.hetd.process.wait(), 1)
        self.assertRegex(self.hetd.log(), r"What comes from the bus cannot be read: .*\nThe bus is gone: ending the platforms\n")
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_sighup_ends_in_order(self):
        """The terminal was closed: no QEMU is left."""
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1)).start()
        self.assertEqual(platform.state, "running")
        os.kill(self.hetd.pid, signal.SIGHUP)
        self.assertEqual(self.hetd.process.wait(), 0)

    def test_limit_of_open_files(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 512:
            self.skipTest("the hard limit of open files is below 512")
        self.assertEqual(self.hetd.end(), 0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            self.hetd.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1)).start()
        # Some are kept for what comes from the bus
        self.assertEqual(self.limit(self.hetd.pid), (hard - 32, hard))
        self.assertEqual(self.limit(platform.processor("master").pid), (hard, hard))

    def refused(self, *arguments):
        """Runs hetd, which must refuse to start; returns what it says."""
        done = subprocess.run([HETD, "--user", *arguments], env=self.bus.environment(), stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertIn(done.returncode, (1, 2))
        return done.stderr.decode("utf-8", "replace")

    def test_runtime_directory_of_everybody(self):
        everybody = self.directory / "everybody"
        everybody.mkdir()
        everybody.chmod(0o1777)
        self.assertRegex(self.refused(f"--runtime-dir={everybody}"), "nobody else can write to.*--runtime-dir=")
        self.assertEqual(os.listdir(everybody), [])

    def test_path_that_is_no_text(self):
        for option in (b"--platform-dir=", b"--runtime-dir=", b"--firmware-dir=", b"--qemu=arm="):
            self.assertRegex(self.refused(option + os.fsencode(self.directory) + b"/\xff"), "is not UTF-8")


class Targets(TestCase):
    """Which QEMU runs a CPU of 64 bits"""

    def setUp(self):
        super().setUp()
        self.sibling = pathlib.Path(QEMU).with_name("qemu-system-aarch64")
        if pathlib.Path(QEMU).name != "qemu-system-arm" or not self.sibling.exists():
            self.skipTest(f"there is no {self.sibling}")

    def restart(self, *arguments):
        self.assertEqual(self.hetd.end(), 0)
        self.hetd.arguments = arguments
        self.hetd.start()

    def define(self):
        return self.hetd.define("p", platform_text(MASTER, SLAVE1.replace("cortex-a15", "cortex-a53")))

    def programs(self, platform):
        return [pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes().split(b"\0")[0].decode() for p in platform.processors()]

    def alone(self, name, target):
        """The program in a folder of its own"""
        folder = self.directory / name
        folder.mkdir()
        path = folder / target.name
        path.symlink_to(target)
        return path

    def test_beside_the_one_that_was_named(self):
        self.assertEqual(self.programs(self.define().start()), [QEMU, str(self.sibling)])

    def test_each_is_named(self):
        named = self.alone("named", self.sibling)
        self.restart(f"--qemu=arm={QEMU}", f"--qemu=aarch64={named}")
        self.assertEqual(self.programs(self.define().start()), [QEMU, str(named)])

    def test_in_the_path(self):
        arm, path = self.alone("arm", pathlib.Path(QEMU)), self.alone("path", self.sibling)
        with unittest.mock.patch.dict(os.environ, PATH=str(path.parent)):
            self.restart(f"--qemu=arm={arm}")
        self.assertEqual(self.programs(self.define().start()), [str(arm), str(path)])

    def test_is_not_there(self):
        arm = self.alone("arm", pathlib.Path(QEMU))
        with unittest.mock.patch.dict(os.environ, PATH=str(arm.parent)):
            self.restart(f"--qemu=arm={arm}")
        platform = self.define()
        self.assertRefused(ERROR + "SpawnFailed", "no program qemu-system-aarch64: set QEMU= in .Processor slave1., or start hetd with "
                           "--qemu=aarch64=PATH", platform.call, "Start", "a{sv}", options())
        self.assertEqual(platform.state, "defined")


if __name__ == "__main__":
    main()
