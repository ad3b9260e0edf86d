#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/rfc.platform: with idm_test_mod and load_bin_app, Linux boots another Linux by hand, and firmware. QEMU_HET_GUEST is
what scripts/build-guest has made.
"""

import os
import re
import shutil
import signal
import struct
import subprocess
import zlib

import dbus

from het_harness import BUILD, FIRMWARE, MIB, QEMU, SLAVE2, TOP, main, skip_all
from demo_kit import LINUX_IS_UP        # of scripts/lib
from het_linux import ARMHF, LinuxMasterTestCase, SharedBoot, need_guest
from het_qemu import SLAVE1_ARGUMENTS, Qemu

GUEST = ARMHF.directory
RFC = TOP / "docs/examples/rfc.platform"
DEVICE_TREE = BUILD / "clients/het-device-tree/het-device-tree"
COMPILER = "arm-linux-gnueabihf-gcc"
CYCLES = int(os.environ.get("QEMU_HET_CYCLES", "5"))

WINDOW = (0x60000000, 512 * MIB)
SMALL = """[Processor small]
Role=slave
Id=200
Machine=virt
CPU=cortex-a15
Window=16M@0x5f000000
"""


class RfcTestCase(LinuxMasterTestCase):
    guest = ARMHF
    more = ""                   # processors beside those of the example
    files = {}                  # what is in /root: {name: a path, or data}

    def setUp(self):
        super().setUp()
        files = self.all_files()
        self.start_linux("rfc", self.text(), {f"root/{name}": (data if isinstance(data, bytes) else data.read_bytes(), 0o755)
                                              for name, data in files.items()})
        self.shell.ok("set +m")                 # it does not tell of what runs in the background
        names = [str(processor.get("Name")) for processor in self.platform.processors()]
        if "slave1" in names:
            self.slave1 = self.platform.processor("slave1")
            if self.slave1.get("ConsoleLog"):
                self.console1 = self.slave1.console()

    def text(self):
        return RFC.read_text(encoding="utf-8") + "\n" + self.more

    def all_files(self):
        return self.files

    def device_tree(self, processor="slave1", text=None):
        file = self.directory / "tree.platform"
        file.write_text(text or self.text(), encoding="utf-8")
        return subprocess.run([DEVICE_TREE, f"--qemu=arm={QEMU}", "--set", f"GUEST_DIR={GUEST}", "--set", f"FIRMWARE_DIR={FIRMWARE}",
                               file, processor], check=True, capture_output=True, timeout=120).stdout

    def insmod(self):
        self.shell.ok("insmod idm_test_mod.ko")

    def leaks(self):
        """What the module could leave behind"""
        return self.shell.ok("grep -c ioremap /proc/vmallocinfo; grep -c idm /proc/interrupts; grep -w idm /proc/devices; "
                             "ls /dev/idm* /sys/class/idm 2>/dev/null; true")

    def fails(self, status, text, command):
        """Its exit status, and something of what it says"""
        result, output = self.shell.run(f"{command} 2>&1")
        self.assertEqual(result, status, output)
        self.assertIn(text, output)

    def state(self, slave):
        return self.shell.ok(f"load_bin_app --status {slave}").split(": ")[1].split(",")[0]

    def next_events(self, slave):
        """What load_bin_app --listen shows without having to wait"""
        return self.shell.ok(f"load_bin_app --listen {slave} 1").splitlines()[1:]

    def listen(self, slave, count):
        """
        In the background; returns a function that waits for as many lines, behind the first one, and its end, and returns them. It is
        no child of the shell: BusyBox 1.35's can leave when one ends while it waits for a line.
        """
        self.shell.ok(f">events; rm -f ended; ((load_bin_app --listen {slave} {count} >events 2>&1; echo $? >ended) &); "
                      "until grep -q . events; do :; done")
        return lambda: self.shell.ok("until [ -s ended ]; do :; done; cat events").splitlines()[1:]

    def linux_is_up(self, since=0, console=None):
        """A shell on the slave's console does what it is told."""
        console = console or self.console1
        console.expect(LINUX_IS_UP, since)
        console.send("echo $((6 * 7)) is the answer\n")
        console.expect("42 is the answer$", since)


