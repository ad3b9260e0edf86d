# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interrupt round trips: the IDM in its places, beside ivshmem-doorbell between machines of the same kind, in turns."""

import fcntl
import os
import subprocess

from lab import Console, HERE, Result, parse_result

KVM_GET_API_VERSION, KVM_CREATE_VM = 0xAE00, 0xAE01

CORTEX_A15 = {"target": "arm", "cpu": "cortex-a15", "machine": "virt,highmem=off", "program": ("-kernel", "bench-ivshmem.elf")}
PC = {"target": "x86_64", "cpu": "qemu64", "machine": "q35,accel=tcg", "program": ("-bios", "bench-ivshmem-pc.rom")}
PC_KVM = PC | {"machine": "q35,accel=kvm"}


def start_ivshmem(lab, machine):
    """The two peers of ivshmem-doorbell; returns the console of the one that measures, and both processes."""
    path, consoles, processes = lab.start_ivshmem_server(), [], []
    option, program = machine["program"]
    for peer, ready in ((f"{path.name}-0", "waiting"), (f"{path.name}-1", "answering")):
        listener = lab.listen(f"{peer}.console")
        processes.append(lab.start_qemu(peer, "-M", machine["machine"], "-m", "128M",
                                        "-chardev", f"socket,id=iv,path={path}", "-device", "ivshmem-doorbell,chardev=iv,vectors=1",
                                        "-serial", f"unix:{lab.directory}/{peer}.console", option, lab.firmware / program,
                                        cpu=machine["cpu"], qemu=lab.target(machine["target"])))
        consoles.append(Console(listener=listener))
        consoles[-1].expect(ready)
    return consoles[0], processes


def measure(lab, table, rounds, name, machine, goal):
    """The platform bench has been started."""
    ours = lab.console("bench", "master")
    lab.interface(lab.processor("bench", "slave1"), "Processor").Boot({})
    theirs, processes = start_ivshmem(lab, machine)
    results = {"idm": [], "ivshmem": [], "eventfd": []}

    # each measures once by itself when it has found its peer
    ours.expect("bench: result")
    theirs.expect("bench: result")
    for _ in range(rounds.ipi):
        for transport, console in (("idm", ours), ("ivshmem", theirs)):
            console.send("run round\n")
            results[transport].append(parse_result(console.expect("bench: result transport=")))
        output = subprocess.run([lab.build / "tests/bench/bench-eventfd", "10000"], capture_output=True, text=True, check=True).stdout
        results["eventfd"].append(parse_result(output))

    table.show(Result.of_rounds("IPI round trip: bare eventfds, two processes", results["eventfd"]))
    table.compare(Result.of_rounds(f"IPI round trip: IDM{name}", results["idm"]),
                  Result.of_rounds(f"IPI round trip: ivshmem-doorbell{name}", results["ivshmem"]), goal)
    lab.stop_platform("bench")
    for process in processes:
        lab.end(process)


def bench_ipi(lab, table, rounds):
    lab.start_bench("bench-idm-master", "bench-idm-slave")
    measure(lab, table, rounds, ", guest to guest", CORTEX_A15, 1.0)


def what_is_missing_for_kvm():
    """None: virtual machines can be made"""
    try:
        kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as e:
        return f"/dev/kvm: {e.strerror}"
    try:
        fcntl.ioctl(kvm, KVM_GET_API_VERSION)
        os.close(fcntl.ioctl(kvm, KVM_CREATE_VM, 0))
    except OSError as e:
        return f"/dev/kvm is there, but makes no machine: {e.strerror}"
    finally:
        os.close(kvm)
    return None


def start_pair(lab, machine, cpu, master, slave):
    lab.start_platform(HERE / "bench-pair.platform", MACHINE=machine, CPU=cpu, MASTER=lab.firmware / master, SLAVE=lab.firmware / slave)


def bench_ipi_pci(lab, table, rounds):
    start_pair(lab, "virt,highmem=off", "cortex-a15", "bench-idm-pci-master.elf", "bench-idm-pci-slave.elf")
    measure(lab, table, rounds, " on PCI, two Cortex-A15", CORTEX_A15, 1.0)
    for name, machine, missing in ((", two PCs, TCG", PC, None), (", two PCs, KVM", PC_KVM, what_is_missing_for_kvm())):
        if not missing and not (lab.firmware / PC["program"][1]).exists():
            missing = "no compiler for PCs"
        if missing:
            table.note(f"IPI round trip{name}", f"skipped: {missing}")
            continue
        start_pair(lab, machine["machine"], machine["cpu"], "bench-idm-pc-master.rom", "bench-idm-pc-slave.elf")
        measure(lab, table, rounds, name, machine, 1.0)
