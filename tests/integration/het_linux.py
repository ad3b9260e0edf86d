# SPDX-License-Identifier: LGPL-2.1-or-later
"""
A master of docs/examples with Linux, which is talked to through the shell on its console.

QEMU_HET_GUEST        the guest that scripts/build-guest has made
QEMU_HET_GUEST_ARM64  the same with --arch arm64
QEMU_HET_GUEST_NEXT   the same with --plain and the kernel of the next Debian release
QEMU_HET_GUEST_PC     the same with --arch amd64
QEMU_HET_GUEST_PC32   the same with --arch i386
QEMU_HET_LINUX=arm64  the masters of all examples have 64 bits
"""

import collections
import copy
import os
import pathlib
import re
import struct

import het_rpmsg
from het_harness import EXAMPLE, FIRMWARE, TestCase, skip_all
import guest_image      # of scripts/lib
from demo_kit import LINUX_IS_UP

# What scripts/build-guest has made: the variable that says where, the file with the kernel, and what `uname -m` says
Guest = collections.namedtuple("Guest", ("variable", "directory", "kernel", "machine"))


def find_guest(variable, kernel, machine):
    return Guest(variable, pathlib.Path(os.environ.get(variable) or "/nonexistent"), kernel, machine)


ARMHF = find_guest("QEMU_HET_GUEST", "uImage", "armv7l")
ARM64 = find_guest("QEMU_HET_GUEST_ARM64", "Image", "aarch64")
NEXT = find_guest("QEMU_HET_GUEST_NEXT", "uImage", "armv7l")
PC = find_guest("QEMU_HET_GUEST_PC", "bzImage", "x86_64")
PC32 = find_guest("QEMU_HET_GUEST_PC32", "bzImage", "i686")
LINUX = ARM64 if os.environ.get("QEMU_HET_LINUX") == "arm64" else ARMHF
# What makes the master of an example one of 64 bits
WIDER = (("Machine=virt,highmem=off\nCPU=cortex-a15\nMemory=", "Machine=virt\nCPU=cortex-a57\nMemory="),
         (f"/{ARMHF.kernel}\n", f"/{ARM64.kernel}\n"))
SLAVES = ("rpmsg-slave-a15.elf", "rpmsg-slave-m3.elf")
CLASS = "/sys/class/remoteproc/remoteproc"
DEBUG = "/sys/kernel/debug/remoteproc/remoteproc"
WINDOWS = {0: (0x60000000, 64 << 20), 1: (0x70000000, 16 << 20)}
VIRTIO_SIZE = 1 << 20           # the end of each window, for rings and buffers


def what_is_missing(guest):
    """None: it is there"""
    if (guest.directory / "complete").exists():
        return None
    return f"there is no Linux guest: {guest.variable} is not set (scripts/build makes one and sets it)"


def need_guest(what=LINUX):
    if reason := what_is_missing(what):
        skip_all(reason)
    for name in SLAVES:
        if not (FIRMWARE / name).exists():
            skip_all(f"{FIRMWARE / name} is not built")


# A record of /dev/kmsg: level, number, time, flags; text; then what it is about
KERNEL_LINE = re.compile(r"\d+,\d+,\d+,[-c][^;]*;| (SUBSYSTEM|DEVICE)=")


class Shell:
    """
    Commands one after the other; each ends with a line that has its number and status. What the kernel says comes to the same
    console, but by a process: the kernel itself would write into the middle of lines.
    """

    def __init__(self, console, since=0):
        self.console = console
        self.number = 0
        console.expect(LINUX_IS_UP, since)
        console.send("stty -echo; PS1=; PS2=; dmesg -n 1\n")
        self.run("true")
        self.run("cat /dev/kmsg &")
        # A QEMU whose console is not read waits, and a test does not read while it waits for the bus
        self.run("echo all was printed >/dev/kmsg")
        console.expect("all was printed$", since)

    def begin(self, command):
        """Types it, and returns a function that waits for its end and returns (status, output)."""
        self.number += 1
        number, since = self.number, self.console.mark()
        self.console.send(f"{command}\necho \"<$?> {number} end\"\n")

        def wait(meanwhile=None):
            match = self.console.expect(rf"<(\d+)> {number} end$", since, meanwhile)
            lines = self.console.lines[since:]
            last = next(i for i, line in enumerate(lines) if line.endswith(f"> {number} end"))
            output = [line for line in lines[:last] if not KERNEL_LINE.match(line)]
            return int(match[1]), "\n".join(output)

        return wait

    def run(self, command):
        return self.begin(command)()

    def ok(self, command):
        status, output = self.run(command)
        if status:
            raise AssertionError(f"{command}: exit status {status}: {output}")
        return output

    def read(self, path):
        return self.ok(f"cat {path}")

    def read_line(self, path):
        """By the shell itself: under emulation another program takes ten times as long as what it does."""
        return self.ok(f"read -r line <{path} && echo \"$line\"")

    def fails(self, command):
        """Returns what it said."""
        status, output = self.run(f"{{ {command}; }} 2>&1")
        if not status:
            raise AssertionError(f"{command} did not fail: {output}")
        return output