class SharedRfc(SharedBoot, RfcTestCase):
    """The tests of a class have the same files, and find Linux without a driver of slaves, which are ready."""

    def kind(self):
        return type(self)

    def renew(self):
        self.shell.ok("cd; for m in idm_test_mod idm_rproc; do [ ! -e /sys/module/$m ] || rmmod $m || exit; done")
        _, *slaves = self.platform.processors()
        for slave in slaves:
            if slave.state == "running":
                slave.call("Stop")
        return [slave.state for slave in slaves] == ["ready"] * len(slaves)


class Demo(RfcTestCase):
    def all_files(self):
        return {"zImage": GUEST / "zImage", "initrd": GUEST / "slave-initramfs.cpio.gz", "slave.dtb": self.device_tree()}

    def test_the_demo(self):
        """As docs/rfc-demo.md has it, with the kernel that unpacks itself"""
        self.insmod()
        self.assertEqual(self.shell.ok("ls /dev/idm*"), "/dev/idm1")
        self.assertEqual(self.shell.ok("load_bin_app --list"),
                         "slave 1 (slave1): ready, window 0x60000000-0x7fffffff (524288 KiB)")
        output = self.shell.ok("load_bin_app 1 ./zImage ./slave.dtb ./initrd")
        self.assertRegex(output, r"^zImage at 0x61[0-9a-f]{6}, 5321 KiB$|slave 1 is running")
        self.assertIn("slave 1 is running", output)
        self.slave1.wait_state("running")               # Linux may hear of it before hetd does
        self.linux_is_up()
        console = self.console1
        self.assertTrue(console.find("Memory: .*K/524288K available"))
        self.assertFalse(console.find("Ignoring memory"))

        # The device goes and comes, and the slave does not mind
        self.assertEqual(self.state(1), "running")
        self.shell.ok("rmmod idm_test_mod")
        self.assertEqual(self.slave1.state, "running")
        self.insmod()
        self.assertEqual(self.state(1), "running")
        self.fails(1, "load_bin_app --stop 1 first", "load_bin_app 1 ./zImage ./slave.dtb")
        self.assertEqual(self.shell.ok("load_bin_app --stop 1"), "slave 1 is ready")
        self.assertEqual((self.slave1.state, self.slave1.reason), ("ready", "stop"))

        # The very words of the RFC. Without a disk and a RAM disk it gets as far as looking for one
        since = console.mark()
        self.shell.ok("load_bin_app 1 ./zImage ./slave.dtb")
        console.expect("Kernel panic - not syncing: VFS: Unable to mount root fs", since)


class Kernels(SharedRfc):
    def all_files(self):
        return {"uImage": GUEST / "uImage", "initrd": GUEST / "slave-initramfs.cpio.gz", "slave.dtb": self.device_tree()}

    def test_again_and_again(self):
        """Boots of a kernel that need not unpack itself, each watched by its events; nothing is left of them."""
        before = self.leaks()
        console = self.console1
        for command_line in ("", "-c 'console=ttyAMA0 cryptomgr.notests again' "):
            self.insmod()
            events = self.listen(1, 2)
            since = console.mark()
            self.shell.ok(f"load_bin_app {command_line}1 uImage slave.dtb initrd")
            self.linux_is_up(since)
            self.assertEqual(bool(console.find("Kernel command line: .* again$", since)), bool(command_line))
            self.shell.ok("load_bin_app --stop 1")
            self.assertEqual(events(), ["slave 1 is running", "slave 1 is ready"])
            self.shell.ok("rmmod idm_test_mod")
            self.assertEqual(self.leaks(), before)

    def test_tree_of_the_platform(self):
        self.insmod()
        since = self.console1.mark()
        self.assertIn("device tree: the platform's", self.shell.ok("load_bin_app 1 uImage"))
        self.console1.expect("Memory: .*K/524288K available", since)
        self.console1.expect("Kernel command line: console=ttyAMA0 cryptomgr.notests$", since)
        self.console1.expect("Kernel panic - not syncing: VFS: Unable to mount root fs", since)


