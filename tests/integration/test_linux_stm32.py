#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The tests of docs/examples/linux-master.platform with Remoteproc=stm32: Linux has no module of ours, but its own driver of the STM32MP1's
coprocessor.
"""

import os
import signal
import struct

import het_rpmsg
import test_linux_abi
import test_linux_attach
import test_linux_crash
import test_linux_long
import test_linux_master
import test_linux_stress
import test_linux_traffic
from het_harness import FIRMWARE, main
from het_linux import CLASS, RemoteprocTestCase, SLAVES, VIRTIO_SIZE, WINDOWS, need_guest
from test_linux_crash import EM_ARM, ET_CORE, symbols


class Stm32:
    remoteproc = "stm32"
    driver = "stm32_rproc"
    interrupts = "slave"
    firmware_names = ("rproc-slave1-fw", "rproc-slave2-fw")
    no_table = "no resource table found"


class Master(Stm32, test_linux_master.Master):
    def test_no_module_of_ours(self):
        modules = self.shell.ok("cut -d' ' -f1 /proc/modules").splitlines()
        self.assertIn("stm32_rproc", modules)
        self.assertIn("stm32_ipcc", modules)
        self.assertEqual([m for m in modules if "idm" in m], [])
        self.assertEqual(self.shell.read("/proc/sys/kernel/tainted"), "0")


class Smp(Stm32, RemoteprocTestCase):
    """Linux runs on two CPUs, and its interrupts, workqueues and the CPU that waits for the end of a stop are not always the same."""

    changes = (("CPU=cortex-a15\nMemory=1G\n", "CPU=cortex-a15\nCPUs=2\nMemory=1G\n"),)

    def test_start_talk_crash_stop(self):
        self.assertEqual(self.shell.ok("nproc"), "2")
        for turn in range(2):
            for number in (0, 1):
                self.start(number)
            for number in (0, 1):
                since = self.console.mark()
                self.echo(self.tty(number), f"before {turn}")
                self.shell.ok(f"echo crash >{self.tty(number)}")
                self.wait_recovered(number, since)
                self.echo(self.tty(number), f"back again {turn}")
                self.echo(self.tty(1 - number), f"never away {turn}")
            for number in (0, 1):
                self.stop(number)
            self.assertEqual((self.slave1.state, self.slave2.state), ("ready", "ready"))


class AutoBoot(Stm32, RemoteprocTestCase):
    changes = (("rpmsg-slave-m3.elf\n", "rpmsg-slave-m3.elf\nAutoBoot=master\n"),)

    def test_started_by_the_driver(self):
        self.shell.ok(f"until grep -q running {CLASS}1/state; do :; done")
        self.assert_runs(1)
        self.assertEqual((self.state(0), self.slave1.state), ("offline", "ready"))
        self.shell.ok(f"until [ -e {CLASS}1/rproc-virtio.*/virtio*/*.rpmsg-tty.*/tty ]; do :; done")
        self.echo(self.tty(1), "nobody has asked for it")
        self.stop(1)


class Parts:
    """A core file of several segments; the kernel leaves out for which machine it is"""

    def __init__(self, data):
        header = struct.unpack_from("<16sHHIIIIIHHHHHH", data)
        self.is_core = (header[0][:6], header[1], header[2]) == (b"\x7fELF\x01\x01", ET_CORE, 0)
        self.segments = [struct.unpack_from("<8I", data, header[5] + 32 * n) for n in range(header[10])]
        self.data = data[:18] + struct.pack("<H", EM_ARM) + data[20:]

    def at(self, address, size):
        for _, offset, _, start, length, *_ in self.segments:
            if start <= address and address + size <= start + length:
                return self.data[offset + address - start:offset + address - start + size]
        raise AssertionError(f"{address:#x} is not in the dump")


class Coredump(Stm32, test_linux_crash.Coredump):
    """The driver dumps what it has mapped: the program's part of the window, the rings, and the trace buffer once more."""

    test_nobody_reads = None            # it is about dumps as large as a window

    def check(self, number, data):
        core, elf = Parts(data), het_rpmsg.Elf(FIRMWARE / SLAVES[number])
        base, size = WINDOWS[number]
        rings, trace = base + size - VIRTIO_SIZE, symbols(FIRMWARE / SLAVES[number])["trace_buffer"]
        self.assertTrue(core.is_core)
        self.assertEqual([(s[3], s[4]) for s in core.segments],
                         [(base, size - VIRTIO_SIZE), (rings, 0x10000), (rings + 0x10000, 0x10000), (trace, 4096)])
        program = elf.segments[0]
        self.assertEqual(core.at(program.address, program.file_size), elf.data[program.offset:program.offset + program.file_size])
        self.assertIn("crashing, as told", core.at(trace, 4096).split(b"\0")[0].decode())
        return core


