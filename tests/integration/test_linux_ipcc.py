#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform with the STM32's registers at both ends: Linux has its own driver of the STM32MP1's coprocessor, and the
firmware of both slaves speaks to the mailbox of that chip, on a Cortex-A and on a Cortex-M.
"""

import test_linux_attach
import test_linux_crash
import test_linux_stm32
import test_linux_traffic
from het_harness import FIRMWARE, main
from het_linux import CUT_OFF, DEBUG, KERNEL_COMPLAINT, RemoteprocTestCase, SLAVES, WINDOWS, need_guest

IPCC = tuple(name.replace("slave-", "slave-ipcc-") for name in SLAVES)


class Ipcc(test_linux_stm32.Stm32):
    firmware = IPCC
    changes = tuple(zip(SLAVES, IPCC))
    complaint = f"{KERNEL_COMPLAINT}|shutdown without ack"

    def stop(self, number):
        """Linux announces it, and waits until the firmware has seen that"""
        console = self.slave(number).console()
        since = console.mark()
        super().stop(number)
        console.expect("the master is about to stop this program", since)


class Run(Ipcc, RemoteprocTestCase):
    """QEMU writes down what the firmware does with either kind of registers."""

    @property
    def changes(self):
        def traced(number):
            return f"-D {self.log(number)} -trace idm_read -trace idm_write -trace idm_stm32_read -trace idm_stm32_write"
        return super().changes + (("-device pvpanic-pci\n", f"-device pvpanic-pci {traced(0)}\n"),
                                  (f"{IPCC[1]}\n", f"{IPCC[1]}\nExtraArguments={traced(1)}\n"))

    def log(self, number):
        return self.directory / f"slave{number + 1}.log"

    def test_start_talk_stop(self):
        for turn in range(3):
            for number in (0, 1):
                console = self.slave(number).console()
                since = console.mark()
                self.start(number)
                self.assertEqual(self.slave(number).state, "running")
                console.expect(f"^{CUT_OFF}slave: rpmsg firmware, booted at {WINDOWS[number][0]:#x}$", since)
                self.assertIn("rpmsg: the driver is there", self.shell.read(f"{DEBUG}{number}/trace0"))
            for n in range(10):
                for number in (0, 1):
                    self.echo(self.tty(number), f"slave{number + 1}, {turn}, {n}")
            for number in (0, 1):
                self.stop(number)
                self.assertEqual((self.slave(number).state, self.slave(number).reason), ("ready", "stop"))
        self.assertEqual(self.shell.ok("ls /sys/bus/rpmsg/devices"), "")
        for number in (0, 1):
            log = self.log(number).read_text(encoding="utf-8")
            self.assertIn("idm_stm32_read ", log)
            self.assertIn("idm_stm32_write ", log)
            self.assertNotIn("idm_read ", log)
            self.assertNotIn("idm_write ", log)


class Traffic(Ipcc, test_linux_traffic.Traffic):
    pass


class Crash(Ipcc, test_linux_crash.Crash):
    pass


class RebootKeep(Ipcc, test_linux_stm32.AttachStm32, test_linux_attach.RebootKeep):
    """The firmware notices by its channel that the driver has left, where the resource table does not say so."""

    changes = Ipcc.changes + test_linux_attach.RebootKeep.changes

    def reboot(self):
        runs = [slave for slave in (self.slave1, self.slave2) if slave.state == "running"]
        marks = [slave.console().mark() for slave in runs]
        super().reboot()
        for slave, since in zip(runs, marks):
            slave.console().expect("slave: the master has left", since)


class Smp(Ipcc, test_linux_stm32.Smp):
    changes = Ipcc.changes + test_linux_stm32.Smp.changes


if __name__ == "__main__":
    need_guest()
    for image in IPCC:
        assert (FIRMWARE / image).exists(), f"{FIRMWARE / image} is not built"
    main()
