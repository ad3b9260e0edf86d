#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: the same again and again, and nothing leaks. scripts/soak runs it with the full counts.

QEMU_HET_CYCLES  how often each slave is started and stopped (default: 20); half as many crashes and kills
"""

import os
import re
import signal

from het_harness import main, open_fds
from het_linux import RemoteprocTestCase, need_guest

CYCLES = int(os.environ.get("QEMU_HET_CYCLES", "20"))
MIB = 1024                      # in KiB, as the kernel says it
# What may be missing in the end: caches come and go, and a leak of one page in each of 200 cycles would not show in MemFree
MISSING_MAX = {"MemFree": 12 * MIB, "Slab": 2 * MIB, "hetd": 2 * MIB}


class LongTestCase(RemoteprocTestCase):
    shares_boot = True
    time_limit = 60 * CYCLES

    def exact(self):
        """What has to be the same again"""
        guest = self.shell.ok("grep -c ioremap /proc/vmallocinfo; cat /proc/interrupts | wc -l; ls /sys/bus/rpmsg/devices | wc -l; "
                              "cat /sys/kernel/debug/remoteproc/*/carveout_memories | wc -l; ls /sys/bus/platform/devices | wc -l; "
                              "ls /sys/class/tty | wc -l; ls /dev | wc -l")
        processes = [open_fds(p.pid) for p in (self.master, self.slave1, self.slave2)]
        return {"guest": guest.split(), "hetd": self.hetd.fds(), "QEMUs": processes}

    def memory(self):
        """In KiB"""
        found = dict(re.findall(r"^(\w+): +(\d+) kB$", self.shell.read("/proc/meminfo"), re.M))
        with open(f"/proc/{self.hetd.pid}/status", encoding="ascii") as f:
            hetd = re.search(r"^VmRSS:\s+(\d+) kB$", f.read(), re.M)[1]
        return {"MemFree": -int(found["MemFree"]), "Slab": int(found["Slab"]), "hetd": int(hetd)}

    def again(self, count, cycle):
        """The first ones fill caches; what was there after them is there in the end."""
        for n in range(3):
            cycle(n)
        exact, memory = self.exact(), self.memory()
        for n in range(3, count):
            cycle(n)
        self.assertEqual(self.exact(), exact)
        missing = {name: now - memory[name] for name, now in self.memory().items()}
        print(f"# after {count} cycles, in KiB: {missing}")
        for name, most in MISSING_MAX.items():
            self.assertLess(missing[name], most, missing)


class Long(LongTestCase):
    def test_start_stop(self):
        def cycle(n):
            for number in (0, 1):
                self.start(number)
            for number in (0, 1):
                self.echo(self.tty(number), f"cycle {n} of {number}")
            for number in (0, 1):
                self.stop(number)

        self.again(CYCLES, cycle)

    def test_crashes(self):
        def cycle(n):
            number = n % 2
            since = self.console.mark()
            self.shell.ok(f"echo crash >{self.tty(number)}")
            self.wait_recovered(number, since)
            for one in (0, 1):
                self.echo(self.tty(one), f"after crash {n}, {one}")

        self.start(0)
        self.start(1)
        self.again(max(4, CYCLES // 2), cycle)


class LongKills(LongTestCase):
    changes = (("Restart=on-failure\n", "Restart=on-failure\nStartLimitBurst=0\n"),)

    def test_kills(self):
        """hetd starts their QEMUs again, and Linux the firmware in them."""
        def cycle(n):
            number, slave = n % 2, self.slave(n % 2)
            since = self.console.mark()
            os.kill(slave.pid, signal.SIGKILL)
            self.wait_recovered(number, since)
            self.echo(self.tty(number), f"kill {n}")
            self.echo(self.tty(1 - number), "never away")

        count = max(4, CYCLES // 2)
        self.start(0)
        self.start(1)
        self.again(count, cycle)
        self.assertEqual(sum(int(slave.get("Restarts")) for slave in (self.slave1, self.slave2)), count)


if __name__ == "__main__":
    need_guest()
    main()
