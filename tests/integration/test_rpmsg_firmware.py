#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rpmsg firmware of both boards in real slave QEMUs; their master is het_rpmsg.py, which plays Linux, also a broken one."""

import pathlib
import struct
import tempfile
import unittest

from het_events import Loop
from het_harness import MIB, main
from het_rpmsg import (ACKNOWLEDGE, BOARDS, CRASHED, DRIVER, Driver, Elf, FIRMWARE, MASTER_CHANNELS, MASTER_PENDING, MESSAGE_MAX,
                       MY_ADDRESS, Message, NAME_SERVICE, NEXT, NUM, READY, READY_TO_GO, RUNNING, Slave, WRITE)

TTY, RAW, PING = 0x400, 0x401, 0x402
SERVICES = [("rpmsg-tty", TTY), ("rpmsg-raw", RAW), ("rpmsg-ping", PING)]


def pattern(number, size):
    return (struct.pack("<I", number) * (size // 4 + 1))[:size]


class ElfFile:
    """Without running it: what remoteproc reads in the file"""

    def setUp(self):
        self.elf = Elf(FIRMWARE / self.board.firmware)

    def test_resource_table(self):
        section = self.elf.sections[".resource_table"]
        segment = next(s for s in self.elf.segments if s.address == section.address)
        table = self.elf.data[segment.offset:segment.offset + section.size]
        self.assertEqual(struct.unpack_from("<6I", table), (1, 2, 0, 0, 24, 92))
        self.assertEqual(struct.unpack_from("<6I4B", table, 24), (3, 7, 0, 1, 0, 0, 0, 2, 0, 0))
        for offset in (52, 72):
            self.assertEqual(struct.unpack_from("<5I", table, offset), (0xffffffff, 4096, 16, 0, 0))
        kind, trace, size, reserved, name = struct.unpack_from("<4I32s", table, 92)
        self.assertEqual((kind, size, reserved, name.rstrip(b"\0")), (2, 4096, 0, b"trace0"))
        self.assertEqual(len(table), 140)
        # A segment of their own, which is zero but for the table
        self.assertEqual(segment.file_size, section.size)
        self.assertEqual((trace, trace + size), (segment.address + section.size, segment.address + segment.size))

    def test_place(self):
        self.assertEqual((self.elf.type, self.elf.machine, self.elf.entry), (2, 40, self.board.base))
        for segment in self.elf.segments:
            self.assertGreaterEqual(segment.address, self.board.base)
            self.assertLessEqual(segment.address + segment.size, self.board.base + self.board.size - MIB)


class Firmware:
    """The firmware in its slave, loaded and booted, with a driver that has not come yet"""

    says_first = "slave1: rpmsg firmware"
    bad_vectors = (32, 0xffffffff)

    def setUp(self):
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        temporary = tempfile.TemporaryDirectory(prefix="het-")
        self.addCleanup(temporary.cleanup)
        self.slave = Slave(self.loop, pathlib.Path(temporary.name), self.board)
        self.addCleanup(self.slave.close)
        self.driver = Driver(self.slave)
        self.start()

    def start(self):
        self.since = self.slave.console.mark()
        self.slave.load()
        self.slave.boot()
        self.expect(rf"{self.says_first}, booted at {self.board.base:#x}$")        # perhaps behind half a line of the last boot

    def expect(self, text):
        return self.slave.console.expect(text, self.since)

    def probe(self, **values):
        self.driver.probe(**values)
        self.assertAnnounced()

    def assertAnnounced(self):
        expected = [Message(address, NAME_SERVICE, struct.pack("<32sII", name.encode(), address, 0)) for name, address in SERVICES]
        self.assertEqual(self.driver.wait_messages(len(SERVICES)), expected)

    def assertWorks(self, size=100):
        data = pattern(len(self.driver.messages), size)
        self.assertEqual(self.driver.ask(RAW, data), Message(RAW, MY_ADDRESS, data))

    def trace(self):
        at = self.slave.elf.sections[".resource_table"].address + 140 - self.board.base
        return self.slave.memory.map[at:at + 4096].split(b"\0")[0].decode()

    # --- what Linux does ---

    def test_services(self):
        self.probe()
        self.assertEqual(self.driver.ask(TTY, b"hello over rpmsg\n"), Message(TTY, MY_ADDRESS, b"hello over rpmsg\n"))
        self.assertEqual(self.driver.ask(PING, b"ping 17"), Message(PING, MY_ADDRESS, b"pong 17"))
        for size in (0, 1, 2, 3, 4, 16, 255, MESSAGE_MAX - 1, MESSAGE_MAX):
            with self.subTest(size=size):
                self.assertWorks(size)
        self.driver.send(RAW, b"somebody else's", source=77)
        self.assertEqual(self.driver.wait_messages(len(self.driver.messages) + 1)[-1], Message(RAW, 77, b"somebody else's"))

    def test_trace(self):
        self.probe()
        self.assertTrue(self.trace().startswith(f"{self.says_first}, booted at {self.board.base:#x}\n"), self.trace())
        self.assertIn("rpmsg: the driver is there", self.trace())

    def test_waits_for_driver_ok(self):
        """Rings that are there before DRIVER_OK are none: the driver may still move them."""
        self.probe()
        self.driver.status.value = ACKNOWLEDGE | DRIVER         # before the rings: it may still be busy with the last kick
        self.driver.kick(0)
        self.expect("^rpmsg: the driver is gone$")
        self.driver.place(self.board.size - MIB)
        early = self.driver.rings
        self.driver.kick(0)
        self.driver.place(self.board.size - MIB // 2)
        self.driver.messages.clear()
        self.driver.status.value = READY_TO_GO
        self.driver.kick(0)
        self.assertAnnounced()
        self.assertEqual([ring.used_index for ring in early], [0, 0])

    def test_kick_before_boot_is_ready(self):
        """Linux may be through with its part before the first instruction was executed."""
        self.slave.stop()
        self.slave.load()
        self.slave.qmp.call("stop")
        self.slave.boot()
        self.driver.probe()
        self.slave.qmp.call("cont")
        self.assertAnnounced()
        self.assertWorks()

    def test_notify_ids(self):
        self.driver.vectors = (29, 5)
        self.probe()
        self.assertWorks()
        self.driver.rings[1].set_flags(0)
        self.assertWorks()
        self.loop.wait(lambda: self.slave.vectors[5], "the vector of the second ring")
        self.assertEqual(set(self.slave.vectors), {29, 5})

    def test_no_name_service(self):
        self.driver.probe(features=0)
        self.expect("rpmsg: the driver is there")
        self.assertWorks()
        self.assertEqual(len(self.driver.messages), 1)

    def test_interrupts_that_are_not_wanted(self):
        """By default Linux does not want to know when its sent buffers come back."""
        self.probe()
        for _ in range(50):
            self.assertWorks()
        self.assertEqual(self.slave.vectors[1], 0)
        self.driver.rings[1].set_flags(0)
        self.assertWorks()
        self.loop.wait(lambda: self.slave.vectors[1], "the vector of the second ring")

    def test_many(self):
        """Both rings' indices go round, 16 messages at a time."""
        self.probe()
        first = len(self.driver.messages)
        for batch in range(0, 70000, NUM):
            for n in range(NUM):
                self.driver.put(RAW, pattern(batch + n, 8))
            self.driver.kick(1)
            self.driver.wait_messages(first + NUM)
            self.assertEqual([m.data for m in self.driver.messages[first:]], [pattern(batch + n, 8) for n in range(NUM)])
            del self.driver.messages[first:]

    def test_no_buffers_to_answer(self):
        """Buffers that Linux does not give back make the messages wait, and none is lost."""
        self.probe()
        self.driver.keep = True
        first = len(self.driver.messages)
        for n in range(NUM):
            self.driver.put(RAW, pattern(n, 64))
        self.driver.kick(1)
        self.driver.wait_messages(first + NUM)
        for n in range(NUM, NUM + 10):
            self.driver.put(RAW, pattern(n, 64))
        self.driver.kick(1)
        for n in range(10):
            self.assertEqual(self.driver.rings[1].used_index, NUM + n)
            self.driver.give_back(self.driver.kept.pop(0))
            self.driver.kick(0)
            self.driver.wait_messages(first + NUM + n + 1)
        self.assertEqual([m.data for m in self.driver.messages[first:]], [pattern(n, 64) for n in range(NUM + 10)])

    # --- coming and going ---

    def test_driver_comes_again(self):
        self.probe()
        self.assertWorks()
        self.driver.remove()
        self.driver.kick(1)
        self.expect("rpmsg: the driver is gone")
        for _ in range(5):
            self.probe()
            self.assertWorks()
            self.driver.remove()        # not told: it sees the new rings only

    def test_stop_and_start(self):
        self.probe()
        for _ in range(20):
            self.assertWorks()
            self.driver.remove()
            self.slave.stop()
            self.slave.wait_state(READY)
            self.start()
            self.slave.wait_state(RUNNING)
            self.probe()
        self.assertWorks()

    def test_crash(self):
        for _ in range(3):
            self.probe()
            self.assertWorks()
            self.driver.send(TTY, b"crash\n")
            self.slave.wait_state(CRASHED)
            self.assertRegex(self.trace(), r"crashing, as told\nfault: exception [13], return address 0x[67]0000[0-9a-f]{3,4}\n$")
            self.driver.remove()
            self.slave.stop()
            self.slave.wait_state(READY)
            self.start()
        self.probe()
        self.assertWorks()

    # --- what it must not believe ---

    def test_bad_messages(self):
        """Each is dropped, its buffer comes back, and the next message is answered."""
        self.probe()
        cases = {
            "longer than its buffer": {"data": b"x" * 8, "length": 9},
            "as long as can be said": {"data": b"x" * 8, "length": 0xffff},
            "more than rpmsg has": {"data": b"x" * MESSAGE_MAX, "length": MESSAGE_MAX + 1, "size": 16 + MESSAGE_MAX + 1},
            "no room for a header": {"data": b"", "size": 15},
            "empty buffer": {"data": b"", "size": 0},
            "nobody there": {"data": b"hello", "destination": 0x7777},
        }
        for name, case in cases.items():
            with self.subTest(name):
                since = self.slave.console.mark()
                count, used = len(self.driver.messages), self.driver.rings[1].used_index
                self.driver.send(**{"destination": RAW, **case})
                self.slave.console.expect("^rpmsg: a message is dropped: ", since)
                self.assertWorks()
                self.assertEqual(len(self.driver.messages), count + 1)
                self.assertEqual(self.driver.rings[1].used_index, used + 2)

    def assertBroken(self, text):
        """The ring is given up, and whatever was wrong with it, new ones are as good as ever."""
        self.expect(text)
        self.driver.remove()
        self.driver.kick(0)
        self.expect("^rpmsg: the driver is gone$")
        self.since = self.slave.console.mark()
        self.probe()
        self.assertWorks()

    def test_bad_descriptors(self):
        self.probe()
        outside = "the ring from the master has a buffer at the address"
        for case, text in (({"address": self.board.base - 4096}, outside), ({"address": self.board.base}, outside),
                           ({"address": self.board.base + self.board.size - 8}, outside), ({"address": 0xfffffff8}, outside),
                           ({"address": 1 << 32 | self.board.base + self.board.size - MIB}, outside),
                           ({"address": self.board.base + self.board.size - 1021}, outside), ({"size": 0xffffffff}, outside),
                           ({"flags": WRITE}, "a buffer with the flags 0x2"), ({"flags": NEXT}, "a buffer with the flags 0x1")):
            with self.subTest(**case):
                self.driver.send(RAW, b"hello", **case)
                self.assertBroken(text)

    def test_bad_indices(self):
        self.probe()
        self.driver.put(RAW, b"hello")
        available = self.driver.rings[1].available
        self.slave.memory.u16(available + 4).value = NUM
        self.driver.kick(1)
        self.assertBroken("the ring from the master has a descriptor 0x10")
        for n, ring in enumerate(("to", "from")):
            self.slave.memory.u16(self.driver.rings[n].available + 2).value = 0x8000
            self.driver.kick(1)
            self.assertBroken(f"the ring {ring} the master has more buffers than it has room for")

    def test_bad_receive_buffers(self):
        for case, text in (((self.board.base, 512, WRITE), "the ring to the master has a buffer at the address"),
                           ((self.board.base + self.board.size - 4096, 512, 0), "a buffer with the flags 0x0"),
                           ((self.board.base + self.board.size - 4096, 20, WRITE), "rpmsg: a buffer of 20 bytes is too small")):
            with self.subTest(text):
                self.driver.place(self.board.size - MIB)
                self.driver.rings[0].set_descriptor(0, *case)
                self.driver.status.value = READY_TO_GO
                self.slave.memory.u32(self.driver.table + 40).value = 1
                self.driver.kick(0)
                self.assertBroken(text)
                self.driver.remove()
                self.driver.kick(0)
                self.expect("the driver is gone")
                self.since = self.slave.console.mark()

    def test_bad_rings(self):
        good = self.board.base + self.board.size - MIB
        for address, vector, text in ((0xffffffff, 0, "the address"), (0, 0, "the address"), (self.board.base, 0, "the address"),
                                      (self.board.base + self.board.size - 4096, 0, "the address"), (good + 2, 0, "the address"),
                                      *((good, vector, "the notify id") for vector in self.bad_vectors)):
            with self.subTest(address=hex(address), vector=vector):
                self.since = self.slave.console.mark()
                self.driver.place(self.board.size - MIB)
                self.driver.set_ring(0, address, vector)
                self.driver.status.value = READY_TO_GO
                self.driver.kick(0)
                self.expect(f"^rpmsg: the ring to the master has {text} ")
                self.driver.remove()
        self.probe()
        self.assertWorks()

    def drop(self, digits):
        """A message that makes a line of the log, so many digits longer than the shortest"""
        since = self.slave.console.mark()
        self.driver.send(0x10000000 >> 4 * (7 - digits), b"")
        self.slave.console.expect("^rpmsg: a message is dropped: nobody is at 0x10*$", since)

    def test_trace_overflows(self):
        """The newest is kept, and there is always an end, also when a line ends where the buffer does."""
        self.probe()
        shortest = len("rpmsg: a message is dropped: nobody is at 0x1\n")
        rest = 4096 - len(self.trace())
        lines = rest // (shortest + 3)
        longer = rest - lines * shortest
        for n in range(lines):
            self.assertLess(len(self.trace()), 4096)
            self.drop(longer // lines + (n < longer % lines))
        self.assertEqual(len(self.trace()), 4096 - 2048)
        self.assertTrue(self.trace().endswith(": nobody is at 0x1000\n"), self.trace())
        self.assertNotIn("booted", self.trace())
        for _ in range(100):
            self.drop(3)
            self.assertLess(len(self.trace()), 4096)
        self.assertGreaterEqual(len(self.trace()), 2047)


class FirmwareIpcc(Firmware):
    """The same with the mailbox of an STM32MP1: all of the above, and a master that leaves, or ends it"""

    says_first = "slave: rpmsg firmware"
    bad_vectors = (2, 31, 32, 0xffffffff)
    test_notify_ids = None              # the channels of the rings are 0 and 1

    def test_waits_for_the_flag(self):
        """A flag that is set already sends nothing: what is to be told waits, and comes when the flag was cleared."""
        self.probe()
        for n in range(20):
            self.slave.acknowledges = False
            self.driver.send(RAW, pattern(n, 8))
            self.loop.wait(lambda: self.slave.page.u32(MASTER_CHANNELS).value & 1 and not self.slave.page.u32(MASTER_PENDING).value,
                           "the flag")
            count = self.slave.vectors[0]
            self.driver.put(RAW, pattern(n, 8))
            self.slave.set_flag(1)
            self.loop.wait(lambda: not self.slave.flag_is_set(1), "the flag of the master to be cleared")
            self.assertEqual(self.slave.vectors[0], count)
            self.slave.acknowledges = True
            self.slave.acknowledge(1)
            self.loop.wait(lambda: self.slave.vectors[0] > count, "the flag once more")
            self.driver.wait_messages(len(SERVICES) + 2 * (n + 1))

    def test_master_leaves(self):
        """The resource table goes on to say that the driver is there."""
        self.probe()
        self.slave.set_flag(3)
        self.expect("^slave: the master has left$")
        self.expect("^rpmsg: the driver is gone$")
        self.loop.wait(lambda: not self.slave.flag_is_set(3), "the flag to be cleared")
        self.assertEqual(self.driver.status.value, READY_TO_GO)
        self.probe()
        self.assertWorks()

    def test_shutdown(self):
        self.probe()
        self.slave.set_flag(2)
        self.loop.wait(lambda: not self.slave.flag_is_set(2), "the acknowledgement")
        self.expect("^slave: the master is about to stop this program$")
        self.expect("^rpmsg: the driver is gone$")


def tests(kind, name):
    return type(f"{kind.__name__}_{name}", (kind, unittest.TestCase), {"board": BOARDS[name], "maxDiff": None, "__module__": __name__})


ElfFileA15, ElfFileM3 = tests(ElfFile, "a15"), tests(ElfFile, "m3")
FirmwareA15, FirmwareM3 = tests(Firmware, "a15"), tests(Firmware, "m3")
ElfFileIpccA15, ElfFileIpccM3 = tests(ElfFile, "ipcc_a15"), tests(ElfFile, "ipcc_m3")
FirmwareIpccA15, FirmwareIpccM3 = tests(FirmwareIpcc, "ipcc_a15"), tests(FirmwareIpcc, "ipcc_m3")

if __name__ == "__main__":
    main()
