# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Benchmarks with a Linux as the master, which drives a Cortex-A15 and a Cortex-M3 (docs/examples/linux-master.platform): one with our
driver and one with that of the STM32MP1, in turns.
"""

import os
import shutil
import signal
import statistics
import sys
import time

from lab import Console, HERE, Result, parse_result

TOP = HERE.parent.parent
sys.path.append(str(TOP / "scripts/lib"))
import guest_image      # noqa: E402  (its folder is known only now)

EXAMPLE = TOP / "docs/examples/linux-master.platform"
DRIVERS = ("idm", "stm32")      # Remoteproc=
STATE = "/sys/class/remoteproc/remoteproc{}/state"
SIZES = (16, 496)
P50_GOAL, P99_GOAL = 150e-6, 1e-3
RESTART_GOAL = 0.5
COLD_START = "{}: cold start of the same program with -kernel, to its first character"
LIFE = 1.1              # of a QEMU, in seconds, after which hetd does not wait longer than usual before it starts the next one


class Slave:
    """One of the platform; the number is that of its remoteproc."""

    def __init__(self, number, processor, name, firmware, cpu, cold):
        self.number, self.processor, self.name = number, processor, name
        self.firmware, self.cpu, self.cold = firmware, cpu, cold
        self.state = STATE.format(number)


# `cold`: what a QEMU with -kernel is for the same program
SLAVES = (Slave(1, "slave2", "Cortex-M3", "rpmsg-slave-m3", "cortex-m3",
                ("-M", "mps2-an385", "-nic", "none", "-device", "idm_ipi-flat,addr=0x50000000,irq=31")),
          Slave(0, "slave1", "Cortex-A15", "rpmsg-slave-a15", "cortex-a15", ("-M", "virt,highmem=off", "-m", "64M", "-device", "idm_ipi")))


class Linux:
    """The master; commands are typed on its console."""

    def __init__(self, lab, guest, driver):
        self.lab, self.driver, self.platform = lab, driver, f"linux-{driver}"
        folder = lab.directory / "guest"
        if not folder.exists():
            self.make_guest(folder, guest)
        path = lab.directory / f"{self.platform}.platform"
        text = EXAMPLE.read_text(encoding="utf-8")
        # As often as is measured
        text = text.replace("Restart=on-failure\n", "Restart=on-failure\nStartLimitBurst=0\n")
        path.write_text(text.replace("[Platform]\n", f"[Platform]\nRemoteproc={driver}\n"), encoding="utf-8")
        lab.start_platform(path, GUEST_DIR=folder, FIRMWARE_DIR=lab.firmware)
        self.console = lab.console(self.platform, "master")
        self.console.expect(f"remoteproc{max(slave.number for slave in SLAVES)} is")
        # What is typed is also printed, until this has been done
        self.console.send("stty -echo; dmesg -n 1; echo bench: no echo | tr o 0\n")
        self.console.expect("bench: n0 ech0")

    @classmethod
    def of_each_driver(cls, lab, guest):
        return [cls(lab, guest, driver) for driver in DRIVERS]

    def make_guest(self, folder, guest):
        """A copy: what scripts/build-guest has made may be removed when it has made others, and this takes a while."""
        lab = self.lab
        folder.mkdir()
        shutil.copy(guest / "uImage", folder)
        files = {f"lib/firmware/{slave.firmware}.elf": ((lab.firmware / f"{slave.firmware}.elf").read_bytes(), 0o644) for slave in SLAVES}
        files["bin/rpmsg-ping"] = ((lab.build / "tests/bench/guest/rpmsg-ping").read_bytes(), 0o755)
        (folder / "initramfs.cpio.gz").write_bytes(guest_image.append((guest / "initramfs.cpio.gz").read_bytes(), files))

    def run(self, command):
        """Returns the line that it ends with."""
        self.console.send(f"{command}\n")
        line = self.console.expect("bench: ")
        if "bench: error" in line:
            raise RuntimeError(f"{command}: {line}")
        return line

    def ping(self, *words):
        return self.run(" ".join(["rpmsg-ping", *map(str, words)]))

    def write(self, slave, word):
        self.run(f"echo {word} >{slave.state} && echo bench: {word}")

    def start(self, slave, device):
        """Its raw service is the next device file; when that answers, it is there to stay."""
        self.write(slave, "start")
        self.ping("again", device, 1)

    def leave(self):
        self.lab.stop_platform(self.platform)


def samples(line):
    """Of a line "… ns=1,2,3", in seconds"""
    return [int(ns) / 1e9 for ns in line.split(" ns=")[1].split(",")]


def rate(line):
    return int(line.split("per_s=")[1].split()[0])


def within(value, goal):
    return "met" if value <= goal else "MISSED"


class Samples:
    """Of what is measured with each driver: {(driver, what): list}"""

    def __init__(self):
        self.lists = {}

    def of(self, driver, *what):
        return self.lists.setdefault((driver, *what), [])

    def show(self, table, text, peer, result_of, *what, goals=lambda result: ""):
        """A row for each driver, and one that compares them. result_of makes a Result of a list."""
        medians = {}
        for driver in DRIVERS:
            result = result_of(f"{text}, {driver}", self.of(driver, *what))
            medians[driver] = result.p50
            table.show(result, f"{result.p50 / peer.p50:.3g}", goals(result))
        table.note(f"{text}: stm32 beside idm", "", f"{medians['stm32'] / medians['idm']:.3g}")


def rpmsg_goals(result):
    return f"p50 ≤ 150 µs: {within(result.p50, P50_GOAL)}, p99 ≤ 1 ms: {within(result.p99, P99_GOAL)}"


def measure_messages(linux, times, rates, messages):
    """One round of one Linux; a process that answers through pipes is what the guest itself needs for a round trip."""
    for size in SIZES:
        for n, slave in enumerate(SLAVES):
            times.of(linux.driver, slave, size).append(parse_result(linux.ping("echo", "rpmsg", f"/dev/rpmsg{n}", size, messages)))
            rates.of(linux.driver, slave, size).append(rate(linux.ping("flood", "rpmsg", f"/dev/rpmsg{n}", size, 2 * messages)))
        times.of("pipe", size).append(parse_result(linux.ping("pipe", "pipe", size, messages)))


def bench_rpmsg(lab, table, rounds):
    """Rounds of everything take turns."""
    times, rates, linuxes = Samples(), Samples(), Linux.of_each_driver(lab, rounds.guest)
    for linux in linuxes:
        for n, slave in enumerate(SLAVES):
            linux.start(slave, f"/dev/rpmsg{n}")
    for _ in range(rounds.rpmsg):
        for linux in linuxes:
            measure_messages(linux, times, rates, rounds.messages)
    for linux in linuxes:
        linux.leave()

    for size in SIZES:
        peer = Result.of_rounds(f"{size} bytes to another process and back, pipes in the same Linux", times.of("pipe", size))
        table.show(peer, "1")
        for slave in SLAVES:
            text = f"{size} bytes to the {slave.name} and back, rpmsg"
            times.show(table, text, peer, Result.of_rounds, slave, size, goals=rpmsg_goals)
            for driver in DRIVERS:
                table.note(f"{text}, {driver}, 8 at a time", f"{round(statistics.median(rates.of(driver, slave, size)))} /s")


def cold_start(lab, slave, number):
    """Process start to the first character of the same program, whose IDM has no couple."""
    name = f"cold-{slave.firmware}{number}"
    listener = lab.listen(f"{name}.console")
    begin = time.perf_counter()
    process = lab.start_qemu(name, *slave.cold, "-serial", f"unix:{lab.directory}/{name}.console",
                             "-kernel", lab.firmware / f"{slave.firmware}-cold.elf", cpu=slave.cpu)
    took = Console(listener=listener).first_byte() - begin
    lab.end(process)
    return took


def bench_start(lab, table, rounds):
    linuxes = Linux.of_each_driver(lab, rounds.guest)
    for slave in SLAVES:
        ours, cold = Samples(), []
        for n in range(rounds.cold):
            for linux in linuxes:
                ours.of(linux.driver).extend(samples(linux.ping("start", "start", slave.state, "/dev/rpmsg0", rounds.starts)))
            cold.append(cold_start(lab, slave, n))
        peer = Result.of(COLD_START.format(slave.name), cold)
        table.show(peer, "1")
        ours.show(table, f"{slave.name}: start by remoteproc to the first rpmsg message", peer, Result.of)
    for linux in linuxes:
        linux.leave()


class Victim:
    """A slave whose QEMU is killed again and again; `count` times in all."""

    def __init__(self, linux, slave, count):
        self.linux, self.slave = linux, slave
        self.path = linux.lab.processor(linux.platform, slave.processor)
        linux.write(slave, "start")
        linux.console.send(f"rpmsg-ping again /dev/rpmsg0 {count + 1}\n")
        linux.console.expect("bench: echo")
        self.since = time.perf_counter()

    def kill(self):
        """Returns the time until an rpmsg message has come back from the next one."""
        pid = int(self.linux.lab.get(self.path, "Processor", "Pid"))
        time.sleep(max(0, self.since + LIFE - time.perf_counter()))
        begin = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        self.linux.console.expect("bench: echo")
        self.since = time.perf_counter()
        return self.since - begin


def bench_restart(lab, table, rounds):
    """hetd starts another QEMU, Linux the program in it."""
    linuxes = Linux.of_each_driver(lab, rounds.guest)
    for slave in SLAVES:
        took, cold = Samples(), []
        victims = [Victim(linux, slave, rounds.kills) for linux in linuxes]
        for n in range(rounds.kills):
            for victim in victims:
                took.of(victim.linux.driver).append(victim.kill())
            cold.append(cold_start(lab, slave, n))
        for linux in linuxes:
            linux.write(slave, "stop")
        peer = Result.of(COLD_START.format(slave.name), cold)
        table.show(peer, "1")
        took.show(table, f"{slave.name}: kill -9 of its QEMU to the next rpmsg message", peer, Result.of,
                  goals=lambda result: f"p99 ≤ 0.5 s: {within(result.p99, RESTART_GOAL)}")
    for linux in linuxes:
        linux.leave()


def what_is_missing(guest, build):
    """For the benchmarks here; nothing if they can run"""
    if not (guest / "complete").exists():
        return "there is no Linux guest (scripts/build-guest makes one)"
    if not (build / "tests/bench/guest/rpmsg-ping").exists():
        return "rpmsg-ping is not built: libc6-dev-armhf-cross is missing"
    return None