class AttachStm32(Stm32):
    def boot(self, number, **options):
        """By hetd; the driver sees it when it is bound to it anew, once the master has seen that it runs"""
        self.slave(number).boot(**options)
        anew = f'echo "$0" >unbind && echo "$0" >bind && read -r line <{CLASS}{number}/state && [ "$line" = detached ]'
        self.shell.ok(f"cd -P {CLASS}{number}/device && d=${{PWD##*/}} && cd /sys/bus/platform/drivers/stm32-rproc && "
                      f"timeout 120 sh -c 'until {anew}; do :; done' $d && cd")


class Abi(AttachStm32, test_linux_abi.Abi):
    pass


class Attach(AttachStm32, test_linux_attach.Attach):
    test_no_table = None                # it cannot be attached to


class BeforeLinux(AttachStm32, test_linux_attach.BeforeLinux):
    pass


class Reboot(AttachStm32, test_linux_attach.Reboot):
    pass


class RebootKeep(AttachStm32, test_linux_attach.RebootKeep):
    def detach(self, number):
        """The kernel puts back the table that it has found, in which the driver before it is still there: the slave sees no change."""
        self.write(number, "state", "detach")
        self.assertEqual(self.state(number), "detached")


class Crash(Stm32, test_linux_crash.Crash):
    pass


class Images(Stm32, test_linux_abi.Images):
    """Its driver leaves the checks to the kernel's core, which starts a program without rpmsg if it cannot make the rings."""

    not_noticed = ("cut.elf", "ring-size.elf", "ring-address.elf")

    def images(self):
        images = super().images()
        del images["ring-odd.elf"]      # has a ring of another length than the other one: "WARNING: CPU" of the rpmsg bus, and it works
        return images


class AttachedCrash(AttachStm32, test_linux_attach.Crash):
    """
    There is no Hostile like that of test_linux_attach: it is about checks of our driver's own, and this one, of the tables of slaves
    that run, believes what the kernel's core does.
    """

    test_another_image = None           # it is recovered with whatever Linux would start


class Hang(Stm32, test_linux_crash.Hang):
    pass


class Polls(Stm32, RemoteprocTestCase):
    """Firmware that acknowledges nothing: its IDM does that for it, and neither a kick nor a stop waits for ever."""

    example_firmware = tuple((name, name.replace("slave-", "slave-poll-")) for name in SLAVES)
    changes = tuple((f"/{old}\n", f"/{new}\n") for old, new in example_firmware)
    firmware = tuple(new for _, new in example_firmware)
    no_ack = "remote FW shutdown without ack"
    full = "Try increasing MBOX_TX_QUEUE_LEN"

    def talk_and_stop(self):
        """More kicks than the kernel keeps for a slave that takes none"""
        for number in (0, 1):
            self.start(number)
        tty = self.tty(1)
        for n in range(40):
            self.echo(tty, f"line {n}")
        since = self.console.mark()
        for number in (0, 1):
            self.stop(number)
        self.shell.ok("echo stopped >/dev/kmsg")
        self.console.expect("stopped$", since)

    def test_start_talk_stop(self):
        for _ in range(2):
            self.talk_and_stop()
        self.assertEqual([self.console.find(text) for text in (self.no_ack, self.full)], [None, None])


class PollsUnheard(Polls):
    """The same without that"""

    changes = Polls.changes + (("Window=16M@0x70000000\n", "Window=16M@0x70000000\n"
                                "ExtraArguments=-global idm_ipi-flat.auto-ack=off\n"),)

    def test_start_talk_stop(self):
        self.start(1)
        since = self.console.mark()
        self.stop(1)
        self.console.expect(self.no_ack, since)


class KilledForGood(Stm32, test_linux_crash.KilledForGood):
    """Linux is not told that it cannot be started, and tries it again and again; what bounds that are longer and longer pauses."""

    def kill(self):
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGKILL)
        first, last = (self.crash(n, since) for n in (2, 6))
        # 0.1 s, 0.2 s, 0.4 s and 0.8 s, of which a timer may round something off
        self.assertGreater(last - first, 1.4)
        self.assertEqual(self.slave2.state, "crashed")

    def crash(self, n, since):
        """When it was, in seconds"""
        return int(self.console.expect(rf"^\d+,\d+,(\d+),.*handling crash #{n} in slave2", since)[1]) / 1e6

    def bring_back(self):
        """It needs no word to Linux."""
        self.slave2.call("Restart")


class Stress(Stm32, test_linux_stress.Stress):
    pass


class Traffic(Stm32, test_linux_traffic.Traffic):
    pass


class Long(Stm32, test_linux_long.Long):
    pass


if __name__ == "__main__":
    need_guest()
    main()
