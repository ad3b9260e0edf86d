#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: Linux attaches to slaves that somebody else has booted, talks with them, and leaves them running.
"""

import os
import signal
import struct

import het_rpmsg
from het_harness import FIRMWARE, main
from het_linux import CHECK_FREED, CLASS, DEBUG, RemoteprocTestCase, SLAVES, Shell, VIRTIO_SIZE, WINDOWS, bad_images, need_guest, patched


def sections_of(elf):
    """(offset, name) of each header in the table of sections"""
    shoff, count, names = struct.unpack_from("<I", elf.data, 32)[0], *struct.unpack_from("<HH", elf.data, 48)
    headers = [shoff + n * 40 for n in range(count)]
    strings = struct.unpack_from("<I", elf.data, headers[names] + 16)[0]
    return [(at, elf.text(strings + struct.unpack_from("<I", elf.data, at)[0])) for at in headers]


def moved_table(address):
    """An image whose resource table is said to be elsewhere: by its section, for hetd, and by the program, which publishes it"""
    elf = het_rpmsg.Elf(FIRMWARE / SLAVES[1])
    at = next(at for at, name in sections_of(elf) if name == ".resource_table")
    program, table = elf.segments[0], struct.pack("<I", elf.sections[".resource_table"].address)
    words = [n for n in range(program.offset, program.offset + program.size, 4) if elf.data[n:n + 4] == table]
    return patched(SLAVES[1], (at + 12, address), *((n, address) for n in words))


def bad_tables():
    """Tables that no image of remoteproc would get through with"""
    elf = het_rpmsg.Elf(FIRMWARE / SLAVES[1])
    table = elf.sections[".resource_table"].address
    segment = next(s for s in elf.segments if s.address <= table < s.address + s.size)
    at = segment.offset + table - segment.address
    vdev, trace = (at + struct.unpack_from("<I", elf.data, at + 16 + 4 * n)[0] for n in (0, 1))
    return {
        "version.elf": patched(SLAVES[1], (at, 2)),
        "none.elf": patched(SLAVES[1], (at + 4, 17)),
        "many.elf": patched(SLAVES[1], (at + 4, 0xffffffff)),
        "offset.elf": patched(SLAVES[1], (at + 20, 0xfffffff0)),
        "offset-end.elf": patched(SLAVES[1], (at + 20, 4094)),
        "rings.elf": patched(SLAVES[1], (vdev + 24, 0xff00)),
        "config.elf": patched(SLAVES[1], (vdev + 20, 0xfffffff0)),
        "trace-address.elf": patched(SLAVES[1], (trace + 4, WINDOWS[0][0])),
        "trace-wrap.elf": patched(SLAVES[1], (trace + 4, 0xfffff000), (trace + 8, 0x2000)),
        "trace-size.elf": patched(SLAVES[1], (trace + 8, 2 << 20)),
    }


class AttachTestCase(RemoteprocTestCase):
    def attach(self, number):
        """And waits for the services, as start() does it"""
        since = self.console.mark()
        self.write(number, "state", "start")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assertEqual(self.state(number), "attached")

    def detach(self, number):
        since = self.slave(number).console().mark()
        self.write(number, "state", "detach")
        self.assertEqual(self.state(number), "detached")
        self.slave(number).console().expect("rpmsg: the driver is gone", since)


class Attach(AttachTestCase):
    shares_boot = True

    def test_attach_talk_detach(self):
        self.boot(1)
        boots = self.slave2.boots
        for n in range(3):
            self.attach(1)
            self.echo(self.tty(1), f"attached {n}")
            self.assertIn("rpmsg firmware, booted at 0x70000000", self.shell.read(f"{DEBUG}1/trace0"))
            self.detach(1)
            self.assertEqual(self.shell.ok("ls /sys/bus/rpmsg/devices"), "")
            self.assertEqual((self.slave2.state, self.slave2.boots), ("running", boots))
        # One that was attached to can be stopped, and Linux starts its own then
        self.attach(1)
        self.stop(1)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "stop"))
        self.start(1)
        self.echo(self.tty(1), "now it is ours")

    def test_both(self):
        """One that Linux has started, one that it has attached to: they do not notice each other."""
        self.start(0)
        self.boot(1)
        self.attach(1)
        for n in range(3):
            self.echo(self.tty(0), f"started {n}")
            self.echo(self.tty(1), f"attached {n}")
        self.detach(1)
        self.echo(self.tty(0), "still well")

    def test_new_driver(self):
        """It finds what the one before it has detached from; nothing of either is left."""
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        self.boot(1)
        self.attach(1)
        self.detach(1)
        before = self.shell.ok(maps)
        for _ in range(3):
            self.shell.ok(f"rmmod {self.driver} && modprobe {self.driver}")
            self.assertEqual(self.state(1), "detached")
            self.attach(1)
            self.echo(self.tty(1), "a new driver")
            self.detach(1)
        self.assertEqual(self.shell.ok(maps), before, "mappings are left")

    def test_no_table(self):
        """What has no resource table is attached to without rpmsg; it can be watched and stopped."""
        since = self.console.mark()
        self.boot(1, Firmware=str(FIRMWARE / "first-light-slave-m3.elf"))
        self.write(1, "state", "start")
        self.console.expect("it publishes no resource table", since)
        self.assertEqual(self.state(1), "attached")
        self.stop(1)
        self.assertEqual(self.slave2.state, "ready")
        # Stopped by somebody else: it was not Linux' own
        self.boot(1)
        self.slave2.call("Stop")
        self.wait_state(1, "offline")
        # A new driver finds one that runs
        self.shell.ok("rmmod idm_rproc")
        self.slave2.boot()
        self.shell.ok("modprobe idm_rproc")
        self.assertEqual(self.state(1), "detached")


class BeforeLinux(AttachTestCase):
    """A slave that runs before Linux does"""

    changes = (("Role=slave\nId=2\n", "Role=slave\nId=2\nAutoBoot=yes\n"),)

    def test_attach_detach_attach(self):
        self.assertEqual([self.state(n) for n in (0, 1)], ["offline", "detached"])
        self.assertEqual((self.slave2.state, self.slave2.boots), ("running", 1))
        for n in range(2):
            self.attach(1)
            self.echo(self.tty(1), f"it was there first {n}")
            self.detach(1)
        self.assertEqual((self.slave2.state, self.slave2.boots), ("running", 1))


class Reboot(AttachTestCase):
    def test_slaves_are_stopped(self):
        self.start(0)
        self.start(1)
        fds = self.hetd.fds()
        for boots in (2, 3):
            self.reboot()
            self.assertEqual(self.master.get("Boots"), boots)
            for number, slave in enumerate((self.slave1, self.slave2)):
                self.assertEqual((self.state(number), slave.state, slave.reason), ("offline", "ready", "master-reset"))
                self.start(number)
                self.echo(self.tty(number), "a new life")
        self.assertEqual(self.hetd.fds(), fds)


class RebootKeep(AttachTestCase):
    changes = (("Restart=on-failure\n", "Restart=on-failure\nOnMasterReset=keep\nOnMasterFailure=keep\n"),
               ("Role=master\n", "Role=master\nRestart=on-failure\n"))

    def test_slaves_go_on(self):
        """One that Linux has started, and one that it has attached to. The next Linux attaches to both, and the one after it."""
        self.start(0)
        self.boot(1)
        self.attach(1)
        self.echo(self.tty(0), "before")
        self.echo(self.tty(1), "before")
        boots = self.slave1.boots, self.slave2.boots
        for n in range(2):
            self.reboot()
            self.assertEqual([self.state(n) for n in (0, 1)], ["detached", "detached"])
            for number in (1, 0):
                self.attach(number)
                self.echo(self.tty(number), f"after {n}")
            self.assertEqual((self.slave1.boots, self.slave2.boots), boots)
        # Nor is the QEMU of the master what they depend on: another one attaches as another Linux does
        since = self.console.mark()
        os.kill(self.master.pid, signal.SIGKILL)
        self.bus.wait_property(self.master.path, "Processor", "Restarts", 1)
        self.shell = Shell(self.console, since)
        self.assertEqual(([self.state(n) for n in (0, 1)], self.master.get("Restarts")), (["detached", "detached"], 1))
        for number in (0, 1):
            self.attach(number)
            self.echo(self.tty(number), "after all")
        self.assertEqual((self.slave1.boots, self.slave2.boots), boots)
        self.detach(0)
        self.stop(1)
        self.reboot()
        self.assertEqual([self.state(n) for n in (0, 1)], ["detached", "offline"])
        self.start(1)
        self.attach(0)
        self.echo(self.tty(0), "again")


class Crash(AttachTestCase):
    shares_boot = True

    def test_recovered_with_its_image(self):
        """Linux loads what it would have started itself, which is what ran."""
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.boot(number)
            boots = slave.boots
            self.attach(number)
            for n in range(2):
                since = self.console.mark()
                self.shell.ok(f"echo crash >{self.tty(number)}")
                self.wait_recovered(number, since)
                self.echo(self.tty(number), f"back again {n}")
            self.assertEqual(slave.boots, boots + 2)
            self.stop(number)

    def test_stopped_and_killed(self):
        self.boot(0)
        self.attach(0)
        since = self.console.mark()
        self.slave1.call("Stop")
        self.wait_recovered(0, since)
        self.stop(0)
        self.boot(0)
        self.attach(0)
        since = self.console.mark()
        os.kill(self.slave1.pid, signal.SIGKILL)
        self.wait_recovered(0, since)
        self.echo(self.tty(0), "back again")

    def test_another_image(self):
        """What Linux would start is not what ran: it is not put into a slave with the other's resources."""
        self.write(1, "firmware", "first-light.elf")
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        before = self.shell.ok(maps)
        for _ in range(2):
            self.boot(1)
            self.attach(1)
            since = self.console.mark()
            self.shell.ok(f"echo crash >{self.tty(1)}")
            self.console.expect("it was not booted by Linux with first-light.elf, and cannot be recovered with it", since)
            self.wait_state(1, "offline")
            self.assertEqual(self.slave2.state, "ready")
            self.assertEqual(self.shell.ok("ls /sys/bus/rpmsg/devices"), "")
            self.assertEqual(self.shell.ok(maps), before, "mappings are left")
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "now it is ours")