class Windows(RfcTestCase):
    """Places where a window is so that not everything can be where it usually is"""

    windows = {"tight": "32M@0x60000000",           # enough for what is loaded, not for a Linux to live in
               "small": "48M@0x64000000",
               "odd": "64M@0x6f100000"}             # no multiple of 2 MiB, and the zImage does not fit into the same 128 MiB

    def text(self):
        slave1 = super().text().split("[Processor slave1]")
        return slave1[0] + "\n".join(
            f"[Processor {name}]" + slave1[1].replace("Id=1", f"Id={i}").replace("512M@0x60000000", window)
            for i, (name, window) in enumerate(self.windows.items(), 1))

    def all_files(self):
        trees = {f"{name}.dtb": self.device_tree(name) for name in self.windows}
        return {"zImage": GUEST / "zImage", "uImage": GUEST / "uImage", "initrd": GUEST / "slave-initramfs.cpio.gz"} | trees

    def test_windows(self):
        self.insmod()
        for i, (name, window) in enumerate(self.windows.items(), 1):
            console = self.platform.processor(name).console()
            for kernel in ("zImage", "uImage"):
                with self.subTest(window=window, kernel=kernel):
                    since = console.mark()
                    output = self.shell.ok(f"load_bin_app -c 'console=ttyAMA0 cryptomgr.notests cma=0' "
                                           f"{i} {kernel} {name}.dtb initrd")
                    if (name, kernel) == ("odd", "zImage"):
                        self.assertIn("zImage at 0x6f208000", output)
                    memory = int(window.split("M")[0]) - (name == "odd")
                    console.expect(f"Memory: .*K/{memory * 1024}K available", since)
                    console.expect("Trying to unpack rootfs image as initramfs", since)
                    if name != "tight":
                        self.linux_is_up(since, console)
                    self.shell.ok(f"load_bin_app --stop {i}")


def damaged(data, *changes):
    data = bytearray(data)
    for offset, value in changes:
        struct.pack_into("<I", data, offset, value)
    return bytes(data)


def replaced(tree, old, new):
    """With another range of memory"""
    old, new = (struct.pack(">2Q", *(value % (1 << 64) for value in pair)) for pair in (old, new))
    assert tree.count(old) == 1
    return tree.replace(old, new)


def uimage(payload, kind=2, compression=0, load=0x40208000, entry=0x40208000):
    def header(checksum):
        return struct.pack(">7I4B32s", 0x27051956, checksum, 0, len(payload), load, entry, zlib.crc32(payload), 5, 2, kind, compression,
                           b"test")
    return header(zlib.crc32(header(0))) + payload


