# SPDX-License-Identifier: LGPL-2.1-or-later
"""
How fast a slave computes, beside the QEMU that our changes were made to, with the same options, the same machine and program. It is
processor time that is compared, of the whole process: so whatever else the host does counts little.
"""

import pathlib
import statistics
import subprocess

from lab import Console, HERE, Qmp

TOP = HERE.parent.parent
GOAL = 0.99

PLATFORM = """[Processor master]
Role=master
Machine=virt
CPU=cortex-a15
Memory=1G
[Processor a15]
Role=slave
Machine=virt
CPU=cortex-a15
Window=64M@0x60000000
Firmware={firmware}/bench-compute-a15.elf
[Processor m3]
Role=slave
Machine=mps2-an385
Window=16M@0x70000000
Firmware={firmware}/bench-compute-m3.elf
"""
# processor: name, CPU, what the unpatched QEMU runs
STOCK = {"a15": ("Cortex-A15", "cortex-a15", "bench-compute-a15.elf", ("-M", "virt", "-m", "1G")),
         "m3": ("Cortex-M3", "cortex-m3", "bench-compute-m3-cold.elf", ("-M", "mps2-an385", "-nic", "none"))}


def unpatched_qemu():
    """Built when it is wanted, which is here only"""
    return subprocess.run([TOP / "scripts/build-qemu", "--unpatched", "--print-path"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def processor_time(pid):
    """In seconds, of all threads"""
    return sum(int(path.read_text(encoding="ascii").split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def run_slave(lab, name, console):
    path = lab.processor("compute", name)
    pid, slave = int(lab.get(path, "Processor", "Pid")), lab.interface(path, "Processor")
    begin = processor_time(pid)
    slave.Boot({})
    result = console.expect("bench: computed")
    took = processor_time(pid) - begin
    slave.Stop({})
    return took, result


def run_stock(lab, qemu, name, number):
    _, cpu, program, machine = STOCK[name]
    stock = f"stock-{name}{number}"
    listener = lab.listen(f"{stock}.console")
    process = lab.start_qemu(stock, *machine, "-S", "-serial", f"unix:{lab.directory}/{stock}.console",
                             "-kernel", lab.firmware / program, cpu=cpu, qemu=qemu)
    console, qmp = Console(listener=listener), Qmp(lab.directory / f"{stock}.qmp")
    begin = processor_time(process.pid)
    qmp.call("cont")
    result = console.expect("bench: computed")
    took = processor_time(process.pid) - begin
    lab.end(process)
    return took, result


def bench_compute(lab, table, rounds):
    qemu = unpatched_qemu()
    path = lab.directory / "compute.platform"
    path.write_text(PLATFORM.format(firmware=lab.firmware), encoding="ascii")
    lab.start_platform(path)
    for name, (title, *_) in STOCK.items():
        console, ratios, ours, stock = lab.console("compute", name), [], [], []
        for n in range(rounds.computations):
            runs = [lambda: run_slave(lab, name, console), lambda: run_stock(lab, qemu, name, n)]
            order = (0, 1) if n % 2 == 0 else (1, 0)
            took = {which: runs[which]() for which in order}
            if took[0][1] != took[1][1]:
                raise RuntimeError(f"{title}: {took[0][1]} on a slave, {took[1][1]} on an unpatched QEMU")
            ours.append(took[0][0])
            stock.append(took[1][0])
            ratios.append(stock[-1] / ours[-1])
        ratio = statistics.median(ratios)
        table.note(f"{title}: a computation, unpatched QEMU (processor time)", f"{statistics.median(stock) * 1e3:,.0f} ms", "1")
        table.note(f"{title}: the same on a slave", f"{statistics.median(ours) * 1e3:,.0f} ms", f"{1 / ratio:.3g}",
                   f"speed ≥ {GOAL:g} of the peer's: {ratio:.3f}, {'met' if ratio >= GOAL else 'MISSED'}")
    lab.stop_platform("compute")
