# SPDX-License-Identifier: LGPL-2.1-or-later
"""
A master that is a script: it owns a slave's window and couple, boots the slave's QEMU by QMP, and is for the slave's firmware what
Linux's remoteproc and virtio_rpmsg_bus would be. So the firmware is tested with what Linux never does, too.
"""

import collections
import ctypes
import mmap
import os
import socket
import struct

from het_events import Console, Process
from het_harness import FIRMWARE, MIB, QEMU, memfd, skip_all
from het_qmp import Qmp

Board = collections.namedtuple("Board", "firmware base size arguments")
BOARDS = {
    "a15": Board("rpmsg-slave-a15.elf", 0x60000000, 64 * MIB,
                 ("-machine", "virt,highmem=off,slave=on,memory-backend=mem", "-cpu", "cortex-a15", "-m", "64M",
                  "-object", "memory-backend-shared,id=mem,size=64M", "-device", "idm_ipi", "-device", "pvpanic-pci")),
    "m3": Board("rpmsg-slave-m3.elf", 0x70000000, 16 * MIB,
                ("-machine", "mps2-an385,slave=on,memory-backend=mem", "-object", "memory-backend-shared,id=mem,size=16M",
                 "-device", "idm_ipi-flat,addr=0x50000000,irq=31")),
}
# The same with the mailbox of an STM32MP1, and firmware for that
MAILBOXES = {"a15": "idm_stm32", "m3": "idm_stm32-flat,addr=0x50010000,irq=29,irq-free=30"}
BOARDS |= {f"ipcc_{name}": board._replace(firmware=board.firmware.replace("slave-", "slave-ipcc-"),
                                          arguments=(*board.arguments, "-device", MAILBOXES[name])) for name, board in BOARDS.items()}

# The control page (het-page.h)
PAGE_SIZE, PAGE_MAGIC, PAGE_VERSION = 4096, 0x50544548, 1
MASTER_PENDING, MASTER_CHANNELS, MASTER_STATE, SLAVE_PENDING, SLAVE_CHANNELS, SLAVE_STATE = 64, 68, 128, 192, 196, 256
READY, RUNNING, CRASHED = 2, 3, 5

# virtio and rpmsg
ACKNOWLEDGE, DRIVER, DRIVER_OK = 1, 2, 4
READY_TO_GO = ACKNOWLEDGE | DRIVER | DRIVER_OK
NEXT, WRITE = 1, 2
NO_INTERRUPT = 1
NUM, ALIGN, BUFFER = 16, 4096, 512
RING_SIZE = 2 * ALIGN
HEADER = struct.Struct("<IIIHH")
MESSAGE_MAX = BUFFER - HEADER.size
NAME_SERVICE = 53
MY_ADDRESS = 1024

try:
    libatomic = ctypes.CDLL("libatomic.so.1")
except OSError as e:
    skip_all(f"the library of atomic operations is missing: {e}")
atomic_exchange, atomic_fetch_or, atomic_fetch_and = (libatomic[f"__atomic_{name}_4"] for name in ("exchange", "fetch_or", "fetch_and"))
for function in (atomic_exchange, atomic_fetch_or, atomic_fetch_and):
    function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int), ctypes.c_uint32
SEQ_CST = 5

Message = collections.namedtuple("Message", "source destination data")
Segment = collections.namedtuple("Segment", "address file_size size offset flags")
Section = collections.namedtuple("Section", "name address size")


class Memory:
    """A shared mapping; 16 and 32 bits are read and written in one access."""

    def __init__(self, fd, size):
        self.map = mmap.mmap(fd, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))

    def u8(self, offset):
        return ctypes.c_uint8.from_buffer(self.map, offset)

    def u16(self, offset):
        return ctypes.c_uint16.from_buffer(self.map, offset)

    def u32(self, offset):
        return ctypes.c_uint32.from_buffer(self.map, offset)

    def exchange(self, offset, value):
        return atomic_exchange(self.address + offset, value, SEQ_CST)

    def fetch_or(self, offset, value):
        return atomic_fetch_or(self.address + offset, value, SEQ_CST)

    def fetch_and(self, offset, value):
        return atomic_fetch_and(self.address + offset, value, SEQ_CST)