class Refusals(RfcTestCase):
    more = SMALL

    def all_files(self):
        zimage = (GUEST / "zImage").read_bytes()
        elf = (FIRMWARE / "first-light-slave-a15.elf").read_bytes()
        phoff = struct.unpack_from("<I", elf, 28)[0]
        return {
            "zImage": zimage,
            "slave.dtb": self.device_tree(),
            "cut.zImage": zimage[:-4096],
            "end.zImage": damaged(zimage, (0x2c, 0)),
            "text": b"This is no kernel.\n" * 100,
            "kernel.gz": b"\x1f\x8b" + bytes(100),
            "cut.uImage": uimage(bytes(4096))[:-1],
            "damaged.uImage": uimage(bytes(4096))[:-1] + b"!",
            "header.uImage": damaged(uimage(bytes(4096)), (16, 0)),
            "packed.uImage": uimage(bytes(4096), compression=1),
            "script.uImage": uimage(bytes(4096), kind=6),
            "entry.uImage": uimage(bytes(4096), entry=0x50000000),
            "elsewhere.dtb": self.device_tree(text=RFC.read_text(encoding="utf-8").replace("512M@0x60000000", "256M@0x50000000")),
            "larger.dtb": replaced(self.device_tree(), WINDOW, (WINDOW[0], WINDOW[1] + 4096)),
            "before.dtb": replaced(self.device_tree(), WINDOW, (WINDOW[0] - 4096, WINDOW[1])),
            "wrap.dtb": replaced(self.device_tree(), WINDOW, (WINDOW[0], -4096)),
            "nothing.dtb": replaced(self.device_tree(), WINDOW, (WINDOW[0], 0)),
            "cut.dtb": self.device_tree()[:-100],
            "bad.dtb": bytes(4096),
            "cut.elf": elf[:200],
            "header.elf": elf[:20],
            "elsewhere.elf": damaged(elf, (phoff + 12, 0x5fff0000)),
            "wrap.elf": damaged(elf, (phoff + 12, 0xfffff000)),
            "huge.elf": damaged(elf, (phoff + 20, 0xfffff000)),
            "large": bytes(17 * MIB),
        }

    def test_refusals(self):
        self.fails(1, "insmod idm_test_mod.ko first", "load_bin_app 1 zImage slave.dtb")
        self.fails(1, "insmod idm_test_mod.ko first", "load_bin_app --list")
        # One driver at a time
        self.shell.ok("modprobe idm_rproc")
        since = self.console.mark()
        self.shell.fails("insmod idm_test_mod.ko")
        self.console.expect("belongs to the driver idm-rproc already: rmmod idm_rproc first", since)
        self.shell.ok("rmmod idm_rproc")
        self.insmod()
        self.assertEqual(self.shell.ok("ls /dev/idm*"), "/dev/idm1    /dev/idm200")
        self.usage()
        self.images()
        self.programs()
        self.assertEqual(self.state(1), "ready")

    def usage(self):
        for arguments in ("", "1", "1 zImage slave.dtb text text", "0 zImage", "256 zImage", "1x zImage", "-1 zImage", "--stop",
                          "--stop 1 2", "--stop --status 1", "--kick 1", "--kick 1 32", "--kick 1 -1", "--list 1", "--listen 1 0",
                          "-p fast 1 zImage", "-e 0 1 zImage", "-r x 1 zImage", "-p raw 1 zImage slave.dtb", "-e 1 1 zImage",
                          "-c text 1 zImage", "-r 0 1 zImage slave.dtb", "--what 1 zImage"):
            with self.subTest(arguments=arguments):
                self.fails(2, "load_bin_app: ", f"load_bin_app {arguments}")
        self.assertIn("Usage: load_bin_app", self.shell.ok("load_bin_app --help"))
        self.fails(1, "There is no slave 7; see load_bin_app --list", "load_bin_app 7 zImage slave.dtb")
        self.fails(1, "No such file", "load_bin_app 1 missing slave.dtb")
        self.fails(1, "not a file", "load_bin_app 1 / slave.dtb")

    def images(self):
        for kernel, text in (("cut.zImage", "cut off"), ("end.zImage", "cut off"), ("text", "is no zImage"), ("kernel.gz", "gunzip"),
                             ("cut.uImage", "cut off"), ("damaged.uImage", "checksum of its data"),
                             ("header.uImage", "checksum of its header"), ("packed.uImage", "compressed"),
                             ("script.uImage", "not one of a Linux kernel"), ("entry.uImage", "does not begin in itself")):
            with self.subTest(kernel=kernel):
                self.fails(1, text, f"load_bin_app 1 {kernel} slave.dtb")
        for tree, text in (("elsewhere.dtb", "made for something else"), ("larger.dtb", "made for something else"),
                           ("before.dtb", "made for something else"), ("wrap.dtb", "made for something else"),
                           ("nothing.dtb", "made for something else"), ("cut.dtb", "cannot be used as the device tree"),
                           ("bad.dtb", "cannot be used as the device tree"),
                           ("text", "cannot be used as the device tree")):
            with self.subTest(tree=tree):
                self.fails(1, text, f"load_bin_app 1 zImage {tree}")
        self.fails(1, "does not fit", "load_bin_app 200 zImage")
        self.assertEqual(self.slave1.state, "ready")

    def programs(self):
        for program, text in (("cut.elf", "cut off"), ("header.elf", "cut off"), ("elsewhere.elf", "link it to there"),
                              ("wrap.elf", "link it to there"), ("huge.elf", "link it to there")):
            with self.subTest(program=program):
                self.fails(1, text, f"load_bin_app 1 {program}")
        self.fails(1, "not in the window", "load_bin_app -r 0 200 large")
        self.fails(1, "not in the window", "load_bin_app -r 0x7ffffff0 1 text")
        self.fails(1, "not in the window", "load_bin_app -r 0xfffffffffffffff0 1 text")
        # What only the platform can refuse
        self.fails(3, "The platform could not start slave 1; its log says why", "load_bin_app -r 0 -p vector-table 1 text")


