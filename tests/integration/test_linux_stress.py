#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: slaves that send vectors without end, and fail or are stopped at any time, while Linux starts and
stops them and its driver comes and goes. Nothing is lost by that, and nothing is left.
"""

import random

from het_bus import BusError
from het_harness import main
from het_linux import CLASS, RemoteprocTestCase, need_guest

# The guest's part: $1 is the number of the instance. Eight echoes are on their way when talk ends. (No process may still write to the
# terminal when its slave goes: rpmsg_tty of Linux 6.1 has no lock against that, and the kernel would fail.)
FUNCTIONS = f"""
state() {{ cat {CLASS}$1/state; }}
to() {{ echo $2 >{CLASS}$1/state; }}
terminal() {{ for t in {CLASS}$1/rproc-virtio.*/virtio*/*.rpmsg-tty.*/tty/*; do [ ! -e $t ] || echo /dev/${{t##*/}}; done; }}
talk() {{ t=$(terminal $1); [ -z "$t" ] || for i in 1 2 3 4 5 6 7 8; do echo $i >$t; done; }}
offline() {{ while :; do case $(state $1) in
offline) break;; detached) to $1 start;; crashed) echo recover >{CLASS}$1/recovery;; *) to $1 stop;; esac; done; }}
"""


class Stress(RemoteprocTestCase):
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

    def during(self, command, action):
        """Runs a command in the guest, and meanwhile does something again and again."""
        sent, since = self.sent(), self.console.mark()
        wait = self.shell.begin(command)
        end = rf"<\d+> {self.shell.number} end$"
        while not self.console.find(end, since):
            action()
            # Who does not read makes the console, and the bus, wait
            while self.console.loop.turn(0):
                pass
        self.assertGreater(self.sent(), sent + 100)
        return wait()

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
        status, output = self.during("for j in $(seq 12); do for n in 0 1; do to $n start; done; for n in 0 1; do talk $n; done; "
                                     "for n in 0 1; do to $n stop || exit 1; done; done", self.kick)
        self.assertEqual((status, output), (0, ""))
        self.check_well()

    def test_driver_comes_and_goes(self):
        status, output = self.during(f"for j in $(seq 8); do modprobe {self.driver}; for n in 0 1; do to $n start; talk $n; done; "
                                     f"rmmod {self.driver}; done; modprobe {self.driver}", self.kick)
        self.assertEqual((status, output), (0, ""))
        self.check_well()

    def test_stopped_at_any_time(self):
        """By somebody else, while Linux starts, stops, recovers, attaches to and detaches from it"""
        self.during("for j in $(seq 12); do for n in 0 1; do to $n start; talk $n; done; "
                    "for n in 0 1; do to $n detach; to $n stop; done; done 2>/dev/null", self.stop_one)
        self.check_well()

    def test_crash_and_remove(self):
        """The driver goes while it deals with a crash"""
        self.during("for j in $(seq 8); do for n in 0 1; do to $n start; done; "
                    "for n in 0 1; do t=$(terminal $n); [ -z \"$t\" ] || echo crash >$t; done; "
                    f"rmmod {self.driver}; modprobe {self.driver}; done 2>/dev/null", self.kick)
        self.check_well()


if __name__ == "__main__":
    need_guest()
    main()
