#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linux as a slave: booted by hetd from Kernel=, and by a Linux master as firmware of its remoteproc."""

import subprocess

from het_harness import BUILD, FIRMWARE, IDLE_MASTER, MIB, QEMU, TOP, TestCase, main, platform_text
from het_linux import ARM64, ARMHF, RemoteprocTestCase, Shell, need_guest
import linux_firmware                   # of scripts/lib
from device_tree import DeviceTree

GUEST = ARMHF.directory
EXAMPLE = TOP / "docs/examples/linux-slave.platform"
SLAVE = "[Processor slave1]" + EXAMPLE.read_text(encoding="utf-8").split("[Processor slave1]")[1]
LINUX_FIRMWARE = BUILD / "guest/linux/linux-slave-a15.elf"
INITRD = GUEST / "slave-initramfs.cpio.gz"
BUS = 0x60000000


class LinuxSlave(TestCase):
    """Beside a master that has nothing to do"""

    guest = ARMHF
    slave_text = SLAVE

    def define(self, slave=None):
        self.text = platform_text(IDLE_MASTER, slave or self.slave_text)
        self.platform = self.hetd.define("p", self.text, Variables={"GUEST_DIR": str(self.guest.directory),
                                                                    "FIRMWARE_DIR": str(FIRMWARE)})
        self.slave, self.console = self.platform.processor("slave1"), None
        return self.platform

    def boot(self):
        """A shell on the slave, once it is there"""
        self.console = self.console or self.slave.console()
        since = self.console.mark()
        self.slave.boot()
        return Shell(self.console, since)

    def stop(self):
        """What Linux still says must be read meanwhile: its QEMU waits for that, and does nothing else."""
        answer = self.slave.begin("Stop")
        self.slave.wait_state("ready")
        answer.wait()

    def file(self, name):
        return (self.guest.directory / name).read_bytes()

    def slaves_tree(self, shell):
        """The device tree that Linux has"""
        return DeviceTree(bytes.fromhex(shell.ok("hexdump -v -e '32/1 \"%02x\" \"\\n\"' /sys/firmware/fdt")))

    def tool(self, *arguments):
        file = self.directory / "p.platform"
        file.write_text(self.text)
        return subprocess.run([BUILD / "clients/het-device-tree/het-device-tree", f"--qemu=arm={QEMU}", f"--set=GUEST_DIR={self.guest.directory}",
                               f"--set=FIRMWARE_DIR={FIRMWARE}", file, *arguments], stdout=subprocess.PIPE, check=True).stdout


class Boot(LinuxSlave):
    def test_again(self):
        """Whatever it did: powered off, was stopped, reset itself or panicked, it boots again."""
        self.define().start()
        shell = self.boot()
        shell.console.send("poweroff -f\n")
        self.slave.wait_state("ready")
        self.assertEqual(self.slave.reason, "guest-shutdown")
        self.boot()
        self.stop()
        shell = self.boot()
        shell.console.send("reboot -f\n")
        self.slave.wait_state("ready")
        shell = self.boot()
        shell.ok("uname -r")
        since = shell.console.mark()
        shell.console.send("echo 8 >/proc/sys/kernel/printk; echo c >/proc/sysrq-trigger\n")
        shell.console.expect("Kernel panic", since)
        self.stop()
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


class Slave64(LinuxSlave):
    """Of 64 bits"""

    guest = ARM64
    slave_text = SLAVE.replace("uImage", "Image").replace("cortex-a15", "cortex-a53").replace("64M@", "128M@")

    def setUp(self):
        if not (ARM64.directory / "complete").exists():
            self.skipTest("there is no Linux guest of 64 bits (scripts/build-guest --arch arm64 makes one)")
        super().setUp()

    def test_kernel(self):
        self.define().start()
        shell = self.boot()
        self.assertEqual(shell.ok("uname -m"), "aarch64")
        self.assertRegex(shell.ok("grep RAM /proc/iomem"), f"^{BUS:08x}-{BUS + 128 * MIB - 1:08x} : System RAM$")
        shell.console.send("poweroff -f\n")
        self.slave.wait_state("ready")
        self.boot()

    def test_firmware(self):
        """As one ELF file, which needs no device tree and no protocol"""
        self.define()
        tree = self.tool("slave1")
        self.platform.remove()
        elf = self.directory / "linux.elf"
        elf.write_bytes(linux_firmware.make(self.file("Image"), self.file("slave-initramfs.cpio.gz"), tree))
        text = [line for line in self.slave_text.splitlines() if not line.startswith(("Kernel", "Initrd", "CommandLine"))]
        self.define("\n".join(text) + f"\nFirmware={elf}\n").start()
        self.assertEqual(self.boot().ok("uname -m"), "aarch64")


