#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of the memory of a platform the process of a slave can get at: its own window, and nothing that is not in its file descriptors."""

import ctypes
import errno
import fcntl
import mmap
import os
import re
import signal

from het_harness import FIRMWARE, MIB, TestCase, main

SYS_PIDFD_GETFD = 438           # the same on all architectures
PAGE = 4096
SIZES = {"slave1": 64 * MIB, "slave2": 16 * MIB}
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_ssize_t
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_longlong)


def take_fds(pid):
    """{name: fd}: what a process has open of the platform's memory, as if it were that process that used it"""
    found = {}
    pidfd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        if not target.startswith("/memfd:"):
            continue
        fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), f"pidfd_getfd: {target}")
        found[target.removeprefix("/memfd:").removesuffix(" (deleted)") + f" by {name}"] = fd
    os.close(pidfd)
    return found


def mapped(pid):
    """{name: [(offset in the file, size)]} of the memfds that a process has mapped"""
    found = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            if match := re.match(r"(\w+)-(\w+) \S+ (\w+) \S+ \S+ +/memfd:(\S+)", line):
                start, end, offset = (int(x, 16) for x in match.group(1, 2, 3))
                found.setdefault(match[4], []).append((offset, end - start))
    return found


def touch(fd, offset):
    """How a process ends that reads a page of a file there: 0, or the signal. (Python's own mmap would look at the file's size.)"""
    child = os.fork()
    if not child:
        address = libc.mmap(None, PAGE, mmap.PROT_READ, mmap.MAP_SHARED, fd, offset)
        if address == -1:
            os._exit(1)
        ctypes.string_at(address, 1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Isolation(TestCase):
    def setUp(self):
        super().setUp()
        self.platform = self.hetd.load("first-light", FIRMWARE_DIR=str(FIRMWARE))
        self.platform.start()
        self.slaves = {name: self.platform.processor(name) for name in SIZES}
        self.slaves["slave2"].boot()

    def test_mapped(self):
        """The window, once, and the page of the couple"""
        for number, (name, slave) in enumerate(self.slaves.items(), 1):
            found = mapped(slave.pid)
            self.assertEqual(sorted(found), [f"het-couple:{number}", f"het:first-light/{name}"])
            self.assertEqual(found[f"het-couple:{number}"], [(0, PAGE)])
            self.assertEqual(found[f"het:first-light/{name}"], [(0, SIZES[name])])

    def test_open(self):
        """The same two, which another hetd asks for"""
        for number, (name, slave) in enumerate(self.slaves.items(), 1):
            fds = take_fds(slave.pid)
            try:
                self.assertEqual(sorted(what.split(" by ")[0] for what in fds), [f"het-couple:{number}", f"het:first-light/{name}"])
                for what, fd in fds.items():
                    self.check_fd(name, what, fd)
            finally:
                for fd in fds.values():
                    os.close(fd)

    def check_fd(self, name, what, fd):
        """A window is as large as it was made, for whoever has it."""
        size = os.fstat(fd).st_size
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        self.assertEqual(seals & (fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW), fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW, what)
        self.assertEqual(size, PAGE if what.startswith("het-couple:") else SIZES[name])
        for new in (0, size - PAGE, size + PAGE, 1 << 40):
            with self.assertRaises(OSError) as refused:
                os.ftruncate(fd, new)
            self.assertEqual(refused.exception.errno, errno.EPERM)
        with self.assertRaises(OSError) as refused:
            os.pwrite(fd, b"x", size)
        self.assertEqual(refused.exception.errno, errno.EPERM)
        self.assertEqual(touch(fd, size - PAGE), 0)
        for beyond in (size, size + PAGE, 1 << 30, 1 << 40):
            self.assertEqual(touch(fd, beyond), signal.SIGBUS)


if __name__ == "__main__":
    main()
