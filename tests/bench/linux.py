# SPDX-License-Identifier: LGPL-2.1-or-later
"""Benchmarks with a Linux as the master, which drives a Cortex-A15 and a Cortex-M3 (docs/examples/linux-master.platform)."""

import os
import shutil
import signal
import sys
import time

from lab import Console, HERE, Result, parse_result

TOP = HERE.parent.parent
sys.path.append(str(TOP / "scripts/lib"))
import guest_image      # noqa: E402  (its folder is known only now)

PLATFORM = "linux-master"
STATE = "/sys/class/remoteproc/remoteproc{}/state"
SIZES = (16, 496)
P50_GOAL, P99_GOAL = 150e-6, 1e-3
RESTART_GOAL = 0.5
COLD_START = "{}: cold start of the same program with -kernel, to its first character"
KILLS = 4               # in a row: the pauses before are 1, 2, 4 and 8 ms


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

    def __init__(self, lab, guest):
        self.lab = lab
        folder = lab.directory / "guest"
        if not folder.exists():
            self.make_guest(folder, guest)
        lab.start_platform(TOP / f"docs/examples/{PLATFORM}.platform", GUEST_DIR=folder, FIRMWARE_DIR=lab.firmware)
        self.console = lab.console(PLATFORM, "master")
        self.console.expect(f"remoteproc{max(slave.number for slave in SLAVES)} is")
        # What is typed is also printed, until this has been done
        self.console.send("stty -echo; dmesg -n 1; echo bench: no echo | tr o 0\n")
        self.console.expect("bench: n0 ech0")

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
        self.lab.stop_platform(PLATFORM)


def samples(line):
    """Of a line "… ns=1,2,3", in seconds"""
    return [int(ns) / 1e9 for ns in line.split(" ns=")[1].split(",")]


def rate(line):
    return int(line.split("per_s=")[1].split()[0])


def within(value, goal):
    return "met" if value <= goal else "MISSED"


def bench_rpmsg(lab, table, rounds):
    """Rounds of everything take turns; a process that answers through pipes is what the guest itself needs for a round trip."""
    linux = Linux(lab, rounds.guest)
    times = {(slave, size): [] for slave in SLAVES for size in SIZES} | {("pipe", size): [] for size in SIZES}
    rates = {key: [] for key in times if key[0] != "pipe"}
    for n, slave in enumerate(SLAVES):
        linux.start(slave, f"/dev/rpmsg{n}")
    for _ in range(rounds.rpmsg):
        for size in SIZES:
            for n, slave in enumerate(SLAVES):
                times[slave, size].append(parse_result(linux.ping("echo", "rpmsg", f"/dev/rpmsg{n}", size, rounds.messages)))
                rates[slave, size].append(rate(linux.ping("flood", "rpmsg", f"/dev/rpmsg{n}", size, 2 * rounds.messages)))
            times["pipe", size].append(parse_result(linux.ping("pipe", "pipe", size, rounds.messages)))
    linux.leave()

    for size in SIZES:
        peer = Result.of_rounds(f"{size} bytes to another process and back, pipes in the same Linux", times["pipe", size])
        table.show(peer, "1")
        for slave in SLAVES:
            result = Result.of_rounds(f"{size} bytes to the {slave.name} and back, rpmsg", times[slave, size])
            table.show(result, f"{result.p50 / peer.p50:.3g}", f"p50 ≤ 150 µs: {within(result.p50, P50_GOAL)}, "
                       f"p99 ≤ 1 ms: {within(result.p99, P99_GOAL)}")
            table.note(f"{size} bytes to the {slave.name} and back, rpmsg, 8 at a time",
                       f"{sorted(rates[slave, size])[len(rates[slave, size]) // 2]} /s")


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
    linux = Linux(lab, rounds.guest)
    for slave in SLAVES:
        ours, cold = [], []
        for n in range(rounds.cold):
            ours += samples(linux.ping("start", "start", slave.state, "/dev/rpmsg0", rounds.starts))
            cold.append(cold_start(lab, slave, n))
        table.compare(Result.of(f"{slave.name}: start by remoteproc to the first rpmsg message", ours),
                      Result.of(COLD_START.format(slave.name), cold))
    linux.leave()


def kills(linux, slave):
    """Kills its QEMU a few times; the times until an rpmsg message comes back from the next one."""
    took, path = [], linux.lab.processor(PLATFORM, slave.processor)
    linux.write(slave, "start")
    linux.console.send(f"rpmsg-ping again /dev/rpmsg0 {KILLS + 1}\n")
    linux.console.expect("bench: echo")
    for _ in range(KILLS):
        pid = int(linux.lab.get(path, "Processor", "Pid"))
        begin = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        linux.console.expect("bench: echo")
        took.append(time.perf_counter() - begin)
    linux.write(slave, "stop")
    return took


def bench_restart(lab, table, rounds):
    """hetd starts another QEMU, Linux the program in it. hetd's pauses grow with each restart, so a platform has few of them."""
    took, cold = ({slave: [] for slave in SLAVES} for _ in range(2))
    for n in range(rounds.kills):
        linux = Linux(lab, rounds.guest)
        for slave in SLAVES:
            took[slave] += kills(linux, slave)
            cold[slave].append(cold_start(lab, slave, n))
        linux.leave()
    for slave in SLAVES:
        peer = Result.of(COLD_START.format(slave.name), cold[slave])
        result = Result.of(f"{slave.name}: kill -9 of its QEMU to the next rpmsg message", took[slave])
        table.show(peer, "1")
        table.show(result, f"{result.p50 / peer.p50:.3g}", f"p99 ≤ 0.5 s: {within(result.p99, RESTART_GOAL)}")


def what_is_missing(guest, build):
    """For the benchmarks here; nothing if they can run"""
    if not (guest / "complete").exists():
        return "there is no Linux guest (scripts/build-guest makes one)"
    if not (build / "tests/bench/guest/rpmsg-ping").exists():
        return "rpmsg-ping is not built: libc6-dev-armhf-cross is missing"
    return None
