#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The kernel of the next Debian release drives the slaves by its own driver: start, stop, rpmsg, crash, kill, attach, detach, reboot, and
remoteproc's sysfs. test_linux_stm32.py has more, with this release's.
"""

import test_linux_stm32
from het_harness import main
from het_linux import CLASS, NEXT, need_guest


class Master(test_linux_stm32.Master):
    guest = NEXT
    test_one_instance_for_each_slave = None
    test_driver_comes_and_goes = None

    def test_no_module_of_ours(self):
        self.assertNotRegex(self.shell.ok("uname -r"), r"^6\.1\.")
        super().test_no_module_of_ours()


class Crash(test_linux_stm32.Crash):
    guest = NEXT
    test_crash_without_recovery = None
    test_stopped_by_somebody_else = None


class Attach(test_linux_stm32.Attach):
    guest = NEXT
    test_both = None
    test_new_driver = None


class RebootKeep(test_linux_stm32.RebootKeep):
    guest = NEXT


class Abi(test_linux_stm32.Abi):
    guest = NEXT
    test_name = None
    test_firmware = None
    test_missing_firmware = None
    test_no_resource_table = None
    test_coredump = None

    def test_recovery(self):
        """Other than in Linux 6.1, one that has crashed can be stopped."""
        self.write(1, "recovery", "disabled")
        self.start(1)
        self.shell.ok(f"echo crash >{self.tty(1)}; until grep -q crashed {CLASS}1/state; do :; done")
        self.stop(1)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "stop"))
        self.start(1)
        self.echo(self.tty(1), "back again")


if __name__ == "__main__":
    need_guest(NEXT)
    main()