class Hostile(AttachTestCase):
    """A slave that says what it likes of its resource table, after one that was good"""

    changes = (CHECK_FREED,)

    def refused_tables(self):
        base, size = WINDOWS[1]
        images = {n: bad_images()[n] for n in ("vdevs.elf", "carveout.elf", "ring-size.elf", "ring-odd.elf", "ring-address.elf")}
        images |= bad_tables()
        return images | {"address.elf": moved_table(base + size - VIRTIO_SIZE), "unaligned.elf": moved_table(base + 2),
                         "vectors.elf": moved_table(base)}

    def test_bad_tables(self):
        self.boot(1)
        self.attach(1)
        self.detach(1)
        self.slave2.call("Stop")
        self.wait_state(1, "offline")
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        before = self.shell.ok(maps)
        for name, data in self.refused_tables().items():
            with self.subTest(image=name):
                path = self.directory / name
                path.write_bytes(data)
                self.boot(1, Firmware=str(path))
                self.shell.fails(f"echo start >{CLASS}1/state")
                self.assertEqual((self.state(1), self.slave2.state), ("detached", "running"))
                self.assertEqual(self.shell.ok(maps), before, "mappings are left")
                self.slave2.call("Stop")
                self.wait_state(1, "offline")
        self.boot(1)
        self.attach(1)
        self.echo(self.tty(1), "still well")


if __name__ == "__main__":
    need_guest()
    main()
