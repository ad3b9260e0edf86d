#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: Debian's Linux starts and stops the slaves through remoteproc, talks with them through rpmsg, and
gets over their crashes.

QEMU_HET_CYCLES  how often the long tests start, talk, stop (default: 20)
"""

import os
import signal
import struct

import het_rpmsg
from het_harness import FIRMWARE, main
from het_linux import LinuxTestCase, SLAVES, Shell, need_guest

CYCLES = int(os.environ.get("QEMU_HET_CYCLES", "20"))
CLASS = "/sys/class/remoteproc/remoteproc"
DEBUG = "/sys/kernel/debug/remoteproc/remoteproc"
WINDOWS = {0: (0x60000000, 64 << 20), 1: (0x70000000, 16 << 20)}
VIRTIO_SIZE = 1 << 20           # the end of each window, for rings and buffers


def patched(name, *changes):
    """Firmware with other words: (offset, value)"""
    data = bytearray((FIRMWARE / name).read_bytes())
    for offset, value in changes:
        struct.pack_into("<I", data, offset, value)
    return bytes(data)


def bad_images():
    """Images for the Cortex-M3, each with what is wrong with it"""
    name = SLAVES[1]
    elf = het_rpmsg.Elf(FIRMWARE / name)
    base, size = WINDOWS[1]
    phoff = struct.unpack_from("<I", elf.data, 28)[0]
    table = elf.sections[".resource_table"]
    file_offset = next(s for s in elf.segments if s.address <= table.address < s.address + s.size)
    table_offset = file_offset.offset + table.address - file_offset.address
    entry = table_offset + struct.unpack_from("<I", elf.data, table_offset + 16)[0]         # the first: RSC_VDEV
    second = table_offset + struct.unpack_from("<I", elf.data, table_offset + 20)[0]

    def address(value):
        return patched(name, (phoff + 12, value))

    return {
        "before.elf": address(base - 0x1000),
        "behind.elf": address(base + size),
        "virtio.elf": address(base + size - VIRTIO_SIZE - 0x100),
        "wrap.elf": address(0xfffffff0),
        "other.elf": address(WINDOWS[0][0]),
        "cut.elf": patched(name, (28, len(elf.data) - 8)),
        "text.elf": b"This is no program.\n" * 100,
        "empty.elf": b"",
        "vdevs.elf": patched(name, (second, 3)),
        "carveout.elf": patched(name, (second, 0)),
        "ring-size.elf": patched(name, (entry + 36, 0x10000)),
        "ring-odd.elf": patched(name, (entry + 36, 17)),
        "ring-address.elf": patched(name, (entry + 28, base)),
    }


class Linux(LinuxTestCase):
    def state(self, number):
        return self.shell.read(f"{CLASS}{number}/state")

    def write(self, number, name, word):
        self.shell.ok(f"echo {word} >{CLASS}{number}/{name}")

    def refused(self, number, name, word, reason):
        self.assertIn(reason, self.shell.fails(f"echo {word} >{CLASS}{number}/{name}"))

    def start(self, number):
        """And waits until its services are announced, which is when they can be used."""
        since = self.console.mark()
        self.write(number, "state", "start")
        for service in ("rpmsg-tty", "rpmsg-raw", "rpmsg-ping"):
            self.console.expect(rf"creating channel {service} addr", since)
        self.assertEqual(self.state(number), "running")

    def stop(self, number):
        self.write(number, "state", "stop")
        self.assertEqual(self.state(number), "offline")

    def wait_recovered(self, number, since):
        """The kernel is back at where start() was."""
        self.console.expect(rf"remoteproc remoteproc{number}: handling crash #", since)
        self.console.expect(rf"remoteproc remoteproc{number}: remote processor slave{number + 1} is now up", since)
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assertEqual(self.state(number), "running")

    def check_memory(self, *windows):
        """Linux keeps off the windows."""
        memory = self.shell.ok("grep 'System RAM' /proc/iomem").splitlines()
        ranges = [[int(x, 16) for x in line.split(" ")[0].split("-")] for line in memory]
        self.assertTrue(ranges)
        for base, size in windows:
            for first, last in ranges:
                self.assertTrue(last < base or first >= base + size, f"{first:#x}-{last:#x} is in the window at {base:#x}")

    def tty(self, number):
        """The terminal whose other end is this slave"""
        return "/dev/" + self.shell.ok(f"cd {CLASS}{number}/rproc-virtio.*/virtio*/*.rpmsg-tty.*/tty && echo * && cd")

    def echo(self, tty, text):
        """What is written to a terminal of a slave comes back."""
        self.shell.ok(f"exec 3<>{tty} && stty raw -echo <&3")
        self.assertEqual(self.shell.ok(f"echo '{text}' >&3; timeout 30 head -n 1 <&3"), text)
        self.shell.ok("exec 3>&-")

    def leaks(self):
        return self.shell.ok("grep -c ioremap /proc/vmallocinfo; grep -c . /proc/interrupts; ls /sys/bus/rpmsg/devices | wc -l")


class Master(Linux):
    def test_one_instance_for_each_slave(self):
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "remoteproc0  remoteproc1")
        for number, name in enumerate(SLAVES):
            self.assertEqual(self.shell.read(f"{CLASS}{number}/name"), f"slave{number + 1}")
            self.assertEqual(self.shell.read(f"{CLASS}{number}/firmware"), name)
            self.assertEqual(self.state(number), "offline")
        self.assertEqual((self.slave1.state, self.slave2.state), ("ready", "ready"))
        self.check_memory(*WINDOWS.values())

    def test_start_talk_stop(self):
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.start(number)
            self.assertEqual(slave.state, "running")
            base, size = WINDOWS[number]
            slave.console().expect(rf"^slave{number + 1}: rpmsg firmware, booted at {base:#x}$")
            # What it writes into its trace buffer, and where the rings are that it was told of
            trace = self.shell.read(f"{DEBUG}{number}/trace0")
            rings = base + size - VIRTIO_SIZE
            self.assertIn(f"rings at {rings:#x} and {rings + 0x10000:#x}", trace)
            self.echo(self.tty(number), f"Hello, slave{number + 1}")
        # Both at once: no answer is that of the other one
        one, two = self.tty(0), self.tty(1)
        self.assertNotEqual(one, two)
        self.shell.ok(f"exec 3<>{one} 4<>{two} && stty raw -echo <&3 && stty raw -echo <&4")
        for n in range(20):
            self.assertEqual(self.shell.ok(f"echo one{n} >&3; echo two{n} >&4; timeout 30 head -n 1 <&4; timeout 30 head -n 1 <&3"),
                             f"two{n}\none{n}")
        self.shell.ok("exec 3>&- 4>&-")
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.stop(number)
            self.assertEqual((slave.state, slave.reason), ("ready", "stop"))
        self.assertEqual(self.shell.ok("ls /sys/bus/rpmsg/devices"), "")
        # Stopped, other firmware, started again; and the first one again
        self.write(1, "firmware", "first-light.elf")
        since = self.console.mark()
        self.write(1, "state", "start")
        self.console.expect("the image has no resource table", since)
        self.console.expect("remote processor slave2 is now up", since)
        self.assertEqual(self.state(1), "running")
        self.stop(1)
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "again")

    def more_firmware(self):
        return {"first-light.elf": (FIRMWARE / "first-light-slave-m3.elf").read_bytes()}

    def test_abi_refusals(self):
        """As Documentation/ABI/testing/sysfs-class-remoteproc has it"""
        self.refused(0, "state", "stop", "Invalid argument")
        self.refused(0, "state", "jump", "Invalid argument")
        self.refused(0, "state", "detach", "Invalid argument")
        self.write(0, "firmware", "missing.elf")
        self.refused(0, "state", "start", "No such file")
        self.assertEqual((self.state(0), self.slave1.state), ("offline", "ready"))
        self.write(0, "firmware", SLAVES[0])
        self.start(0)
        self.refused(0, "firmware", SLAVES[1], "busy")
        self.assertEqual(self.state(0), "running")

    def test_driver_comes_and_goes(self):
        """It stops what it has started, and leaves nothing: the next one finds a slave that is ready."""
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        self.shell.ok("rmmod idm_rproc")
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "")
        before = self.shell.ok(maps)
        for _ in range(3):
            self.shell.ok("modprobe idm_rproc")
            self.start(0)
            self.start(1)
            self.shell.ok("rmmod idm_rproc")
            self.assertEqual((self.slave1.state, self.slave2.state), ("ready", "ready"))
        self.assertEqual(self.shell.ok(maps), before, "mappings are left")
        self.assertEqual(self.shell.ok("grep -c idm /proc/interrupts; true"), "0")

    def test_booted_by_hetd(self):
        """What somebody else boots is `detached`; it can be attached to, watched and stopped."""
        since = self.console.mark()
        self.slave2.boot()
        self.shell.ok(f"until grep -q detached {CLASS}1/state; do :; done")
        self.write(1, "state", "start")
        self.assertEqual(self.state(1), "attached")
        self.stop(1)
        self.assertEqual(self.slave2.state, "ready")
        # Stopped by somebody else: it was not ours
        self.slave2.boot()
        self.shell.ok(f"until grep -q detached {CLASS}1/state; do :; done")
        self.slave2.call("Stop")
        self.shell.ok(f"until grep -q offline {CLASS}1/state; do :; done")
        # A new driver finds one that runs
        self.shell.ok("rmmod idm_rproc")
        self.slave2.boot()
        self.shell.ok("modprobe idm_rproc")
        self.assertEqual(self.state(1), "detached")
        # One that is attached to and crashes is not Linux' to boot again, but can be
        self.write(1, "state", "start")
        self.slave2.call("Stop")
        self.console.expect("cannot be recovered", since)
        self.shell.ok(f"until grep -q offline {CLASS}1/state; do :; done")
        self.start(1)
        self.echo(self.tty(1), "now it is ours")


class Images(Linux):
    def more_firmware(self):
        return bad_images()

    def test_bad_images(self):
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        before = self.shell.ok(maps)
        for name in bad_images():
            with self.subTest(image=name):
                self.write(1, "firmware", name)
                self.shell.fails(f"echo start >{CLASS}1/state")
                self.assertEqual((self.state(1), self.slave2.state), ("offline", "ready"))
        self.assertEqual(self.shell.ok(maps), before, "mappings are left")
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "still well")


class Crash(Linux):
    def test_fault_of_the_firmware(self):
        """The core stops it, loads its image again and starts it; the other one does not notice."""
        self.start(0)
        self.start(1)
        for number in (0, 1):
            for _ in range(3):
                since = self.console.mark()
                self.shell.ok(f"echo crash >{self.tty(number)}")
                self.wait_recovered(number, since)
                self.echo(self.tty(number), "back again")
                self.echo(self.tty(1 - number), "never away")

    def test_crash_without_recovery(self):
        self.start(1)
        self.write(1, "recovery", "disabled")
        since = self.console.mark()
        self.shell.ok(f"echo crash >{self.tty(1)}")
        self.console.expect("remoteproc remoteproc1: handling crash #1", since)
        self.assertEqual(self.state(1), "crashed")
        since = self.console.mark()
        self.write(1, "recovery", "recover")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.echo(self.tty(1), "back again")

    def test_stopped_by_somebody_else(self):
        """For Linux that is a crash as well: it did not ask for it."""
        self.start(1)
        since = self.console.mark()
        self.slave2.call("Stop")
        self.console.expect("crash detected in slave2: type watchdog", since)
        self.wait_recovered(1, since)
        self.echo(self.tty(1), "back again")

    def test_process_is_killed(self):
        """hetd starts it again, and for Linux that is a crash as any other; the other slave does not notice."""
        self.start(0)
        self.start(1)
        fds = self.hetd.fds()
        for number, slave in ((1, self.slave2), (0, self.slave1), (1, self.slave2)):
            since, pid, restarts = self.console.mark(), slave.pid, slave.get("Restarts")
            os.kill(pid, signal.SIGKILL)
            self.console.expect(f"remoteproc remoteproc{number}: crash detected in slave{number + 1}: type", since)
            self.wait_recovered(number, since)
            self.echo(self.tty(number), "back again")
            self.echo(self.tty(1 - number), "never away")
            self.assertEqual((slave.state, slave.get("Restarts")), ("running", restarts + 1))
            self.assertNotEqual(slave.pid, pid)
        self.assertEqual(self.hetd.fds(), fds)
        for number in (0, 1):
            self.stop(number)


class KilledForGood(Linux):
    changes = (("Restart=on-failure\n", ""),)

    def test_process_is_killed(self):
        """There is nothing that could be recovered, and Linux says so; the other slave goes on."""
        self.start(0)
        self.start(1)
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.console.expect("remoteproc remoteproc1: crash detected in slave2: type fatal error", since)
        self.console.expect("remoteproc remoteproc1: it is crashed and cannot be started", since)
        self.shell.ok(f"until grep -q crashed {CLASS}1/state; do :; done")
        self.assertEqual(self.slave2.state, "crashed")
        self.echo(self.tty(0), "never away")
        self.stop(0)
        self.shell.ok("rmmod idm_rproc")
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "")

    def test_brought_back_by_hand(self):
        self.start(1)
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.console.expect("remoteproc remoteproc1: it is crashed and cannot be started", since)
        self.shell.ok(f"until grep -q crashed {CLASS}1/state; do :; done")
        self.slave2.call("Restart")
        since = self.console.mark()
        self.write(1, "recovery", "recover")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assertEqual(self.state(1), "running")
        self.echo(self.tty(1), "back again")


class RebootCase(Linux):
    def reboot(self):
        """Of the master's Linux; its platform and the other QEMUs go on."""
        since, pids = self.console.mark(), [p.pid for p in self.platform.processors()]
        self.console.send("reboot -f\n")
        self.shell = Shell(self.console, since)
        self.assertEqual([p.pid for p in self.platform.processors()], pids)
        self.assertEqual((self.platform.state, self.master.reason), ("running", "guest-reset"))


