#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
hetd is killed at each step of what it does with a platform, by kill-at.c right before one of its system calls that others can see.
Then another hetd takes over: the platform is there, in a state that can be gone on from, its guests talk, and at the end nothing
is left.

QEMU_HET_HETD_KILLS is how often that is done in all (a step is killed in at least once); scripts/soak --part=hetd does 200.
"""

import os
import subprocess

import dbus

from het_bus import ERROR, BusError, options
from het_events import Pipe
from het_harness import BUILD, MASTER, MIB, SLAVE1, SLAVE2, Platform, TestCase, main, memfd, platform_text, text_fd
from het_qemu import SLAVE2_ARGUMENTS, Qemu

KILL_AT = BUILD / "tests/integration/kill-at"
STEPS = ("define", "start", "attach", "revoke", "grant", "boot", "restart", "reconfigure", "stop", "detach", "end", "remove")
KILLS = int(os.environ.get("QEMU_HET_HETD_KILLS", len(STEPS)))

# What a call is answered with by the bus, when there is nobody (any more) to do it
GONE = ("org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.ServiceUnknown")


class Gone(Exception):
    """hetd was killed meanwhile"""


class Killer:
    """Counts the system calls of a hetd, and kills it at one of them (0: at none)."""

    def __init__(self, test, at):
        self.test = test
        self.process = test.start_process(KILL_AT, test.hetd.pid, at, stdout=subprocess.PIPE)
        self.out = Pipe(test.loop, self.process.popen.stdout)
        test.loop.wait(lambda: self.out.lines, "kill-at")
        if self.out.lines[0] != "ready":
            self.out.close()
            test.skipTest(f"a process cannot be traced here: {self.out.lines[0]}")

    def end(self):
        """(how many there were, the last one)"""
        if self.process.is_running():
            self.process.popen.terminate()
        self.test.loop.wait(lambda: len(self.out.lines) > 1, "what kill-at has counted")
        self.out.close()
        self.process.end()
        self.test.processes.remove(self.process)
        n, last = self.out.lines[1].split()
        return int(n), last


class Steps(TestCase):
    time_limit = 600 + 30 * KILLS

    def setUp(self):
        super().setUp()
        self.qemu = None
        self.platform = None
        self.texts = 0

    def text(self):
        """Each time another one, by which slave 1 has another QEMU"""
        self.texts += 1
        year = f"ExtraArguments=-rtc base={2000 + self.texts}-01-01\n"
        return platform_text(MASTER, SLAVE1 + year, SLAVE2 + "Start=external\nOnMasterFailure=keep\n")

    # --- the steps; Gone if hetd is ---

    def call(self, function, *arguments, **values):
        try:
            return function(*arguments, **values)
        except BusError as e:
            if e.name not in GONE:
                raise
            raise Gone from e

    def job(self, verb):
        since = self.bus.mark()
        job = str(self.call(self.platform.call, verb, "a{sv}", options()))
        end = self.hetd.process.watch_end()
        try:
            self.loop.wait(lambda: end.seen or any(data[1] == job for data in self.bus.signals("JobRemoved", since)), verb)
        finally:
            end.close()
        if end.seen:
            raise Gone

    def step_define(self):
        self.call(self.hetd.define, "p", self.text())
        self.call(self.find)

    def find(self):
        self.platform = Platform(self.hetd, "/org/hetd1/platform/p") if self.is_defined() else None
        if self.platform:
            self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))

    def is_defined(self):
        return "p" in [str(name) for name, *_ in self.hetd.manager("ListPlatforms")]

    def step_start(self):
        self.job("Start")
        self.call(self.wait_for_traffic)

    def wait_for_traffic(self, console=None, since=0):
        console = console or self.master.console()
        end = self.hetd.process.watch_end()
        try:
            self.loop.wait(lambda: end.seen or console.find("received vector 3 from slave 1", since), "traffic of slave 1")
        finally:
            end.close()
        if end.seen:
            raise Gone

    def step_attach(self):
        self.call(self.slave2.attach, self.qemu.monitor)

    def step_revoke(self):
        self.call(self.slave2.call, "RevokeMemory")

    def step_grant(self):
        fd = memfd(16 * MIB)
        try:
            self.call(self.slave2.grant, fd)
        finally:
            os.close(fd)

    def step_boot(self):
        self.call(self.slave2.boot)

    def restart(self):
        """Of the master: slave 1 is stopped, and started by the next program of the master; slave 2 goes on."""
        self.call(self.master.call, "Restart")

    def reconfigure(self):
        """Slave 1 is replaced."""
        fd = text_fd(self.text())
        try:
            self.call(self.platform.call, "Reconfigure", "ha{sv}", dbus.types.UnixFd(fd), options())
        finally:
            os.close(fd)

    def with_traffic(self, change):
        console = self.call(self.master.console)
        since = console.mark()
        change()
        self.call(self.wait_for_traffic, console, since)

    def step_restart(self):
        self.with_traffic(self.restart)

    def step_reconfigure(self):
        self.with_traffic(self.reconfigure)

    def step_stop(self):
        self.call(self.slave2.call, "Stop")

    def step_detach(self):
        self.call(self.slave2.call, "Detach")

    def step_end(self):
        self.job("Stop")

    def step_remove(self):
        self.call(self.platform.remove)

    def run_until(self, last):
        for step in STEPS[:STEPS.index(last)]:
            getattr(self, f"step_{step}")()

    # --- afterwards ---

    def assert_talk(self, slave, console, number):
        master = self.master.console()
        since, master_since = console.mark(), master.mark()
        slave.kick(17)
        console.expect("received vector 17 from the master", since)
        master.expect(f"received vector 17 from slave {number}", master_since)

    def again(self, change):
        """As soon as hetd has brought to an end what was under way"""
        console = self.master.console()

        def done():
            since = console.mark()
            try:
                change()
            except BusError as e:
                if e.name != ERROR + "WrongState" or "is being carried out" not in e.message:
                    raise
                return None
            return (since,)

        self.wait_for_traffic(console, *self.loop.wait(done, "the end of what was under way"))

    def make_whole(self, step):
        """Whatever it was killed in: nobody has to know that to go on."""
        if not self.is_defined():
            self.step_define()
        self.find()
        self.assertIn(self.platform.state, ("defined", "running", "stopped", "failed"))
        if self.platform.state != "running":
            self.step_start()
        self.wait_for_traffic()
        if step in ("restart", "reconfigure"):
            self.again(getattr(self, step))
        self.assert_talk(self.slave1, self.slave1.console(), 1)
        if self.slave2.state == "defined":
            self.step_attach()
        if self.slave2.state == "waiting":
            self.step_grant()
        if self.slave2.state == "ready":
            self.step_boot()
        self.assertEqual(self.slave2.wait_state("running"), "running")
        console = self.qemu.console()
        console.expect("booted from the shared window")
        self.assert_talk(self.slave2, console, 2)

    def take_down(self):
        self.step_end()
        self.step_remove()
        info = self.qemu.query()
        self.assertEqual((info["couples"], info["memory"][0]["granted"]), ([], False))
        self.qemu.process.end()
        self.hetd.check_nothing_left()

    def prepare(self, number):
        self.qemu = Qemu(self, f"slave-{number}", *SLAVE2_ARGUMENTS)

    def kill_in(self, step, at):
        """True if it was; how many system calls the step has, and the last one"""
        killer = Killer(self, at)
        try:
            getattr(self, f"step_{step}")()
            gone = False
        except Gone:
            gone = True
        return gone, *killer.end()

    def count(self):
        """How many system calls each step has when nobody disturbs it"""
        counts = {}
        self.prepare("count")
        for step in STEPS:
            gone, counts[step], _ = self.kill_in(step, 0)
            self.assertFalse(gone)
        self.qemu.process.end()
        self.hetd.check_nothing_left()
        return counts

    def points(self, counts):
        """Where to kill, [(step, system call)]: spread over all there are, and the middle of each step"""
        every = [(step, at) for step in STEPS for at in range(1, counts[step] + 1)]
        spread = [every[i * len(every) // KILLS] for i in range(KILLS - len(STEPS))]
        return sorted(spread + [(step, (counts[step] + 1) // 2) for step in STEPS], key=lambda point: STEPS.index(point[0]))

    def round(self, number, step, at):
        """Returns what it was killed before, None: it was not, since there were fewer system calls this time"""
        self.prepare(number)
        self.run_until(step)
        gone, n, last = self.kill_in(step, at)
        if gone := gone or n >= at:             # its answer may have been sent before
            self.hetd.process.wait()
            self.hetd.close()
            self.hetd.take_over()
        self.make_whole(step)
        self.take_down()
        return last if gone else None

    def test_each(self):
        counts = self.count()
        killed = {step: [] for step in STEPS}
        points = self.points(counts)
        for number, (step, first) in enumerate(points):
            # A step has not always as many calls; with less of them it is killed earlier
            for at in (first, (first + 1) // 2, (first + 3) // 4, 1):
                with self.subTest(step=step, at=at):
                    last = self.round(f"{number}-{at}", step, at)
                if self.has_failed():
                    return
                if last:
                    killed[step].append(f"{at} {last}")
                    break
        print(f"# {sum(map(len, killed.values()))} kills, no platform lost; system calls of each step: {counts}")
        for step, calls in killed.items():
            print(f"# killed in {step} before: {', '.join(calls)}")
            self.assertNotEqual(calls, [])
        self.assertEqual(sum(map(len, killed.values())), len(points))


if __name__ == "__main__":
    main()
