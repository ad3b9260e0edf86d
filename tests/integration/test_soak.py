#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Many slaves, all of them Cortex-M3, for long: killed at any moment, in a crowd that talks, and idle. What is lost, what leaks, and what
it takes is counted and printed. scripts/soak runs it with the full counts.

QEMU_HET_KILLS    how often a slave's QEMU is killed (default: 20)
QEMU_HET_LIFE     how many seconds it lives before that, at most (default: 0.05)
QEMU_HET_SLAVES   how many slaves the crowd has (default: 6)
QEMU_HET_MINUTES  how long it is kept busy (default: until 20 of its slaves have been disturbed)
"""

import os
import random
import re
import signal
import time

from het_harness import MASTER, TestCase, main, open_fds, platform_text, resident_kib

KILLS = int(os.environ.get("QEMU_HET_KILLS", "20"))
LIFE = float(os.environ.get("QEMU_HET_LIFE", "0.05"))
SLAVES = int(os.environ.get("QEMU_HET_SLAVES", "6"))
MINUTES = float(os.environ.get("QEMU_HET_MINUTES", "0"))
DISTURBED_MIN = 20
PAUSE = 0.5                     # seconds between two of them, about
IDLE = 10                       # seconds without a wake-up
GROWTH_MAX = 4 * 1024           # KiB: heaps settle, a leak with each message or restart is far more

UP, HELLO_LAST = 0, 3           # what a slave says first, and the last of what it answers to the master's hello
SLAVE = """[Processor s{id}]
Role=slave
Id={id}
Machine=mps2-an385
Window=16M@{address:#x}
Firmware=${{FIRMWARE_DIR}}/first-light-slave-m3-anywhere.elf
AutoBoot=yes
Restart=always
StartLimitBurst=0
"""


def percentiles(seconds):
    ordered = sorted(seconds)
    return {p: ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 99)}


def switches(pid):
    """How often the process gave up the CPU, or it was taken away: a wake-up is followed by one of these."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return sum(int(n) for n in re.findall(r"^(?:non)?voluntary_ctxt_switches:\s+(\d+)$", f.read(), re.M))


class Soak(TestCase):
    hetd_arguments = ("--log-level=info",)
    time_limit = int(600 + 10 * KILLS + 120 * MINUTES)

    slave = SLAVE

    def start(self, n_slaves):
        """Returns once all slaves have talked with the master."""
        slaves = [self.slave.format(id=i, address=0x60000000 + i * 0x1000000) for i in range(1, n_slaves + 1)]
        self.platform = self.hetd.define("crowd", platform_text(MASTER.replace("1G", "2G"), *slaves)).start()
        self.master, *self.slaves = self.platform.processors()
        self.console = self.master.console()
        for i in range(1, n_slaves + 1):
            for vector in (UP, HELLO_LAST):
                self.console.expect(f"^master: received vector {vector} from slave {i}$")

    def used(self):
        """What must be the same in the end"""
        return self.hetd.fds(), [len(os.listdir(f"/proc/{p.pid}/fd")) for p in (self.master, *self.slaves)]

    def resident(self):
        return {"hetd": resident_kib(self.hetd.pid), "master": resident_kib(self.master.pid)}

    def check_growth(self, before):
        growth = {who: now - before[who] for who, now in self.resident().items() if now}
        print(f"# grown by, in KiB: {growth}")
        for who, kib in growth.items():
            self.assertLess(kib, GROWTH_MAX, who)


class Kills(Soak):
    def test_kills(self):
        """Each kill is followed by one restart; a third of them hit it while it is being started."""
        self.start(1)
        slave, draw, recoveries = self.slaves[0], random.Random(KILLS), []
        used, resident = self.used(), self.resident()
        for n in range(1, KILLS + 1):
            killed = time.time()
            os.kill(slave.pid, signal.SIGKILL)
            self.bus.wait_property(slave.path, "Processor", "Restarts", n)
            if n < KILLS and draw.random() < 1 / 3:
                time.sleep(draw.uniform(0, 0.1))        # the moment is what the lot is about; nothing is waited for
                continue
            slave.wait_state("running")
            recoveries.append(int(slave.get("StateChangeTimestamp")) / 1e6 - killed)
            time.sleep(draw.uniform(0, LIFE))
        since = self.console.mark()
        slave.kick(9)
        self.console.expect("^master: received vector 9 from slave 1$", since)
        self.assertEqual((int(slave.get("Restarts")), slave.state), (KILLS, "running"))
        p = percentiles(recoveries)
        print(f"# {KILLS} kills, {slave.get('Restarts')} restarts; from the kill to running: p50 {p[50] * 1000:.0f} ms, p99 {p[99] * 1000:.0f} ms")
        self.assertEqual(self.used(), used)
        self.check_growth(resident)


class Told(Soak):
    slave = SLAVE.replace("Restart=always", "Restart=no")

    def test_told(self):
        """Nobody starts it again: when do hetd, and who reads what the master's guest prints, know of it?"""
        self.start(1)
        slave, by_hetd, by_guest = self.slaves[0], [], []
        for _ in range(KILLS):
            since = self.console.mark()
            killed = time.time()
            os.kill(slave.pid, signal.SIGKILL)
            self.console.expect("^master: slave 1 is crashed", since)
            by_guest.append(time.time() - killed)
            slave.wait_state("crashed")
            by_hetd.append(int(slave.get("StateChangeTimestamp")) / 1e6 - killed)
            slave.call("Restart")
            self.console.expect(f"^master: received vector {HELLO_LAST} from slave 1$", since)
        for who, times in ("hetd", by_hetd), ("the master's guest", by_guest):
            p = percentiles(times)
            print(f"# {KILLS} kills; {who} knows of it after: p50 {p[50] * 1000:.1f} ms, p99 {p[99] * 1000:.1f} ms")
        self.assertEqual(slave.state, "running")


class Talk:
    """What is going on between the master and one slave: a vector, its answer, the next vector."""

    def __init__(self, number, slave):
        self.number, self.slave = number, slave
        self.vector, self.outstanding, self.talks = HELLO_LAST, False, True
        self.answered = self.cut_off = 0
        self.greeted, self.late = False, None

    def next_command(self):
        if self.outstanding:
            raise AssertionError(f"slave {self.number}: two at once")
        self.vector = HELLO_LAST + 1 + (self.vector - HELLO_LAST) % (31 - HELLO_LAST)
        self.outstanding = True
        return f"ping {self.number} {self.vector}\n"

    def disturbed(self):
        """What is on its way now may be lost, until it is up again; or it comes late: the command for it is not carried out yet."""
        self.cut_off += self.outstanding
        self.late = self.vector if self.outstanding else None
        self.outstanding = self.talks = self.greeted = False


class Crowd(Soak):
    def setUp(self):
        super().setUp()
        self.draw = random.Random(SLAVES)
        self.ended, self.disturbances = False, {"kill": 0, "stop": 0, "restart": 0}

    def take_lines(self):
        """Answers what the master's guest says it has received."""
        lines, self.console.lines = self.console.lines, []
        for line in lines:
            if match := re.search(r"^master: received vector (\d+) from slave (\d+)$", line):
                self.received(self.talks[int(match[2])], int(match[1]))

    def received(self, talk, vector):
        if vector == talk.late:
            talk.late = None
        elif UP < vector <= HELLO_LAST and talk.talks:
            pass                # hello was said twice: its own program was up before the master's
        elif talk.talks:
            self.answered(talk, vector)
        elif vector == UP:
            talk.greeted = True
        elif vector == HELLO_LAST and talk.greeted:
            talk.talks = True
            self.send_next(talk)

    def answered(self, talk, vector):
        self.assertEqual((talk.outstanding, vector), (True, talk.vector), f"slave {talk.number}")
        talk.answered += 1
        talk.outstanding, talk.late = False, None       # what was sent before would have come before
        self.send_next(talk)

    def send_next(self, talk):
        if not self.ended:
            self.console.send(talk.next_command())

    def disturb(self):
        ready = [t for t in self.talks.values() if t.talks]
        if not ready:
            return
        talk = self.draw.choice(ready)
        how = self.draw.choice(sorted(self.disturbances))
        self.disturbances[how] += 1
        talk.disturbed()
        if how == "kill":
            os.kill(talk.slave.pid, signal.SIGKILL)
        elif how == "restart":
            talk.slave.call("Restart")
        else:
            talk.slave.call("Stop")
            talk.slave.boot()

    def is_over(self, begun):
        return time.monotonic() - begun > 60 * MINUTES and sum(self.disturbances.values()) >= DISTURBED_MIN

    def run_crowd(self):
        begun = following = time.monotonic()
        while not self.is_over(begun):
            if time.monotonic() >= following:
                self.disturb()
                following = time.monotonic() + self.draw.uniform(0, 2 * PAUSE)
            self.loop.turn(max(0.0, following - time.monotonic()))
            self.take_lines()
        self.ended = True
        self.loop.wait(lambda: self.take_lines() or all(t.talks and not t.outstanding for t in self.talks.values()),
                       lambda: f"all answers; missing: {[t.number for t in self.talks.values() if t.outstanding or not t.talks]}")
        return time.monotonic() - begun

    def test_crowd(self):
        """Who is disturbed loses what is on its way to it, and nobody else anything."""
        self.start(SLAVES)
        self.talks = {i: Talk(i, slave) for i, slave in enumerate(self.slaves, 1)}
        self.console.send("hello\n")
        self.console.expect("^master: unknown command hello")           # its end of the console is open now
        self.console.lines = []
        used, resident = self.used(), self.resident()
        for talk in self.talks.values():
            self.console.send(talk.next_command())
        seconds = self.run_crowd()
        answered, cut_off = (sum(getattr(t, what) for t in self.talks.values()) for what in ("answered", "cut_off"))
        print(f"# {SLAVES} slaves for {seconds:.0f} s: {answered} vectors were answered, none was lost but {cut_off} of {self.disturbances}")
        self.assertGreater(min(t.answered for t in self.talks.values()), 0)
        for slave in self.slaves:
            slave.wait_state("running")
        self.assertEqual(self.used(), used)
        self.check_growth(resident)


class Idle(Soak):
    def test_idle(self):
        """Nothing is to be done, and nothing is done."""
        self.start(SLAVES)
        self.hetd.settle()
        deadline, before = time.monotonic() + 120, None
        while before != switches(self.hetd.pid):        # what the start has left to do is done
            self.assertLess(time.monotonic(), deadline, "it does not come to rest")
            before = switches(self.hetd.pid)
            time.sleep(3)                               # the log of a console is looked after a second after it was printed to
        time.sleep(IDLE)                                # that nothing happens takes time
        woken = switches(self.hetd.pid) - before
        print(f"# with {SLAVES} slaves: {woken} wake-ups of hetd in {IDLE} s, {resident_kib(self.hetd.pid)} KiB resident, "
              f"{len(open_fds(self.hetd.pid))} file descriptors")
        self.assertEqual(woken, 0)


if __name__ == "__main__":
    main()