class Firmware(SharedRfc):
    more = SLAVE2

    def text(self):
        return super().text().replace("512M@0x60000000", "128M@0x60000000")

    def all_files(self):
        abi = self.directory / "abi"
        subprocess.run([COMPILER, "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-std=gnu11", "-D_GNU_SOURCE",
                        "-D_FILE_OFFSET_BITS=64", f"-I{TOP / 'guest/linux'}", "-o", abi,
                        TOP / "tests/integration/idm_test_abi.c"], check=True)
        return {"a15.elf": FIRMWARE / "first-light-slave-a15.elf", "a15.bin": FIRMWARE / "first-light-slave-a15.bin",
                "m3.elf": FIRMWARE / "first-light-slave-m3.elf", "rpmsg.elf": FIRMWARE / "rpmsg-slave-m3.elf", "abi": abi}

    def start_linux(self, *arguments):
        super().start_linux(*arguments)
        self.console2 = self.platform.processor("slave2").console()
        self.boots = {1: 0, 2: 0}       # each slave's; its window keeps the count

    def boot(self, number, console, command, base=WINDOW[0]):
        """Its first vector is waiting then."""
        since = console.mark()
        self.assertTrue(self.shell.ok(command).endswith(f"slave {number} is running"))
        self.boots[number] += 1
        console.expect(rf"^slave{number}: booted from the shared window at {base:#x}, boot {self.boots[number]}$", since)

    def test_abi(self):
        self.insmod()
        self.boot(1, self.console1, "load_bin_app 1 a15.elf")
        self.assertEqual(self.next_events(1), ["slave 1: vector 0"])
        self.assertEqual(self.shell.ok("./abi 1"), "as it should be")

    def test_kick_and_listen(self):
        self.insmod()
        console = self.console1
        self.boot(1, self.console1, "load_bin_app 1 a15.elf")
        for vector in (0, 17, 31):
            # What it has sent last: the IDM has kept it
            self.assertEqual(self.next_events(1), [f"slave 1: vector {0 if vector == 0 else 5}"])
            events = self.listen(1, 1)
            self.shell.ok(f"load_bin_app --kick 1 {vector}")
            self.assertEqual(events(), [f"slave 1: vector {vector}"])
            console.expect(f"received vector {vector} from the master")
            self.shell.ok("load_bin_app --kick 1 5")
            console.expect("received vector 5 from the master")
        # What was not read is not the next program's
        self.shell.ok("load_bin_app --stop 1")
        self.boot(1, self.console1, "load_bin_app --raw 0 1 a15.bin")
        self.assertEqual(self.next_events(1), ["slave 1: vector 0"])

    def test_cortex_m(self):
        """The device tree says that it begins with a table of vectors."""
        self.insmod()
        for options in ("", "-p auto ", "-p vector-table "):
            self.boot(2, self.console2, f"load_bin_app {options}2 m3.elf", 0x70000000)
            self.assertEqual(self.next_events(2), ["slave 2: vector 0"])
            self.shell.ok("load_bin_app --stop 2")
        self.fails(1, "link it to there", "load_bin_app 2 a15.elf")
        self.fails(1, "link it to there", "load_bin_app 1 m3.elf")

    def test_process_is_killed(self):
        self.insmod()
        self.boot(1, self.console1, "load_bin_app 1 a15.elf")
        self.assertEqual(self.next_events(1), ["slave 1: vector 0"])
        events = self.listen(1, 1)
        os.kill(self.slave1.pid, signal.SIGKILL)
        self.assertEqual(events(), ["slave 1 is crashed"])
        self.fails(1, "load_bin_app --stop 1 first", "load_bin_app 1 a15.elf")

    def test_platform_does_not_answer(self):
        """Who waits for an answer can be killed; the request goes on, and the next one waits for its end."""
        self.insmod()
        since = self.console1.mark()
        os.kill(self.hetd.pid, signal.SIGSTOP)
        self.shell.ok("load_bin_app 1 a15.elf >/dev/null & loader=$!; until grep -q idm_ /proc/$loader/wchan; do :; done")
        self.assertEqual(self.shell.run("kill -9 $loader; wait $loader")[0], 128 + signal.SIGKILL)
        self.assertEqual(self.state(1), "ready")
        os.kill(self.hetd.pid, signal.SIGCONT)
        self.assertEqual(self.shell.ok("load_bin_app --stop 1"), "slave 1 is ready")
        self.slave1.boot(Entry=dbus.UInt64(WINDOW[0]))
        self.boots[1] += 2
        self.console1.expect(f"boot {self.boots[1]}$", since)

    def test_comes_and_goes(self):
        """Nothing is left of it, whatever is open and running when it goes."""
        before = self.leaks()
        for _ in range(CYCLES):
            self.insmod()
            self.boot(1, self.console1, "load_bin_app 1 a15.elf")
            self.boot(2, self.console2, "load_bin_app 2 m3.elf", 0x70000000)
            self.assertEqual(self.next_events(2), ["slave 2: vector 0"])
            self.shell.ok("load_bin_app --stop 2 && load_bin_app --stop 1 && rmmod idm_test_mod")
            self.assertEqual(self.leaks(), before)
        # A file is open
        self.insmod()
        self.boot(1, self.console1, "load_bin_app 1 a15.elf")
        events = self.listen(1, 9)
        self.assertIn("Resource temporarily unavailable", self.shell.fails("rmmod idm_test_mod"))
        self.shell.ok("load_bin_app --kick 1 7; until grep -q 'vector 7' events; do :; done")
        # The device is taken away from the driver, which rmmod would not do now
        self.shell.ok("echo c000000.idm >/sys/bus/platform/drivers/idm-test/unbind")
        self.shell.ok("until [ -s ended ]; do :; done; [ $(cat ended) -ne 0 ]")
        self.assertIn("load_bin_app: Slave 1 cannot be listened to any more: No such device", self.shell.read("events"))
        self.assertEqual(self.slave1.state, "running")
        self.shell.ok("rmmod idm_test_mod")
        self.assertEqual(self.leaks(), before)
        # The other driver finds one that runs
        self.shell.ok("modprobe idm_rproc")
        self.assertEqual(self.shell.read("/sys/class/remoteproc/remoteproc0/state"), "detached")

    def test_after_remoteproc(self):
        """What the other driver has left in the registers, the address of a resource table, is not this program's."""
        before = len(self.hetd.log())
        self.shell.ok("cp rpmsg.elf /lib/firmware; modprobe idm_rproc; cd /sys/class/remoteproc/remoteproc1")
        self.shell.ok("echo rpmsg.elf >firmware && echo start >state && echo stop >state && cd && rmmod idm_rproc")
        self.insmod()
        self.boot(2, self.console2, "load_bin_app 2 m3.elf", 0x70000000)
        requests = [line for line in self.hetd.log()[before:].splitlines() if "HET_BOOT_REQUEST" in line]
        tables = [int(re.search(r'"resource-table": (\d+)', line)[1]) for line in requests]
        self.assertEqual([table != 0 for table in tables], [True, False])


