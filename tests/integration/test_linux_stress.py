#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: slaves that send vectors without end, and fail or are stopped at any time, while Linux starts and
stops them and its driver comes and goes. Nothing is lost by that, and nothing is left. scripts/soak runs it for longer.

QEMU_HET_CYCLES  ten thirds of the number of turns (default: 20)
"""

import os
import random

from het_bus import BusError
from het_harness import main
from het_linux import CHECK_FREED, CLASS, RemoteprocTestCase, need_guest

TURNS = int(os.environ.get("QEMU_HET_CYCLES", "20")) * 3 // 10
# The guest's part: $1 is the number of the instance. Eight echoes are on their way when talk ends. (No process may still write to the
# terminal when its slave goes: rpmsg_tty of Linux 6.1 has no lock against that, and the kernel would fail.)
FUNCTIONS = f"""
state() {{ read -r line <{CLASS}$1/state && echo "$line"; }}
to() {{ echo $2 >{CLASS}$1/state; }}
terminal() {{ for t in {CLASS}$1/rproc-virtio.*/virtio*/*.rpmsg-tty.*/tty/*; do [ ! -e "$t" ] || echo "/dev/${{t##*/}}"; done; }}
talk() {{ t=$(terminal $1); [ -z "$t" ] || for i in 1 2 3 4 5 6 7 8; do echo $i >$t; done; }}
offline() {{ for tries in $(seq 100); do case $(state $1) in
offline) return;; detached) to $1 start;; crashed) echo recover >{CLASS}$1/recovery;; *) to $1 stop;; esac; done; state $1; false; }}
"""


class Stress(RemoteprocTestCase):
    changes = (CHECK_FREED,)
    shares_boot = True
    time_limit = 200 * TURNS

    def setUp(self):
        super().setUp()
        self.random = random.Random(1)
        self.slaves = self.slave1, self.slave2
        for line in FUNCTIONS.strip().splitlines():
            self.console.send(line + "\n")
        self.still_well()
        self.before = self.leaks()

    def kick(self):
        """Some vectors of the slaves for the master"""
        for slave in self.slaves:
            for _ in range(16):
                slave.kick(self.random.randrange(32), FromSlave=True)

    def stop_one(self):
        """Linux may have it in any state; the slave's QEMU may be about to be booted by Linux."""
        self.kick()
        if not self.random.randrange(4):
            try:
                self.random.choice(self.slaves).call("Stop")
            except BusError as e:
                if not e.name.endswith((".Busy", ".WrongState")):
                    raise

    def during(self, commands, action):
        """Runs commands in the guest, in turns, and meanwhile does something again and again."""
        sent, since = self.sent(), self.console.mark()
        wait = self.shell.begin(f"for j in $(seq {TURNS}); do echo turn $j; {commands}; done 2>&1")
        for turn in range(1, TURNS + 1):
            self.console.expect(rf"^turn {turn}$|<\d+> {self.shell.number} end$", since, action)
        status, output = wait(action)
        self.assertGreater(self.sent(), sent)
        return status, [line for line in output.splitlines() if not line.startswith("turn ")]

    def sent(self):
        return sum(int(slave.get("Interrupts")[2]) for slave in self.slaves)

    def still_well(self):
        for number in (0, 1):
            self.start(number)
            self.echo(self.tty(number), "still well")
            self.stop(number)

    def check_well(self):
        """As it was before"""
        self.shell.ok("offline 0; offline 1")
        # Who wrote to a terminal that was gone by then has made a file of that name
        self.shell.ok("for t in /dev/ttyRPMSG*; do [ ! -f $t ] || rm $t; done")
        self.still_well()
        self.assertEqual(self.leaks(), self.before)

    def test_start_stop(self):
        """Vectors come at any time, and stop finds messages on their way in both directions."""
        self.assertEqual(self.during("for n in 0 1; do to $n start; done; for n in 0 1; do talk $n; done; "
                                     "for n in 0 1; do to $n stop; done", self.kick), (0, []))
        self.check_well()

    def test_driver_comes_and_goes(self):
        self.assertEqual(self.during(f"modprobe {self.driver}; for n in 0 1; do to $n start; talk $n; done; rmmod {self.driver}",
                                     self.kick), (0, []))
        self.shell.ok(f"modprobe {self.driver}")
        self.check_well()

    def test_stopped_at_any_time(self):
        """By somebody else, while Linux starts, stops, recovers, attaches to and detaches from it, and nobody writes to a terminal"""
        self.during("for n in 0 1; do to $n start; done; for n in 0 1; do to $n detach; to $n stop; done", self.stop_one)
        self.check_well()

    def test_crash_and_remove(self):
        """The driver goes while it deals with a crash"""
        self.during("for n in 0 1; do to $n start; done; for n in 0 1; do t=$(terminal $n); [ -z \"$t\" ] || echo crash >$t; done; "
                    f"rmmod {self.driver}; modprobe {self.driver}", self.kick)
        self.check_well()


if __name__ == "__main__":
    need_guest()
    main()
