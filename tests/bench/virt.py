# SPDX-License-Identifier: LGPL-2.1-or-later
"""hetd beside libvirtd: the same QEMUs, the same command, in the same run."""

import pathlib
import time

import dbus

from lab import Result
from het_events import Loop
from het_libvirt import DOMAINS, Libvirtd

VECTOR = 31             # which no guest of the benchmark enables
CALLS_PER_ROUND = 100
SETTLE = 5              # seconds
COMMAND = f'{{"execute":"het-ipi-send","arguments":{{"id":2,"vector":{VECTOR}}}}}'
NAME = "first-light-libvirt"


class Peer:
    """A libvirtd and what is known of it"""

    def __init__(self, lab):
        import libvirt                  # which may not be there, for those who want other benchmarks
        self.lab, self.directory = lab, lab.directory / "libvirt"
        self.directory.mkdir()
        self.loop = Loop()
        self.daemon = Libvirtd(self.loop, self.directory).start()
        self.pid = self.daemon.process.pid
        self.connection = libvirt.open(self.daemon.uri)

    def define(self, name, file, replaced=None):
        self.daemon.define(file, replaced, self.lab.qemu)
        return self.connection.lookupByName(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.daemon.end()
        self.loop.close()


# --- one command ---

def attach_all(lab, peer):
    """The two domains as a platform, whose slave is not booted"""
    text = (DOMAINS / f"{NAME}.platform").read_text(encoding="utf-8")
    path = lab.directory / f"{NAME}.platform"
    path.write_text(text.replace("AutoBoot=yes\n", ""), encoding="utf-8")
    lab.start_platform(path, FIRMWARE_DIR=lab.firmware)
    for name in ("slave2", "master"):
        lab.interface(lab.processor(NAME, name), "Processor").Attach(str(peer.directory / f"het-{name}.qmp"), {})


def compare_calls(lab, peer, table, rounds):
    import libvirt_qemu
    master, _ = (peer.define(name, file) for name, file in (("master", "master"), ("slave2", "slave")))
    for domain in peer.connection.listAllDomains():
        domain.create()
    attach_all(lab, peer)
    lab.interface(lab.processor(NAME, "slave2"), "Processor").Kick(dbus.UInt32(VECTOR), {})     # says so if it does not work
    kick = lab.prepare_call(lab.processor(NAME, "slave2"), "Processor", "Kick", "u", VECTOR)
    by_bus, by_libvirt = [], []
    while len(by_bus) < rounds.calls:
        for _ in range(CALLS_PER_ROUND):
            begin = time.perf_counter()
            kick().block()
            by_bus.append(time.perf_counter() - begin)
        for _ in range(CALLS_PER_ROUND):
            begin = time.perf_counter()
            libvirt_qemu.qemuMonitorCommand(master, COMMAND, 0)
            by_libvirt.append(time.perf_counter() - begin)
    lab.stop_platform(NAME)
    table.compare(Result.of("one QMP command, through hetd", by_bus), Result.of("one QMP command, through libvirtd", by_libvirt), 0.5)
    for domain in peer.connection.listAllDomains():
        domain.destroy()
        domain.undefine()


# --- start ---

def write_platform(path, slaves):
    text = ["[Platform]", "[Processor master]", "Role=master", "Machine=virt", "CPU=cortex-a15", "Memory=1G",
            "Firmware=${FIRMWARE_DIR}/first-light-master.elf"]
    for n in range(2, slaves + 2):
        text += [f"[Processor slave{n}]", "Role=slave", f"Id={n}", "Machine=mps2-an385", f"Window=16M@0x{0x60000000 + (n << 24):x}"]
    path.write_text("\n".join(text) + "\n", encoding="ascii")


def compare_starts(lab, peer, table, rounds):
    path = lab.directory / "single.platform"
    write_platform(path, 0)
    domain = peer.define("master", "master")
    by_bus, by_libvirt = [], []
    for _ in range(rounds.starts):
        begin = time.perf_counter()
        lab.start_platform(path, FIRMWARE_DIR=lab.firmware)
        by_bus.append(time.perf_counter() - begin)
        lab.stop_platform("single")
        begin = time.perf_counter()
        domain.create()
        by_libvirt.append(time.perf_counter() - begin)
        domain.destroy()
    domain.undefine()
    table.compare(Result.of("start of a platform of one QEMU, hetd", by_bus), Result.of("start of a domain of the same, libvirtd", by_libvirt))


# --- memory and wake-ups ---

def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def switches(pid):
    """How often a process has been on a processor, all its threads"""
    return sum(int(path.read_text(encoding="ascii").split()[2]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def wake_ups(pid, seconds):
    before, begin = switches(pid), time.perf_counter()
    time.sleep(seconds)
    return (switches(pid) - before) / (time.perf_counter() - begin)


def look(pid, rounds):
    """(resident KiB, wake-ups a second), when what a start leaves to do is done"""
    time.sleep(SETTLE)
    return resident_kib(pid), wake_ups(pid, rounds.idle)


def compare_rest(lab, peer, table, rounds):
    ours, theirs = {}, {}
    domains = []
    for n in (1, 16):
        path = lab.directory / f"rest{n}.platform"
        write_platform(path, n - 1)
        lab.start_platform(path, FIRMWARE_DIR=lab.firmware)
        ours[n] = look(lab.hetd.pid, rounds)
        lab.stop_platform(f"rest{n}")
        while len(domains) < n:
            i = len(domains)
            domains.append(peer.define(f"d{i}", "slave", {"<name>slave2": f"<name>d{i}", "het-slave2.": f"het-d{i}."}))
            domains[-1].create()
        theirs[n] = look(peer.pid, rounds)
    for n in (1, 16):
        what = "1 QEMU" if n == 1 else f"{n} QEMUs"
        table.note(f"resident memory, {what}: libvirtd", f"{theirs[n][0]} KiB", "1")
        table.note(f"resident memory, {what}: hetd", f"{ours[n][0]} KiB", f"{ours[n][0] / theirs[n][0]:.3g}")
    for n in (1, 16):
        what = "1 QEMU" if n == 1 else f"{n} QEMUs"
        table.note(f"wake-ups when idle, {what}: libvirtd", f"{theirs[n][1]:.2f} /s")
        table.note(f"wake-ups when idle, {what}: hetd", f"{ours[n][1]:.2f} /s")


def bench_libvirt(lab, table, rounds):
    with Peer(lab) as peer:
        compare_calls(lab, peer, table, rounds)
        compare_starts(lab, peer, table, rounds)
        compare_rest(lab, peer, table, rounds)