class Found(RfcTestCase):
    """Slaves that the device tree does not have"""

    files = {"a15.elf": FIRMWARE / "first-light-slave-a15.elf"}
    SLAVE = "/platform-bus@c000000/idm@0/slave@1"
    WINDOW = "/reserved-memory/slave1@60000000"
    removed = {"test_by_the_registers": (SLAVE,), "test_window_of_the_kernel": (SLAVE, WINDOW), "test_attached_later": (SLAVE,)}

    def text(self):
        """The master's tree is that of the example without some nodes."""
        text = super().text()
        if self._testMethodName == "test_without_slaves":
            return text[:text.index("[Processor slave1]")]
        if self._testMethodName == "test_attached_later":
            text = text.replace("512M@0x60000000", "64M@0x60000000") + "Start=external\n"
        tree = self.directory / "master.dtb"
        if not tree.exists():
            tree.write_bytes(self.device_tree("master", text))
            subprocess.run(["fdtput", "-r", tree, *self.removed[self._testMethodName]], check=True)
        return text.replace("Role=master", f"Role=master\nDeviceTree={tree}")

    def start_firmware(self, console):
        self.assertIn("slave 1 is running", self.shell.ok("load_bin_app 1 a15.elf"))
        console.expect("booted from the shared window at 0x60000000, boot 1$")
        self.assertEqual(self.next_events(1), ["slave 1: vector 0"])

    def test_by_the_registers(self):
        self.insmod()
        self.assertEqual(self.shell.ok("load_bin_app --list"), "slave 1: ready, window 0x60000000-0x7fffffff (524288 KiB)")
        self.start_firmware(self.console1)

    def test_window_of_the_kernel(self):
        """It was not told to keep off the window, and uses it itself: nobody may write there."""
        self.insmod()
        self.assertEqual(self.shell.ok("load_bin_app --list"), "slave 1: ready, no window")
        self.fails(1, "has no window", "load_bin_app 1 a15.elf")
        self.console.expect("its window is not the slave's alone: 0x20000000 bytes at 0x60000000")

    def test_attached_later(self):
        self.insmod()
        self.assertEqual(self.shell.ok("load_bin_app --list"), "This master has no slaves")
        qemu = Qemu(self, "slave", *SLAVE1_ARGUMENTS)
        self.slave1.attach(qemu.monitor)
        # The file is there when the slave is attached; what it is comes with its own word
        self.shell.ok("timeout 120 sh -c 'until [ -c /dev/idm1 ] && load_bin_app --list | grep -q ready; do :; done'")
        self.start_firmware(qemu.console())
        self.shell.ok("load_bin_app --stop 1")
        events = self.listen(1, 1)
        self.slave1.call("Detach")
        self.assertEqual(len(events()), 1)
        self.shell.ok("until load_bin_app --status 1 | grep -q 'not attached, no window'; do :; done")
        self.fails(1, "is not attached to this master now", "load_bin_app 1 a15.elf")
        self.fails(1, "is not attached to this master now", "load_bin_app --stop 1")
        self.fails(1, "is not attached to this master now", "load_bin_app --kick 1 1")
        self.shell.ok("rmmod idm_test_mod")

    def test_without_slaves(self):
        self.insmod()
        self.assertEqual(self.shell.ok("load_bin_app --list"), "This master has no slaves")
        self.fails(1, "There is no slave 1", "load_bin_app --status 1")
        self.shell.ok("rmmod idm_test_mod")


if __name__ == "__main__":
    need_guest(ARMHF)
    if not shutil.which(COMPILER):
        skip_all(f"there is no {COMPILER}")
    main()