class LinuxMasterTestCase(TestCase):
    guest = LINUX

    def start_linux(self, name, text, files):
        """Starts a platform whose master has more files in its initramfs, {name: (data, mode)}, and waits for its shell."""
        guest = self.directory / "guest"
        guest.mkdir()
        for file in (f for f in self.guest.directory.iterdir() if f.name != "initramfs.cpio.gz"):
            (guest / file.name).symlink_to(file)
        initramfs = (self.guest.directory / "initramfs.cpio.gz").read_bytes()
        (guest / "initramfs.cpio.gz").write_bytes(guest_image.append(initramfs, files))
        self.platform = self.hetd.define(name, text, Variables={"GUEST_DIR": str(guest), "FIRMWARE_DIR": str(FIRMWARE)})
        self.master = self.platform.processor("master")
        self.platform.start()
        self.console = self.master.console()
        self.shell = Shell(self.console)


class LinuxTestCase(LinuxMasterTestCase):
    """A master that has booted; its /lib/firmware has what the build has made, and more."""

    example = "linux-master"            # .platform
    firmware = SLAVES                   # in /lib/firmware, beside what more_firmware() makes
    changes = ()                        # (old, new) of the platform file's text
    remoteproc = "idm"                  # Remoteproc=

    def what_boots(self):
        """The text of the platform file, and the files of the initramfs"""
        files = {name: (FIRMWARE / name).read_bytes() for name in self.firmware} | self.more_firmware()
        text = (EXAMPLE.parent / f"{self.example}.platform").read_text(encoding="utf-8")
        wider = WIDER if self.guest is ARM64 and not self.example.endswith("-arm64") else ()
        chosen = (("[Platform]\n", f"[Platform]\nRemoteproc={self.remoteproc}\n"),)
        for old, new in wider + chosen + self.changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text, {f"lib/firmware/{n}": (data, 0o644) for n, data in files.items()}

    def setUp(self):
        super().setUp()
        self.start_linux(self.example, *self.what_boots())
        _, *slaves = self.platform.processors()
        self.slave1, self.slave2 = (slaves + [None])[:2]

    def more_firmware(self):
        """{name: data}"""
        return {}


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


# For `changes`: the kernel looks at what it frees
CHECK_FREED = ("CommandLine=", "CommandLine=slub_debug=FU ")
# What the kernel says when something of its own is wrong
KERNEL_COMPLAINT = r"BUG:|BUG \S+ \(|kernel BUG|WARNING: CPU|Oops|Internal error|Unable to handle|blocked for more than|detected stalls"
# At the beginning of a line: what a program was about to print of what its driver did when it was stopped, as far as it came
CUT_OFF = r"(r|rp|rpm|rpms|rpmsg|rpmsg:|rpmsg: .*)?"


# Makes slaves offline that Linux has started or attached to, and takes away what dumps are left
OFFLINE = f"""for n in 0 1; do i=0; while [ $((i += 1)) -le 20 ]; do line=; read -r line <{CLASS}$n/state; case $line in
'' | offline | detached) break;; crashed) echo recover >{CLASS}$n/recovery;; *) echo stop >{CLASS}$n/state;; esac; done; done
for d in /sys/class/devcoredump/devcd*/data; do [ ! -e $d ] || echo 1 >$d; done"""


class SharedBoot:
    """
    For a LinuxMasterTestCase. Tests of the same kind() have one boot together: it takes longer than what most of them do. Each finds what the
    first one has found, by renew(); where that is not possible, and after one that has failed, the next one boots anew.
    """

    shared = None                       # the test that has left its platform for the next one
    complaint = KERNEL_COMPLAINT

    def setUp(self):
        before, SharedBoot.shared = SharedBoot.shared, None
        # Left to one that was skipped
        if before and before.kind() != self.kind():
            super(SharedBoot, before).tearDown()
            before.doCleanups()
            before = None
        if not before:
            super().setUp()
            return
        own = dict(self.__dict__)
        self.__dict__ |= before.__dict__ | own | {"_cleanups": before._cleanups}
        before._cleanups = []

    def tearDown(self):
        renewed = not self.is_last_of_kind and not self.has_failed() and self.renew()
        complaint = self.console.find(self.complaint)
        if renewed and not complaint:
            # A copy: what this one has to do at its end is done with
            SharedBoot.shared = copy.copy(self)
            self._cleanups = []
        else:
            super().tearDown()
        self.assertIsNone(complaint, complaint and complaint.string)


