# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interrupt round trips: the IDM in its places, beside ivshmem-doorbell between machines of the same kind, in turns."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

from lab import Console, HERE, Result, parse_result
from het_kvm import what_is_missing_for_kvm

# What is said of each: the machine, and what runs on it. ivshmem-doorbell's two peers run the same program.
CORTEX_A15 = {"name": "two Cortex-A15", "target": "arm", "cpu": "cortex-a15", "machine": "virt,highmem=off",
              "ivshmem": ("-kernel", "bench-ivshmem.elf"), "master": "bench-idm-pci-master.elf", "slave": "bench-idm-pci-slave.elf"}
SYSBUS = CORTEX_A15 | {"name": "two Cortex-A15, no PCI", "idm": "board", "master": "bench-idm-master.elf", "slave": "bench-idm-slave.elf"}
PC = {"name": "two PCs, TCG", "target": "x86_64", "cpu": "qemu64", "machine": "q35,accel=tcg", "ivshmem": ("-bios", "bench-ivshmem-pc.rom"),
      "master": "bench-idm-pc-master.rom", "slave": "bench-idm-pc-slave.elf"}
# Without virtualization by the processor a ping takes so long that one in five has to do.
PC_KVM = PC | {"name": "two PCs, KVM", "machine": "q35,accel=kvm", "one_in": 5}

PAUSE_US = 300

# What goes on when a ping comes: at the side that is interrupted; how many there are, and how long after the one before
GUESTS = {"halted, dense": ("asleep", 10000, 0), "halted, sparse": ("asleep", 2000, PAUSE_US), "running, dense": ("awake", 1000, 0)}

# Of the host; goal: the largest ratio to ivshmem-doorbell that is good
GOALS = {"idle": 0.15, "busy": 0.35}
NEVER_ABOVE = 1.0


class Pair:
    """Two guests that send interrupts to each other; the consoles of who measures, and of who answers"""

    def __init__(self, measuring, answering):
        self.measuring, self.answering = measuring, answering
        self.expect_result()            # it measures once by itself when it has found its peer

    def expect_result(self):
        """The guest gives up before we do, and says how far it came."""
        while "bench: result" not in (line := self.measuring.expect("bench: ")):
            if "bench: error" in line:
                raise RuntimeError(f"the guest says: {line}")
        return line

    def set(self, word):
        self.answering.send(f"{word}\n")
        self.answering.expect(f"bench: {word}")

    def measure(self, count, pause):
        self.measuring.send(f"run round {count} {pause}\n")
        return parse_result(self.expect_result())


def start_ivshmem(lab, machine, cpus=1):
    """Returns the pair, and its processes."""
    path, consoles, processes = lab.start_ivshmem_server(), [], []
    option, program = machine["ivshmem"]
    for peer, ready in ((f"{path.name}-0", "waiting"), (f"{path.name}-1", "answering")):
        listener = lab.listen(f"{peer}.console")
        processes.append(lab.start_qemu(peer, "-M", machine["machine"], "-m", "128M", "-smp", str(cpus),
                                        "-chardev", f"socket,id=iv,path={path}", "-device", "ivshmem-doorbell,chardev=iv,vectors=1",
                                        "-serial", f"unix:{lab.directory}/{peer}.console", option, lab.firmware / program,
                                        cpu=machine["cpu"], qemu=lab.target(machine["target"])))
        consoles.append(Console(listener=listener))
        consoles[-1].expect(ready)
    return Pair(*consoles), processes


def start_idm(lab, machine, cpus=1):
    lab.start_platform(HERE / "bench-pair.platform", MACHINE=machine["machine"], CPU=machine["cpu"], CPUS=cpus, IDM=machine.get("idm", "pci"),
                       MASTER=lab.firmware / machine["master"], SLAVE=lab.firmware / machine["slave"])
    consoles = lab.console("bench", "master"), lab.console("bench", "slave1")
    lab.interface(lab.processor("bench", "slave1"), "Processor").Boot({})
    return Pair(*consoles)