class Elf:
    """As much of an ELF file of 32 bits as remoteproc looks at"""

    def __init__(self, path):
        self.data = path.read_bytes()
        (_, self.type, self.machine, _, self.entry, phoff, shoff, _, _, phsize, phnum, shsize, shnum,
         names) = struct.unpack_from("<16sHHIIIIIHHHHHH", self.data)
        headers = [struct.unpack_from("<8I", self.data, phoff + n * phsize) for n in range(phnum)]
        self.segments = [Segment(h[3], h[4], h[5], h[1], h[6]) for h in headers if h[0] == 1]
        headers = [struct.unpack_from("<10I", self.data, shoff + n * shsize) for n in range(shnum)]
        self.sections = {(name := self.text(headers[names][4] + h[0])): Section(name, h[3], h[5]) for h in headers}

    def text(self, offset):
        return self.data[offset:self.data.index(b"\0", offset)].decode()

    def load(self, memory, base):
        for s in self.segments:
            memory.map[s.address - base:s.address - base + s.size] = self.data[s.offset:s.offset + s.file_size].ljust(s.size, b"\0")


class Slave:
    """A slave's QEMU with its window and its couple, whose other end is this object: it takes the vectors and sees the state."""

    def __init__(self, loop, directory, board):
        self.loop, self.board = loop, board
        self.elf = Elf(FIRMWARE / board.firmware)
        window, page = memfd(board.size, "window"), memfd(PAGE_SIZE, "page")
        self.memory, self.page = Memory(window, board.size), Memory(page, PAGE_SIZE)
        self.page.map[:12] = struct.pack("=III", PAGE_MAGIC, PAGE_VERSION, 1)
        self.page.u32(MASTER_STATE).value = RUNNING
        self.rx, self.tx = (os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(2))
        self.vectors, self.acknowledges = collections.Counter(), True
        loop.watch(self.rx, self.on_interrupt)

        log, serial, monitor = (directory / name for name in ("slave.log", "slave.console", "slave.qmp"))
        with socket.socket(socket.AF_UNIX) as listener, open(directory / "slave.stderr", "wb") as stderr:
            listener.bind(str(monitor))
            listener.listen()
            self.process = Process(loop, [
                QEMU, "-nodefaults", "-no-user-config", "-display", "none",
                "-chardev", f"socket,id=qmp,fd={listener.fileno()},server=on,wait=off", "-mon", "chardev=qmp,mode=control",
                "-chardev", f"socket,id=console,path={serial},server=on,wait=off,logfile={log}", "-serial", "chardev:console",
                *board.arguments], pass_fds=[listener.fileno()], stderr=stderr)
        self.qmp = Qmp(monitor)
        self.console = Console(loop, str(log), str(serial))
        name = self.qmp.name_fd
        couple = {"page": name("page", page), "rx": name("rx", self.tx), "tx": name("tx", self.rx)}
        self.qmp.call("het-master-attach", id=1, couple=couple)
        self.qmp.call("het-memory-grant", id="mem", memory=name("window", window), bus_address=board.base)
        os.close(window)
        os.close(page)

    def on_interrupt(self):
        os.eventfd_read(self.rx)
        pending = self.page.exchange(MASTER_PENDING, 0)
        self.vectors.update(n for n in range(32) if pending >> n & 1)
        if self.acknowledges:
            self.acknowledge(pending)

    def acknowledge(self, vectors):
        """A sender that waits for it is told."""
        if self.page.fetch_and(MASTER_CHANNELS, ~vectors & 0xffffffff) & vectors:
            os.eventfd_write(self.tx, 1)

    def set_flag(self, channel):
        """As the mailbox of a master does it; the firmware clears it."""
        if not self.page.fetch_or(SLAVE_CHANNELS, 1 << channel) >> channel & 1:
            self.kick(channel)

    def flag_is_set(self, channel):
        return self.page.u32(SLAVE_CHANNELS).value >> channel & 1

    def kick(self, vector):
        if not self.page.fetch_or(SLAVE_PENDING, 1 << vector):
            os.eventfd_write(self.tx, 1)

    @property
    def state(self):
        return self.page.u32(SLAVE_STATE).value

    def wait_state(self, state):
        self.loop.wait(lambda: self.state == state, lambda: f"state {state}; it is {self.state}")

    def load(self):
        self.elf.load(self.memory, self.board.base)

    def boot(self):
        self.qmp.call("het-slave-boot", entry=self.elf.entry)

    def stop(self):
        self.qmp.call("het-slave-stop")

    def close(self):
        self.loop.forget(self.rx)
        self.console.close()
        self.qmp.close()
        self.process.end()
        os.close(self.rx)
        os.close(self.tx)