class RemoteprocTestCase(SharedBoot, LinuxTestCase):
    """What Linux shows of the slaves, by the number of its instance: slave1 is 0. Which driver it has is in the attributes."""

    driver = "idm_rproc"
    interrupts = "idm"                  # what those of its devices are called
    firmware_names = SLAVES             # that it asks for by itself
    no_table = "the image has no resource table"
    shares_boot = False                 # with all that boot the same, of whatever class they are

    def more_firmware(self):
        """Without a resource table"""
        return {"first-light.elf": (FIRMWARE / "first-light-slave-m3.elf").read_bytes()}

    def kind(self):
        if not self.shares_boot:
            return None
        text, files = self.what_boots()
        return self.guest, self.example, text, *sorted(files.items())

    def renew(self):
        """A new driver, and slaves that are ready, as after a boot. False: that is not possible"""
        self.shell.ok(OFFLINE)
        if self.shell.run(f"rmmod {self.driver}; [ ! -e /sys/module/{self.driver} ]")[0]:
            return False
        for slave in (self.slave1, self.slave2):
            if slave.state in ("running", "paused", "crashed") and slave.pid:
                slave.call("Stop")
            if slave.state != "ready":
                return False
        self.shell.ok(f"cd; rm -f /dev/ttyRPMSG* /tmp/*; modprobe {self.driver}")
        return [self.state(n) for n in (0, 1)] == ["offline", "offline"]

    def state(self, number):
        return self.shell.read_line(f"{CLASS}{number}/state")

    def write(self, number, name, word):
        self.shell.ok(f"echo {word} >{CLASS}{number}/{name}")

    def wait_state(self, number, state):
        file = f"{CLASS}{number}/state"
        self.shell.ok(f"timeout 120 sh -c 'until read -r line <{file} && [ \"$line\" = {state} ]; do :; done' || {{ cat {file}; false; }}")

    def slave(self, number):
        return (self.slave1, self.slave2)[number]

    def boot(self, number, **options):
        """By hetd, which loads the platform file's firmware"""
        self.slave(number).boot(**options)
        self.wait_state(number, "detached")

    def refused(self, number, name, word, reason):
        self.assertIn(reason, self.shell.fails(f"echo {word} >{CLASS}{number}/{name}"))

    def start(self, number):
        """And waits until its services are announced, which is when they can be used."""
        since = self.console.mark()
        self.write(number, "state", "start")
        for service in ("rpmsg-tty", "rpmsg-raw", "rpmsg-ping"):
            self.console.expect(rf"creating channel {service} addr", since)
        self.assert_runs(number)

    def assert_runs(self, number):
        """Its guest is faster than hetd, which may not have heard yet that the boot is done"""
        self.assertEqual(self.state(number), "running")
        self.slave(number).wait_state("running")

    def stop(self, number):
        self.write(number, "state", "stop")
        self.assertEqual(self.state(number), "offline")

    def wait_recovered(self, number, since):
        """The kernel is back at where start() was."""
        self.console.expect(rf"remoteproc remoteproc{number}: handling crash #", since)
        self.console.expect(rf"remoteproc remoteproc{number}: remote processor slave{number + 1} is now up", since)
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assert_runs(number)

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
        self.assertEqual(self.shell.ok(f"echo '{text}' >&3; read -r -t 120 line <&3 && echo \"$line\""), text)
        self.shell.ok("exec 3>&-")

    def leaks(self):
        """What must be the same after a slave was stopped as before its start"""
        return self.shell.ok("grep -c ioremap /proc/vmallocinfo; grep -c . /proc/interrupts; ls /sys/bus/rpmsg/devices | wc -l; "
                             "cat /sys/kernel/debug/remoteproc/*/carveout_memories | wc -l")

    def reboot(self):
        """Of the master's Linux; its platform and the other QEMUs go on."""
        since, pids = self.console.mark(), [p.pid for p in self.platform.processors()]
        self.console.send("reboot -f\n")
        self.shell = Shell(self.console, since)
        self.assertEqual([p.pid for p in self.platform.processors()], pids)
        self.assertEqual((self.platform.state, self.master.reason), ("running", "guest-reset"))