class Firmware(RemoteprocTestCase):
    """Of a Linux master, which finds it in its /lib/firmware like any other"""

    def more_firmware(self):
        return {LINUX_FIRMWARE.name: LINUX_FIRMWARE.read_bytes()}

    def boots(self, console):
        since = console.mark()
        self.start_image(LINUX_FIRMWARE.name)
        return Shell(console, since)

    def start_image(self, name):
        self.write(0, "firmware", name)
        self.write(0, "state", "start")
        self.assert_runs(0)

    def test_start_stop(self):
        console = self.slave1.console()
        shell = self.boots(console)
        self.assertRegex(shell.ok("grep RAM /proc/iomem"), f"^{BUS:08x}-{BUS + 64 * MIB - 1:08x} : System RAM$")
        self.stop(0)
        self.assertEqual((self.slave1.state, self.slave1.reason), ("ready", "stop"))
        self.boots(console).ok("uname -r")
        self.stop(0)
        # The same slave does what it did before
        self.write(0, "firmware", "rpmsg-slave-a15.elf")
        self.start(0)
        self.echo(self.tty(0), "Hello, slave1")


class Maker(LinuxSlave):
    """scripts/linux-firmware"""

    def make(self, pattern=None, **files):
        arguments = {"kernel": GUEST / "uImage", "initrd": INITRD, "device-tree": self.directory / "slave.dtb",
                     "output": self.directory / "linux.elf"} | {name.replace("_", "-"): value for name, value in files.items()}
        result = subprocess.run([TOP / "scripts/linux-firmware", *(f"--{name}={value}" for name, value in arguments.items() if value)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if pattern:
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, f"^linux-firmware: .*{pattern}")
            return None
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        return arguments["output"].read_bytes()

    def make_tree(self, slave=SLAVE):
        self.define(slave)
        (self.directory / "slave.dtb").write_bytes(self.tool("slave1"))
        self.platform.remove()

    def test_same_again(self):
        """Though QEMU makes other seeds each time"""
        self.make_tree()
        first = self.make()
        self.make_tree()
        self.assertEqual(self.make(), first)
        self.assertEqual(first, LINUX_FIRMWARE.read_bytes())

    def test_problems(self):
        self.make_tree()
        self.make("initramfs.cpio.gz: is no zImage, uImage or arm64 Image", kernel=INITRD)
        self.make("slave.dtb: is of a slave with another initial RAM disk", initrd=None)
        self.make("slave.dtb: is of a slave with another initial RAM disk", initrd=GUEST / "release")
        self.make("uImage: is damaged .*no device tree", device_tree=GUEST / "uImage")
        self.make("/nonexistent: No such file or directory", initrd="/nonexistent")
        self.make("/nonexistent/x: No such file or directory", output="/nonexistent/x")
        self.make_tree("\n".join(line for line in SLAVE.replace("64M@", "16M@").splitlines()
                                 if not line.startswith(("Kernel", "Initrd", "CommandLine"))) + "\n")
        self.make("slave.dtb: is of a slave whose memory is too small: 16.0 MiB, the kernel alone has 19.6 MiB", initrd=None)


class Example(RemoteprocTestCase):
    """docs/examples/linux-slave.platform, whose slave the master's guest can have booted as the platform file says"""

    example = "linux-slave"
    couple = 0x0c001040

    def register(self, offset, *value):
        return self.shell.ok(f"devmem {self.couple + offset:#x} 32 {' '.join(map(str, value))}")

    def request(self, request):
        self.register(0x1c, request)
        self.shell.ok(f"until [ $(( $(devmem {self.couple + 0x1c:#x}) & 0xff )) -ne 1 ]; do :; done")
        return int(self.register(0x1c), 16) & 0xff

    def test_guest_starts_it(self):
        done, console = 2, self.slave1.console()
        self.assertNotIn("firmware-name", self.shell.ok("ls /proc/device-tree/platform-bus*/idm*/slave*"))
        self.shell.ok("rmmod idm_rproc")
        for _ in range(2):
            since = console.mark()
            # START, by the protocol of Linux; ENTRY and ARGUMENT are 0
            self.assertEqual(self.request(0x201), done)
            self.assertEqual(Shell(console, since).ok("cat /proc/cmdline"), "console=ttyAMA0 cryptomgr.notests")
            self.assertEqual(self.request(2), done)
            self.assertEqual(self.slave1.state, "ready")


class DeviceTreeOfHetd(Firmware):
    """The kernel alone: hetd makes the device tree, since the master's driver starts it by the protocol of Linux without one"""

    initrd_at = BUS + 60 * MIB

    def more_firmware(self):
        image = linux_firmware.Image(linux_firmware.ARM)
        machine, load, entry, code = linux_firmware.find_kernel((GUEST / "uImage").read_bytes())
        image.add(BUS + load, code)
        image.add(self.initrd_at, INITRD.read_bytes())
        image.sections.append((".resource_table", self.initrd_at, 0))
        return {"kernel.elf": image.build(BUS + entry)}

    @property
    def changes(self):
        old = "Firmware=${FIRMWARE_DIR}/rpmsg-slave-a15.elf\n"
        initrd = f"initrd={self.initrd_at:#x},{INITRD.stat().st_size}"
        return ((old, f"Protocol=linux\nCommandLine=console=ttyAMA0 cryptomgr.notests {initrd}\n"),)

    def test_start_stop(self):
        console = self.slave1.console()
        for _ in range(2):
            since = console.mark()
            self.start_image("kernel.elf")
            self.assertIn(f" initrd={self.initrd_at:#x}", Shell(console, since).ok("cat /proc/cmdline"))
            self.stop(0)


if __name__ == "__main__":
    need_guest()
    main()
