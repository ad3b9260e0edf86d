#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Linux of 64 bits as the master, of docs/examples/linux-master-arm64.platform (test_linux_master.py has everything, with 32 bits), and
as a slave; a slave of 64 bits.
"""

import struct

from het_harness import MIB, TestCase, main
from het_linux import ARM64, CLASS, DEBUG, RemoteprocTestCase, Shell, VIRTIO_SIZE, WINDOWS, need_guest
import linux_firmware                   # of scripts/lib

GIB = 1 << 30


class Master(RemoteprocTestCase):
    guest = ARM64
    example = "linux-master-arm64"

    def test_start_talk_crash_stop(self):
        self.assertEqual(self.shell.ok("uname -m"), "aarch64")
        self.check_memory(*WINDOWS.values())
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.start(number)
            base, size = WINDOWS[number]
            slave.console().expect(rf"^slave{number + 1}: rpmsg firmware, booted at {base:#x}$")
            rings = base + size - VIRTIO_SIZE
            self.assertIn(f"rings at {rings:#x} and {rings + 0x10000:#x}", self.shell.read(f"{DEBUG}{number}/trace0"))
            self.echo(self.tty(number), f"Hello, slave{number + 1}")
        for number in (0, 1):
            since = self.console.mark()
            self.shell.ok(f"echo crash >{self.tty(number)}")
            self.wait_recovered(number, since)
            self.echo(self.tty(number), "back again")
            self.echo(self.tty(1 - number), "never away")
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.stop(number)
            self.assertEqual((slave.state, slave.reason), ("ready", "stop"))
        self.start(1)
        self.echo(self.tty(1), "and again")


def program64(address, table=b""):
    """An ELF file for CPUs of 64 bits: says "wide" on the UART (of virt) and sleeps. With a resource table, if one is given"""
    words = [0xd2a12002,                                        # mov x2, #0x9000000
             0x52806021, 0xb9003041]                            # mov w1, #0x301; str w1, [x2, #48]: enable the UART
    for c in b"wide\r\n":
        words += [0x52800001 | c << 5, 0x39000041]              # mov w1, #c; strb w1, [x2]
    words += [0xd503207f, 0x17ffffff]                           # 1: wfi; b 1b
    image = linux_firmware.Image(linux_firmware.AARCH64)
    image.add(address, struct.pack(f"<{len(words)}I", *words))
    if table:
        image.add(address + MIB, table)
        image.sections.append((".resource_table", address + MIB, len(table)))
    return image.build(address)


class WideSlave(RemoteprocTestCase):
    """Of 64 bits, in a window above 4 GiB"""

    address = 4 * GIB
    guest = ARM64
    example = "linux-master-arm64"
    changes = (("Memory=1G", "Memory=3200M"), ("Machine=virt,highmem=off\nCPU=cortex-a15", "Machine=virt\nCPU=cortex-a53"),
               ("64M@0x60000000", f"64M@{address:#x}"))

    def more_firmware(self):
        # version, entries, reserved, its offset; a trace buffer: address, size, reserved, name
        trace = struct.pack("<5I4I32s", 1, 1, 0, 0, 20, 2, 0x2000, 4096, 0, b"trace0")
        return {"wide.elf": program64(self.address), "low.elf": program64(self.address - MIB),
                "empty.elf": program64(self.address, struct.pack("<4I", 1, 0, 0, 0)), "trace.elf": program64(self.address, trace)}

    def test_start_stop(self):
        self.check_memory((self.address, 64 * MIB), WINDOWS[1])
        for name, why in (("low.elf", "are not in the window's part for firmware"), ("trace.elf", "needs a window below 4 GiB")):
            since = self.console.mark()
            self.write(0, "firmware", name)
            self.refused(0, "state", "start", "Invalid argument")
            self.console.expect(why, since)
        for name in ("wide.elf", "empty.elf"):
            self.write(0, "firmware", name)
            since = (console := self.slave1.console()).mark()
            self.write(0, "state", "start")
            console.expect("^wide$", since)
            self.assert_runs(0)
            self.stop(0)
            self.assertEqual((self.slave1.state, self.slave1.reason), ("ready", "stop"))
        self.start(1)
        self.echo(self.tty(1), "the other one, too")


class Slave(TestCase):
    """docs/examples/linux-slave-arm64.platform"""

    window = (0x70000000, 128 * MIB)

    def boot(self):
        """A shell on the slave, once it is there"""
        since = self.console.mark()
        self.slave.boot()
        return Shell(self.console, since)

    def ends(self, shell, command, reason):
        shell.console.send(command + "\n")
        self.slave.wait_state("ready")
        self.assertEqual(self.slave.reason, reason)
        self.master.ok(f"until grep -q offline {CLASS}0/state; do :; done")

    def test_boot_and_power_off(self):
        platform = self.hetd.load("linux-slave-arm64", GUEST_DIR=str(ARM64.directory)).start()
        self.master = Shell(platform.processor("master").console())
        self.slave = platform.processor("slave1")
        self.console = self.slave.console()
        for command, reason in (("poweroff -f", "guest-shutdown"), ("reboot -f", "guest-reset")):
            shell = self.boot()
            self.assertEqual(shell.ok("uname -m; nproc"), "aarch64\n2")
            base, size = self.window
            self.assertRegex(shell.ok("grep 'System RAM' /proc/iomem"), rf"^{base:x}-{base + size - 1:x} : System RAM$")
            self.master.ok(f"until grep -q detached {CLASS}0/state; do :; done")
            self.ends(shell, command, reason)


if __name__ == "__main__":
    need_guest(ARM64)
    main()