def confine(pids, processors):
    """All threads; those that are made later inherit it"""
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), processors)


@contextlib.contextmanager
def host(condition, pids):
    """
    busy: one processor is taken by somebody else, and the processes have the rest. To each his own: else the scheduler puts guests and that
    neighbour together now so, now so, which lasts for many rounds, and is another placement for each pair.
    """
    if condition != "busy":
        yield
        return
    here = os.sched_getaffinity(0)
    taken = {max(here)}
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as hog:
        try:
            os.sched_setaffinity(hog.pid, taken)
            confine(pids, here - taken or here)
            yield
        finally:
            hog.kill()
            confine(pids, here)


def measure(lab, rounds, pairs, word, count, pause, eventfds):
    """Rounds of the transports take turns; where they take long there are fewer."""
    results = {name: [] for name in (*pairs, "eventfd")}
    end = time.monotonic() + rounds.ipi_seconds
    while len(results["idm"]) < rounds.ipi_least or len(results["idm"]) < rounds.ipi and time.monotonic() < end:
        for name, pair in pairs.items():
            # One that is awake takes a processor, which is not to be taken from the others
            pair.set(word)
            results[name].append(pair.measure(count, pause))
            pair.set("asleep")
        if eventfds:
            output = subprocess.run([lab.build / "tests/bench/bench-eventfd", "10000"], capture_output=True, text=True, check=True).stdout
            results["eventfd"].append(parse_result(output))
    return results


def show(table, title, results, goal):
    if results["eventfd"]:
        table.show(Result.of_rounds(f"IPI: bare eventfds, two processes, {title}", results["eventfd"]))
    table.compare(Result.of_rounds(f"IPI: IDM, {title}", results["idm"]), Result.of_rounds(f"IPI: ivshmem-doorbell, {title}", results["ivshmem"]), goal)


def goal_of(machine, host_condition, guest_condition):
    """The ratios are for what the IDM waits for itself: under KVM the kernel does it, as for ivshmem-doorbell."""
    if machine is PC_KVM or guest_condition != "halted, dense":
        return NEVER_ABOVE
    return GOALS[host_condition]


def bench_machine(lab, table, rounds, machine, cpus=1):
    pairs, processes = {"idm": start_idm(lab, machine, cpus)}, []
    pairs["ivshmem"], processes = start_ivshmem(lab, machine, cpus)
    pids = [*(int(lab.get(lab.processor("bench", name), "Processor", "Pid")) for name in ("master", "slave1")),
            *(process.pid for process in processes), os.getpid()]       # ours is that of the bare eventfds, too
    guests = GUESTS if cpus == 1 else {"halted, dense": GUESTS["halted, dense"]}
    for host_condition in GOALS:
        with host(host_condition, pids):
            for number, (guest_condition, (word, pings, pause)) in enumerate(guests.items()):
                title = f"{machine['name']}{'' if cpus == 1 else f' of {cpus} CPUs'}, {host_condition} host, {guest_condition}"
                print(f"{title} …", file=sys.stderr, flush=True)
                results = measure(lab, rounds, pairs, word, pings // machine.get("one_in", 1), pause, eventfds=number == 0)
                show(table, title, results, goal_of(machine, host_condition, guest_condition))
    lab.stop_platform("bench")
    for process in processes:
        lab.end(process)


def bench_ipi(lab, table, rounds):
    bench_machine(lab, table, rounds, SYSBUS)


def what_is_missing(lab, machine):
    if machine is PC_KVM and (reason := what_is_missing_for_kvm()):
        return reason
    return None if (lab.firmware / machine["slave"]).exists() else "no compiler for it"


def bench_ipi_pci(lab, table, rounds):
    for machine in (CORTEX_A15, PC, PC_KVM):
        if reason := what_is_missing(lab, machine):
            table.note(f"IPI: {machine['name']}", f"skipped: {reason}")
            continue
        for cpus in (1, 2):
            bench_machine(lab, table, rounds, machine, cpus)
