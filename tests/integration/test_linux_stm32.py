#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The tests of docs/examples/linux-master.platform with Remoteproc=stm32: Linux has no module of ours, but its own driver of the STM32MP1's
coprocessor.
"""

import test_linux_attach
import test_linux_crash
import test_linux_long
import test_linux_master
import test_linux_traffic
from het_harness import FIRMWARE, main
from het_linux import CLASS, SLAVES, need_guest
from test_linux_crash import Core, EM_ARM, ET_CORE, symbols


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


class Coredump(Stm32, test_linux_crash.Coredump):
    """The driver dumps the trace buffer, and nothing else."""

    test_nobody_reads = None            # it is about the size of a window

    def check(self, number, data):
        core, address = Core(data), symbols(FIRMWARE / SLAVES[number])
        self.assertTrue(core.is_elf32 and core.is_whole)
        self.assertEqual((core.type, core.machine, core.count), (ET_CORE, EM_ARM, 1))
        self.assertEqual((core.address, core.size), (address["trace_buffer"], 4096))
        self.assertIn("crashing, as told", core.at(core.address, core.size).split(b"\0")[0].decode())
        return core


class AttachStm32(Stm32):
    def boot(self, number, **options):
        """By hetd; the driver sees it when it is bound to it anew"""
        (self.slave1, self.slave2)[number].boot(**options)
        self.shell.ok(f"d=$(basename $(readlink -f {CLASS}{number}/device)); cd /sys/bus/platform/drivers/stm32-rproc && "
                      "echo $d >unbind && echo $d >bind; cd")
        self.assertEqual(self.state(number), "detached")


class Attach(AttachStm32, test_linux_attach.Attach):
    test_no_table = None                # it cannot be attached to


class Reboot(AttachStm32, test_linux_attach.Reboot):
    pass


class RebootKeep(AttachStm32, test_linux_attach.RebootKeep):
    pass


class Crash(Stm32, test_linux_crash.Crash):
    pass


class Traffic(Stm32, test_linux_traffic.Traffic):
    pass


class Long(Stm32, test_linux_long.Long):
    pass


if __name__ == "__main__":
    need_guest()
    main()