class Ring:
    """The driver's side of a ring at an offset of the window"""

    def __init__(self, memory, offset):
        self.memory, self.offset = memory, offset
        self.available, self.used = offset + 16 * NUM, offset + ALIGN
        memory.map[offset:offset + RING_SIZE] = bytes(RING_SIZE)
        self.taken = 0          # of the used buffers

    def set_descriptor(self, n, address, size, flags):
        at = self.offset + 16 * n
        self.memory.map[at:at + 16] = struct.pack("<QIHH", address, size, flags, 0)

    def set_flags(self, flags):
        self.memory.u16(self.available).value = flags

    def offer(self, n):
        """Make descriptor n available."""
        index = self.memory.u16(self.available + 2)
        self.memory.u16(self.available + 4 + 2 * (index.value % NUM)).value = n
        index.value += 1

    @property
    def used_index(self):
        return self.memory.u16(self.used + 2).value

    def take(self):
        """A buffer that came back: (descriptor, size), or None"""
        if self.used_index == self.taken:
            return None
        at = self.used + 4 + 8 * (self.taken % NUM)
        self.taken = (self.taken + 1) & 0xffff
        return self.memory.u32(at).value, self.memory.u32(at + 4).value


class Driver:
    """
    virtio_rpmsg_bus: two rings and their buffers at the end of the window. Whatever the slave sends is in `messages`; its buffers are
    given back at once, unless `keep` is set.
    """

    def __init__(self, slave, vectors=(0, 1)):
        self.slave, self.loop, self.memory, self.base = slave, slave.loop, slave.memory, slave.board.base
        self.table = slave.elf.sections[".resource_table"].address - self.base
        self.vectors = vectors
        self.messages, self.keep, self.kept = [], False, []

    # --- the resource table ---

    @property
    def status(self):
        return self.memory.u8(self.table + 24 + 24)

    def set_ring(self, n, address, vector):
        self.memory.u32(self.table + 52 + 20 * n).value = address
        self.memory.u32(self.table + 52 + 20 * n + 12).value = vector

    def place(self, offset):
        """New rings there, with all receive buffers in the first"""
        self.buffers = offset + 0x10000
        self.rings = [Ring(self.memory, offset), Ring(self.memory, offset + 0x4000)]
        for n, ring in enumerate(self.rings):
            self.set_ring(n, self.base + ring.offset, self.vectors[n])
        self.free = list(range(NUM))
        for n in range(NUM):
            self.rings[0].set_descriptor(n, self.base + self.buffer(0, n), BUFFER, WRITE)
            self.rings[0].offer(n)
        self.rings[1].set_flags(NO_INTERRUPT)

    def buffer(self, ring, n):
        return self.buffers + (ring * NUM + n) * BUFFER

    def probe(self, features=1):
        """In Linux's order: rings, status, and then a kick for the receive buffers"""
        self.messages, self.kept = [], []
        self.place(len(self.memory.map) - MIB)
        self.memory.u32(self.table + 24 + 16).value = features
        self.status.value = READY_TO_GO
        self.kick(0)

    def remove(self):
        self.status.value = 0

    def kick(self, ring):
        self.slave.kick(self.vectors[ring])

    # --- messages ---

    def give_back(self, n):
        self.rings[0].offer(n)

    def receive(self):
        """What is there; True if there was something"""
        before = len(self.messages)
        while used := self.rings[0].take():
            n, size = used
            at = self.buffer(0, n)
            source, destination, _, length, _ = HEADER.unpack_from(self.memory.map, at)
            if length + HEADER.size != size:
                raise AssertionError(f"a message of {length} bytes in a used buffer of {size}")
            self.messages.append(Message(source, destination, self.memory.map[at + HEADER.size:at + size]))
            if self.keep:
                self.kept.append(n)
            else:
                self.give_back(n)
        return len(self.messages) > before

    def wait_messages(self, count):
        """Until that many have come since probe(); the buffers are given back with a kick, as Linux does it"""
        def look():
            if self.receive() and not self.keep:
                self.kick(0)
            return len(self.messages) >= count

        self.loop.wait(look, lambda: f"{count} messages; there are {len(self.messages)}; on the console:\n" +
                       "\n".join(self.slave.console.lines))
        return self.messages

    def reclaim(self):
        while used := self.rings[1].take():
            self.free.append(used[0])

    def put(self, destination, data, length=None, size=None, address=None, flags=0, source=MY_ADDRESS):
        """A message into a free buffer and the ring; what is not given is right"""
        self.reclaim()
        n = self.free.pop(0)
        at = self.buffer(1, n)
        header = HEADER.pack(source, destination, 0, len(data) if length is None else length, 0)
        self.memory.map[at:at + HEADER.size + len(data)] = header + data
        self.rings[1].set_descriptor(n, self.base + at if address is None else address,
                                     HEADER.size + len(data) if size is None else size, flags)
        self.rings[1].offer(n)

    def send(self, destination, data, **values):
        self.put(destination, data, **values)
        self.kick(1)

    def ask(self, destination, data):
        """Sends a message, and returns the answer."""
        count = len(self.messages)
        self.send(destination, data)
        return self.wait_messages(count + 1)[count]
