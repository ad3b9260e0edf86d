# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What the integration tests wait with: one loop over file descriptors, and the things that have one: processes, text that grows
in a file, sockets. Nothing here sleeps or looks again after a while: each wait ends with the event, or fails at the deadline.
"""

import ctypes
import os
import re
import selectors
import socket
import subprocess
import time

DEADLINE = 180          # seconds for one event; it takes milliseconds, but a loaded machine and sanitizers are given time

IN_MODIFY = 0x2
IN_NONBLOCK = os.O_NONBLOCK
IN_CLOEXEC = os.O_CLOEXEC
PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)


class Loop:
    """Runs what file descriptors bring."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def watch(self, fd, callback):
        self.selector.register(fd, selectors.EVENT_READ, callback)

    def forget(self, fd):
        self.selector.unregister(fd)

    def turn(self, timeout):
        """False: nothing came in time"""
        events = self.selector.select(timeout)
        for key, _ in events:
            key.data()
        return bool(events)

    def wait(self, condition, what, meanwhile=None):
        """
        Runs until the condition holds, and returns what it returned. `what` is a text, or a function that makes one; `meanwhile`, if
        given, is called again and again.
        """
        end = time.monotonic() + DEADLINE
        while not (result := condition()):
            rest = end - time.monotonic()
            if rest > 0 and meanwhile:
                meanwhile()
                self.turn(0)
            elif rest <= 0 or not self.turn(rest):
                raise AssertionError(f"not seen in {DEADLINE} s: {what() if callable(what) else what}")
        return result

    def close(self):
        self.selector.close()


class End:
    """The end of a process, as an event; it may be gone already."""

    def __init__(self, loop, pid):
        self.loop, self.seen = loop, False
        try:
            self.fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.fd, self.seen = -1, True
        else:
            loop.watch(self.fd, self.on_end)

    def on_end(self):
        self.seen = True
        self.close()

    def close(self):
        if self.fd >= 0:
            self.loop.forget(self.fd)
            os.close(self.fd)
            self.fd = -1


def wait_for_end(loop, pid, what):
    end = End(loop, pid)
    try:
        loop.wait(lambda: end.seen, f"the end of process {pid} ({what})")
    finally:
        end.close()


class Process:
    """A child of ours."""

    def __init__(self, loop, arguments, **options):
        self.loop = loop
        self.arguments = [str(a) for a in arguments]
        options.setdefault("stdin", subprocess.DEVNULL)
        self.popen = subprocess.Popen(self.arguments, **options)
        self.pid = self.popen.pid

    def is_running(self):
        return self.popen.poll() is None

    def watch_end(self):
        return End(self.loop, self.pid)

    def wait(self):
        """Returns the exit status, as Popen has it."""
        if self.is_running():
            wait_for_end(self.loop, self.pid, self.arguments[0])
        return self.popen.wait()

    def end(self):
        """Ends it, whatever it is doing."""
        if self.is_running():
            self.popen.terminate()
            try:
                self.popen.wait(30)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream:
                stream.close()


class Lines:
    """Text that comes in pieces, as lines; and where one has read up to."""

    def __init__(self):
        self.lines = []
        self.rest = b""

    def feed(self, data):
        *whole, self.rest = (self.rest + data).split(b"\n")
        self.lines += [line.decode(errors="replace").rstrip("\r") for line in whole]


class Pipe(Lines):
    """What a process prints into a pipe."""

    def __init__(self, loop, stream):
        super().__init__()
        self.loop, self.fd = loop, os.dup(stream.fileno())
        self.ended = False
        loop.watch(self.fd, self.read)

    def read(self):
        if data := os.read(self.fd, 65536):
            self.feed(data)
        else:
            self.ended = True
            self.loop.forget(self.fd)

    def close(self):
        if not self.ended:
            self.loop.forget(self.fd)
        os.close(self.fd)


class Console(Lines):
    """
    A serial port: what it printed since its process began comes from its log, whose growth is an event, and the socket takes what
    is typed.
    """

    def __init__(self, loop, log, path):
        super().__init__()
        self.loop, self.path, self.name = loop, path, os.path.basename(log)
        self.connection = None
        self.notify = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self.notify < 0 or libc.inotify_add_watch(self.notify, os.fsencode(log), IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {log}")
        self.log = open(log, "rb", buffering=0)
        loop.watch(self.notify, self.read)
        self.read()

    def read(self):
        try:
            while os.read(self.notify, 4096):
                pass
        except BlockingIOError:
            pass
        while data := self.log.read(65536):
            self.feed(data)

    def mark(self):
        """What is expected from here on does not count what was printed before."""
        self.read()
        return len(self.lines)

    def find(self, pattern, since=0):
        return next((m for line in self.lines[since:] if (m := re.search(pattern, line))), None)

    def expect(self, pattern, since=0, meanwhile=None):
        """Waits for a line; returns the match."""
        return self.loop.wait(lambda: self.find(pattern, since),
                              lambda: f"{pattern!r} on {self.name}; it said:\n" + "\n".join(self.lines[since:]), meanwhile)

    def count(self, pattern, since=0):
        self.read()
        return sum(1 for line in self.lines[since:] if re.search(pattern, line))

    def send(self, text):
        if not self.connection:
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.settimeout(DEADLINE)
            self.connection.connect(self.path)
            self.loop.watch(self.connection.fileno(), self.discard)
        self.connection.sendall(text.encode())

    def discard(self):
        if not self.connection.recv(65536):
            self.loop.forget(self.connection.fileno())
            self.connection.close()
            self.connection = None

    def close(self):
        self.loop.forget(self.notify)
        os.close(self.notify)
        self.log.close()
        if self.connection:
            self.loop.forget(self.connection.fileno())
            self.connection.close()


def become_subreaper():
    """What a process of ours leaves behind becomes ours, so that it is seen and can be ended."""
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def children_of(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(child) for child in f.read().split()]
        except OSError:         # the thread has just ended
            pass
    return found
