#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: Linux gets over crashes of the slaves, and dumps what they leave.
"""

import os
import signal

from het_harness import main
from het_linux import CLASS, RemoteprocTestCase, need_guest


class Crash(RemoteprocTestCase):
    def test_fault_of_the_firmware(self):
        """The core stops it, loads its image again and starts it; the other one does not notice."""
        self.start(0)
        self.start(1)
        for number in (0, 1):
            for _ in range(3):
                since = self.console.mark()
                self.shell.ok(f"echo crash >{self.tty(number)}")
                self.wait_recovered(number, since)
                self.echo(self.tty(number), "back again")
                self.echo(self.tty(1 - number), "never away")

    def test_crash_without_recovery(self):
        self.start(1)
        self.write(1, "recovery", "disabled")
        since = self.console.mark()
        self.shell.ok(f"echo crash >{self.tty(1)}")
        self.console.expect("remoteproc remoteproc1: handling crash #1", since)
        self.assertEqual(self.state(1), "crashed")
        since = self.console.mark()
        self.write(1, "recovery", "recover")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.echo(self.tty(1), "back again")

    def test_stopped_by_somebody_else(self):
        """For Linux that is a crash as well: it did not ask for it."""
        self.start(1)
        since = self.console.mark()
        self.slave2.call("Stop")
        self.console.expect("crash detected in slave2: type watchdog", since)
        self.wait_recovered(1, since)
        self.echo(self.tty(1), "back again")

    def test_process_is_killed(self):
        """hetd starts it again, and for Linux that is a crash as any other; the other slave does not notice."""
        self.start(0)
        self.start(1)
        fds = self.hetd.fds()
        for number, slave in ((1, self.slave2), (0, self.slave1), (1, self.slave2)):
            since, pid, restarts = self.console.mark(), slave.pid, slave.get("Restarts")
            os.kill(pid, signal.SIGKILL)
            self.console.expect(f"remoteproc remoteproc{number}: crash detected in slave{number + 1}: type", since)
            self.wait_recovered(number, since)
            self.echo(self.tty(number), "back again")
            self.echo(self.tty(1 - number), "never away")
            self.assertEqual((slave.state, slave.get("Restarts")), ("running", restarts + 1))
            self.assertNotEqual(slave.pid, pid)
        self.assertEqual(self.hetd.fds(), fds)
        for number in (0, 1):
            self.stop(number)


class KilledForGood(RemoteprocTestCase):
    changes = (("Restart=on-failure\n", ""),)

    def test_process_is_killed(self):
        """There is nothing that could be recovered, and Linux says so; the other slave goes on."""
        self.start(0)
        self.start(1)
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.console.expect("remoteproc remoteproc1: crash detected in slave2: type fatal error", since)
        self.console.expect("remoteproc remoteproc1: it is crashed and cannot be started", since)
        self.shell.ok(f"until grep -q crashed {CLASS}1/state; do :; done")
        self.assertEqual(self.slave2.state, "crashed")
        self.echo(self.tty(0), "never away")
        self.stop(0)
        self.shell.ok("rmmod idm_rproc")
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "")

    def test_brought_back_by_hand(self):
        self.start(1)
        since = self.console.mark()
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.console.expect("remoteproc remoteproc1: it is crashed and cannot be started", since)
        self.shell.ok(f"until grep -q crashed {CLASS}1/state; do :; done")
        self.slave2.call("Restart")
        since = self.console.mark()
        self.write(1, "recovery", "recover")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assertEqual(self.state(1), "running")
        self.echo(self.tty(1), "back again")


if __name__ == "__main__":
    need_guest()
    main()
