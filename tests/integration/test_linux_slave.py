#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linux as a slave: booted by hetd from Kernel=, and by a Linux master as firmware of its remoteproc."""

import subprocess

from het_bus import INVALID_ARGS
from het_fdt import DeviceTree
from het_harness import BUILD, FIRMWARE, IDLE_MASTER, MIB, QEMU, TOP, TestCase, main, platform_text
from het_linux import ARMHF, Shell, need_guest

GUEST = ARMHF.directory
EXAMPLE = TOP / "docs/examples/linux-slave.platform"
SLAVE = "[Processor slave1]" + EXAMPLE.read_text(encoding="utf-8").split("[Processor slave1]")[1]
BUS = 0x60000000


class LinuxSlave(TestCase):
    """Beside a master that has nothing to do"""

    def define(self, slave=SLAVE):
        self.text = platform_text(IDLE_MASTER, slave)
        self.platform = self.hetd.define("p", self.text, Variables={"GUEST_DIR": str(GUEST), "FIRMWARE_DIR": str(FIRMWARE)})
        self.slave, self.console = self.platform.processor("slave1"), None
        return self.platform

    def boot(self):
        """A shell on the slave, once it is there"""
        self.console = self.console or self.slave.console()
        since = self.console.mark()
        self.slave.boot()
        return Shell(self.console, since)

    def slaves_tree(self, shell):
        """The device tree that Linux has"""
        return DeviceTree(bytes.fromhex(shell.ok("hexdump -v -e '32/1 \"%02x\" \"\\n\"' /sys/firmware/fdt")))

    def tool(self, *arguments):
        file = self.directory / "p.platform"
        file.write_text(self.text)
        return subprocess.run([BUILD / "clients/het-device-tree/het-device-tree", f"--qemu=arm={QEMU}", f"--set=GUEST_DIR={GUEST}",
                               f"--set=FIRMWARE_DIR={FIRMWARE}", file, *arguments], stdout=subprocess.PIPE, check=True).stdout


class Boot(LinuxSlave):
    def test_shell(self):
        """Its window is all the memory that it has; what it was given is what het-device-tree tells."""
        self.define().start()
        shell = self.boot()
        self.assertIn(" armv7l ", shell.ok("uname -a"))
        self.assertEqual(shell.ok("cat /proc/cmdline"), "console=ttyAMA0 cryptomgr.notests")
        self.assertRegex(shell.ok("grep RAM /proc/iomem"), f"^{BUS:08x}-{BUS + 64 * MIB - 1:08x} : System RAM$")
        kib = int(shell.ok("sed -n 's/^MemTotal: *//p' /proc/meminfo").split()[0])
        self.assertGreater(kib, 32 * 1024)
        self.assertLess(kib, 64 * 1024)
        self.assertEqual(shell.ok("cat /proc/device-tree/platform-bus*/idm*/compatible | tr '\\0' '\\n'"), "het,idm-1.0")

        has, told = self.slaves_tree(shell), DeviceTree(self.tool("slave1"))
        for tree in (has, told):
            # Linux clears the seed that it has used
            tree["/chosen"].pop("kaslr-seed", None), tree["/chosen"].pop("rng-seed", None)
        self.assertEqual(has, told)
        start, end = told.cells("/chosen", "linux,initrd-start")[1], told.cells("/chosen", "linux,initrd-end")[1]
        self.assertEqual(end - start, (GUEST / "slave-initramfs.cpio.gz").stat().st_size)
        self.assertLessEqual(end, BUS + 63 * MIB)

    def test_again(self):
        """Whatever it did: powered off, was stopped, reset itself or panicked, it boots again."""
        self.define().start()
        shell = self.boot()
        shell.console.send("poweroff -f\n")
        self.slave.wait_state("ready")
        self.assertEqual(self.slave.reason, "guest-shutdown")
        self.boot()
        self.slave.call("Stop")
        self.assertEqual(self.slave.state, "ready")
        shell = self.boot()
        shell.console.send("reboot -f\n")
        self.slave.wait_state("ready")
        shell = self.boot()
        shell.ok("uname -r")
        since = shell.console.mark()
        shell.console.send("echo 8 >/proc/sys/kernel/printk; echo c >/proc/sysrq-trigger\n")
        shell.console.expect("Kernel panic", since)
        self.slave.call("Stop")
        self.boot()

    def test_auto_boot(self):
        self.define(SLAVE + "AutoBoot=yes\n").start()
        self.assertEqual(self.slave.state, "running")
        Shell(self.slave.console()).ok("uname -r")

    def test_zimage(self):
        """A kernel that unpacks itself, in a window that has just room for it"""
        kernel = GUEST / "zImage"
        self.define(SLAVE.replace("${GUEST_DIR}/uImage", str(kernel)).replace("64M@", "34M@")).start()
        self.boot().ok("uname -r")


class Errors(LinuxSlave):
    def refused(self, slave, pattern):
        self.define(slave).start()
        since = self.bus.mark()
        self.assertRefused(INVALID_ARGS, pattern, self.slave.boot)
        self.bus.mark()
        self.assertEqual(self.slave.state, "ready")
        self.assertEqual(self.bus.values(self.slave.path, "State", since), [])
        self.platform.stop()
        self.platform.remove()

    def test_window_too_small(self):
        self.refused(SLAVE.replace("64M@", "16M@"), "slave1: The window of 16M is too small for its Linux .* make it at least "
                                                   "Window=28M@0x60000000")

    def test_no_kernel(self):
        self.refused(SLAVE.replace("${GUEST_DIR}/uImage", "${GUEST_DIR}/slave-initramfs.cpio.gz"),
                     "slave-initramfs.cpio.gz: is compressed with gzip; unpack it first")
        self.refused(SLAVE.replace("${GUEST_DIR}/uImage", "${FIRMWARE_DIR}/rpmsg-slave-a15.elf"), "is an ELF file; use the zImage")
        cut = self.directory / "uImage"
        cut.write_bytes((GUEST / "uImage").read_bytes()[:MIB])
        self.refused(SLAVE.replace("${GUEST_DIR}/uImage", str(cut)), r"was cut off: the uImage has \d+ bytes, of which 1048576 are")

    def test_gone_before_the_boot(self):
        initrd = self.directory / "initrd"
        initrd.write_bytes(b"x")
        self.define(SLAVE.replace("${GUEST_DIR}/slave-initramfs.cpio.gz", str(initrd))).start()
        initrd.unlink()
        self.assertRefused(INVALID_ARGS, "initrd: cannot be read: No such file", self.slave.boot)
        self.assertEqual(self.slave.state, "ready")


if __name__ == "__main__":
    need_guest()
    main()