class Reboot(RebootCase):
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


class RebootKeep(RebootCase):
    changes = (("Restart=on-failure\n", "Restart=on-failure\nOnMasterReset=keep\n"),)

    def test_slaves_go_on(self):
        """And the next Linux finds them."""
        self.start(0)
        self.start(1)
        self.stop(0)
        boots = self.slave2.get("Boots")
        self.reboot()
        self.assertEqual((self.state(0), self.slave1.state), ("offline", "ready"))
        self.assertEqual((self.state(1), self.slave2.state, self.slave2.get("Boots")), ("detached", "running", boots))
        self.write(1, "state", "start")
        self.assertEqual(self.state(1), "attached")
        self.stop(1)
        for number in (0, 1):
            self.start(number)
            self.echo(self.tty(number), "a new life")


class Long(Linux):
    def test_start_stop(self):
        """Many times, with traffic each time"""
        self.start(0)
        self.stop(0)
        before = self.leaks(), self.hetd.fds()
        for n in range(CYCLES):
            for number in (0, 1):
                self.start(number)
                self.echo(self.tty(number), f"cycle {n}")
                self.stop(number)
        self.assertEqual((self.leaks(), self.hetd.fds()), before)

    def test_crashes(self):
        self.start(0)
        before = None
        for n in range(CYCLES):
            since = self.console.mark()
            self.shell.ok(f"echo crash >{self.tty(0)}")
            self.wait_recovered(0, since)
            self.echo(self.tty(0), f"after crash {n}")
            before = before or (self.leaks(), self.hetd.fds())
        self.assertEqual((self.leaks(), self.hetd.fds()), before)


class LongKills(Linux):
    changes = (("Restart=on-failure\n", "Restart=on-failure\nStartLimitBurst=0\n"),)

    def test_kills(self):
        """Many times, with traffic after each"""
        self.start(0)
        self.start(1)
        before = None
        for n in range(CYCLES):
            number, slave = n % 2, (self.slave1, self.slave2)[n % 2]
            since = self.console.mark()
            os.kill(slave.pid, signal.SIGKILL)
            self.wait_recovered(number, since)
            self.echo(self.tty(number), f"kill {n}")
            self.echo(self.tty(1 - number), "never away")
            before = before or (self.leaks(), self.hetd.fds())
            self.assertEqual((self.leaks(), self.hetd.fds()), before)
        self.assertEqual((self.slave1.get("Restarts"), self.slave2.get("Restarts")), ((CYCLES + 1) // 2, CYCLES // 2))


if __name__ == "__main__":
    need_guest()
    main()
