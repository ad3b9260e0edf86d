#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The process of a slave that has been taken over: it has what hetd has given to that slave, and does its worst with it.

Usage: hostile_slave.py ATTACK PAGE RX TX RX-HALT TX-HALT WINDOW   (file descriptors that it inherits)

It prints a line when it has done all of it once, and goes on until it is killed.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import random
import struct
import sys

PAGE = 4096
SEALS = {"F_SEAL_SEAL": 0x1, "F_SEAL_SHRINK": 0x2, "F_SEAL_GROW": 0x4, "F_SEAL_WRITE": 0x8, "F_SEAL_FUTURE_WRITE": 0x10}
PUNCH_HOLE = 0x1 | 0x2
FULL = (1 << 64) - 2                    # the most that an eventfd holds
# hw/misc/het-page.h
HEADER, SIDE, STATE, WAIT = 64, 128, 64, 68
MASTER, SLAVE = HEADER, HEADER + SIDE
N_STATES = 6
ALL_VECTORS = 0xffffffff

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_ssize_t
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_longlong)


class Slave:
    def __init__(self, fds):
        self.page_fd, self.rx, self.tx, self.rx_halt, self.tx_halt, self.window = fds
        self.eventfds = (self.rx, self.tx, self.rx_halt, self.tx_halt)
        self.page = mmap.mmap(self.page_fd, PAGE)

    def put(self, offset, value):
        struct.pack_into("=I", self.page, offset, value & 0xffffffff)

    def fill(self, *eventfds):
        for fd in eventfds:
            os.set_blocking(fd, False)          # our own write must not wait
            try:
                os.eventfd_write(fd, FULL)
            except BlockingIOError:
                pass                            # it is as full as it can be

    def ring(self):
        for fd in (self.tx, self.tx_halt):
            os.set_blocking(fd, False)
            try:
                os.eventfd_write(fd, 1)
            except BlockingIOError:
                pass

    # --- the attacks ---

    def doorbells(self, _):
        """Rings as fast as it can, all vectors and none"""
        self.put(MASTER, ALL_VECTORS)
        self.ring()
        for _ in range(100):
            self.ring()

    def block(self, _):
        """Fills all counters, and makes the files such that who reads or writes one is made to wait"""
        self.fill(*self.eventfds)
        for fd in self.eventfds:
            os.set_blocking(fd, True)
        for wait in range(4):
            self.put(MASTER + WAIT, wait)
            self.put(SLAVE + WAIT, wait)

    def empty(self, _):
        """Steals what wakes the others, and makes who reads an empty counter wait"""
        for fd in self.eventfds:
            os.set_blocking(fd, False)
            try:
                os.eventfd_read(fd)
            except BlockingIOError:
                pass
            os.set_blocking(fd, True)

    def scribble(self, n):
        """The whole control page, with garbage of all kinds"""
        kinds = (lambda: random.randbytes(PAGE), lambda: bytes(PAGE), lambda: b"\xff" * PAGE,
                 lambda: random.randbytes(64) * (PAGE // 64))
        self.page[:] = kinds[n % len(kinds)]()
        self.ring()

    def states(self, n):
        """Good ones and bad ones, in turns"""
        self.put(SLAVE + STATE, n % (N_STATES + 1) if n % 3 else random.getrandbits(32))
        self.put(SLAVE + 104, random.getrandbits(32))           # the address of a resource table
        self.ring()

    def holes(self, n):
        """Takes the memory itself away from under the others, as far as a file lets it"""
        for fd, size in ((self.window, os.fstat(self.window).st_size), (self.page_fd, PAGE)):
            if libc.fallocate(fd, PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(size)) < 0:
                sys.exit(f"PUNCH_HOLE: {os.strerror(ctypes.get_errno())}")

    def truncate(self, _):
        """Whatever would make an access of somebody else end in SIGBUS, or make memory of his read-only"""
        for name, fd in (("window", self.window), ("page", self.page_fd)):
            size = os.fstat(fd).st_size
            for new in (0, size - PAGE, size + PAGE, 1 << 40):
                refused(f"{name} of {new} bytes", os.ftruncate, fd, new)
            for seal, bits in SEALS.items():
                refused(f"{name} {seal}", fcntl.fcntl, fd, fcntl.F_ADD_SEALS, bits)
            refused(f"{name} grown by a write", os.pwrite, fd, b"x", size)
            refused(f"{name} collapsed", os.posix_fallocate, fd, size, PAGE)

    def write(self, _):
        """Whatever would change a window that it may only read"""
        fd, size = self.window, os.fstat(self.window).st_size
        address = libc.mmap(None, PAGE, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        if address == -1:
            sys.exit("it cannot be read")
        for prot in (mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
            if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), prot) == 0:
                sys.exit("mprotect() was possible")
            refused("a mapping to write to", mmap.mmap, fd, PAGE, mmap.MAP_SHARED, prot)
        refused("a write", os.pwrite, fd, b"x", 0)
        refused("a truncation", os.ftruncate, fd, size)
        if libc.fallocate(fd, PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(size)) == 0:
            sys.exit("a hole was possible")
        if os.fstat(fd).st_uid != os.getuid():          # its owner may do as he likes
            refused("another mode", os.fchmod, fd, 0o666)
            refused("another open file", os.open, f"/proc/self/fd/{fd}", os.O_RDWR)
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(PAGE))

    def beyond(self, _):
        """Maps what is behind the end of its window, and looks at it; does not live to tell"""
        size = os.fstat(self.window).st_size
        address = libc.mmap(None, PAGE, mmap.PROT_READ, mmap.MAP_SHARED, self.window, size)
        if address == -1:
            sys.exit("it cannot even be mapped")
        print("mapped", flush=True)
        print(ctypes.string_at(address, PAGE), flush=True)


def refused(what, function, *arguments):
    try:
        function(*arguments)
    except OSError as e:
        if e.errno in (errno.EPERM, errno.EINVAL, errno.EACCES, errno.EBADF):
            return
        raise
    sys.exit(f"{what} was possible")


def main():
    attack = getattr(Slave([int(fd) for fd in sys.argv[2:]]), sys.argv[1])
    n = 0
    while True:
        attack(n)
        n += 1
        if n == 100:
            print("at work", flush=True)


if __name__ == "__main__":
    main()
