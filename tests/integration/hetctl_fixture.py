# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What the tests of hetctl stand on: a bus, hetd and patched QEMUs of their own, and hetctl itself, with pipes or on a
terminal. Everything is waited for with hetctl's own means, and each wait has a deadline.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
FILE = TOP / "docs/examples/first-light.platform"
BUILD = pathlib.Path(os.environ.get("QEMU_HET_BUILD", TOP / "build"))
QEMU = os.environ.get("QEMU_HET_QEMU", "")
HETD, HETCTL, FIRMWARE = BUILD / "hetd/hetd", BUILD / "clients/hetctl/hetctl", BUILD / "guest/firmware"
DEADLINE = 120          # seconds; everything takes milliseconds, but a loaded machine and sanitizers are given time

# exit statuses that docs/hetctl.md promises
OK, FAILED, USAGE, NOT_FOUND, NO_HETD, WRONG_STATE, DENIED, TIMED_OUT = range(8)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)          # PR_SET_PDEATHSIG


class Output:
    """What a process prints, read as it is needed."""

    def __init__(self, fd):
        self.fd, self.text, self.position = fd, "", 0

    def read(self, deadline):
        if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"nothing more in time after: {self.text!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:         # a terminal whose other side was closed
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Waits for the pattern behind the last one that was found; returns the match."""
        deadline = time.monotonic() + DEADLINE
        while not (match := re.compile(pattern, re.M).search(self.text, self.position)):
            if not self.read(deadline):
                raise AssertionError(f"{pattern!r} was not printed: {self.text!r}")
        self.position = match.end()
        return match

    def rest(self):
        deadline = time.monotonic() + DEADLINE
        while self.read(deadline):
            pass
        return self.text[self.position:]


class Terminal:
    """hetctl on a terminal."""

    def __init__(self, arguments, environment, columns=80):
        self.fd, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.before = termios.tcgetattr(side)
        self.side = side
        self.popen = subprocess.Popen([HETCTL, "--user", *arguments], stdin=side, stdout=side, stderr=side,
                                      env=environment, preexec_fn=die_with_parent)
        self.output = Output(self.fd)

    def type(self, text):
        os.write(self.fd, text.encode())

    def mode(self):
        return termios.tcgetattr(self.side)

    def wait(self, timeout=DEADLINE):
        """For its end. What it prints is taken meanwhile: a terminal holds a few KiB. Returns False if it lives on."""
        if self.popen.poll() is not None:
            return True
        end = os.pidfd_open(self.popen.pid)
        deadline = time.monotonic() + timeout
        try:
            while (left := deadline - time.monotonic()) > 0:
                ready = select.select([end, self.fd], [], [], left)[0]
                if end in ready:
                    self.popen.wait()
                    return True
                if ready:
                    self.output.read(deadline)
        finally:
            os.close(end)
        return False

    def finish(self):
        """Exit status, and what was printed behind the last thing that was expected"""
        if not self.wait():
            raise AssertionError(f"it did not end in time, after: {self.output.text!r}")
        status = self.popen.returncode
        after = self.mode()
        os.close(self.side)
        rest = self.output.rest()
        os.close(self.fd)
        return status, rest, after


class HetctlTest(unittest.TestCase):
    """Each test has its own bus and hetd."""

    wrapper = []                # a command that hetctl is run by

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hetctl-"))
        self.addCleanup(shutil.rmtree, self.directory)
        bus = self.spawn(["dbus-daemon", "--session", "--nofork", "--print-address=1",
                          f"--address=unix:path={self.directory}/bus"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        address = bus.stdout.readline().decode().strip()
        self.environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "SYSTEMD_COLORS", "LC_ALL", "XDG_RUNTIME_DIR")}
        self.environment |= {"DBUS_SESSION_BUS_ADDRESS": address, "TERM": "xterm", "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": ""}

    def spawn(self, arguments, **options):
        child = subprocess.Popen([str(a) for a in arguments], preexec_fn=die_with_parent, **options)
        self.addCleanup(self.end, child)
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                child.kill()
        child.wait()
        for stream in (child.stdout, child.stderr):
            if stream:
                stream.close()

    def start_hetd(self):
        """And waits until it is on the bus, with hetctl monitor, which is returned."""
        monitor = self.monitor("--json")
        monitor.expect('"hetd-gone"')
        with open(self.directory / "hetd.log", "wb") as log:
            self.hetd = self.spawn([HETD, "--user", f"--runtime-dir={self.directory}/run",
                                    f"--platform-dir={FILE.parent}", f"--firmware-dir={FIRMWARE}",
                                    f"--qemu=arm={QEMU}"],
                                   env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        monitor.expect('"hetd-started"')
        return monitor

    def monitor(self, *arguments):
        """Its output; it listens already when this returns."""
        child = self.spawn([HETCTL, "--user", "monitor", *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        Output(child.stderr.fileno()).expect("Watching")
        output = Output(child.stdout.fileno())
        output.child = child
        return output

    def run_hetctl(self, *arguments, stdin="", environment=None):
        result = subprocess.run([*self.wrapper, HETCTL, "--user", *[str(a) for a in arguments]], input=stdin.encode(),
                                env=environment or self.environment, capture_output=True, timeout=DEADLINE, check=False)
        result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()         # as it is, \r too
        return result

    def ok(self, *arguments, stdin=""):
        """Runs it, and returns what it printed."""
        result = self.run_hetctl(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, OK, f"hetctl {arguments}: {result.stderr}\n{self.log()}")
        self.assertEqual(result.stderr, "")
        return result.stdout

    def fails(self, status, message, *arguments, environment=None):
        """It ends with the status, prints nothing but the reason, and that has the message in it."""
        result = self.run_hetctl(*arguments, environment=environment)
        self.assertEqual(result.returncode, status, f"hetctl {arguments}: {result.stdout}{result.stderr}")
        self.assertTrue(result.stderr.startswith("hetctl: "), result.stderr)
        self.assertRegex(result.stderr, message)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def json(self, *arguments):
        return json.loads(self.ok("--json=short", *arguments))

    def terminal(self, *arguments, columns=80, **environment):
        terminal = Terminal([str(a) for a in arguments], {**self.environment, **environment}, columns)
        self.addCleanup(self.end, terminal.popen)
        return terminal

    def until(self, processor, text, stdin=""):
        """Waits until a guest has printed something, from its start on."""
        return self.ok("console", processor, "--history", "--lines=0", f"--until={text}", f"--timeout={DEADLINE}s",
                       stdin=stdin)

    def log(self):
        path = self.directory / "hetd.log"
        return path.read_text(encoding="utf-8", errors="replace")[-4000:] if path.exists() else ""

    def start_qemu(self, *arguments):
        """A QEMU that hetd knows nothing of; returns the path of its QMP socket, which can be connected to at once."""
        path = self.directory / "external.qmp"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(4)
            child = self.spawn([QEMU, "-nodefaults", "-no-user-config", "-display", "none",
                                "-chardev", "socket,id=qmp,fd=0,server=on,wait=off",
                                "-mon", "chardev=qmp,mode=control", *arguments],
                               stdin=listener, stderr=subprocess.DEVNULL)
        return child, path


def main():
    for path, what in ((QEMU, "QEMU_HET_QEMU: the patched qemu-system-arm"), (HETD, "hetd"), (HETCTL, "hetctl"),
                       (FIRMWARE / "first-light-master.elf", "firmware (gcc-arm-none-eabi builds it)"),
                       (shutil.which("dbus-daemon"), "dbus-daemon")):
        if not path or not os.path.exists(path):
            print(f"skipped: there is no {what} ({path or 'not set'})")
            sys.exit(77)
    unittest.main(verbosity=2)
