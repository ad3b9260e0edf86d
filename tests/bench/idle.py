# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What a Linux that has nothing to do costs the host: as the master of slaves that run, beside the same Linux in the QEMU that our changes
were made to. Both are there at the same time, and it is processor time of the whole process that is compared.
"""

import statistics
import time

from compute import processor_time, unpatched_qemu
from lab import Console
from linux import Linux, SLAVES

GOAL = 1.05
MACHINE = ("-M", "virt,highmem=off", "-m", "1G", "-append", "console=ttyAMA0 cryptomgr.notests")


def start_stock(lab, folder):
    """The same kernel and files; without an IDM there is nothing for their drivers."""
    listener = lab.listen("stock.console")
    process = lab.start_qemu("stock", *MACHINE, "-serial", f"unix:{lab.directory}/stock.console",
                             "-kernel", folder / "uImage", "-initrd", folder / "initramfs.cpio.gz", qemu=unpatched_qemu())
    Console(listener=listener).expect("is up")
    return process.pid


def measure(pids, seconds):
    """Returns the part of a processor that each takes."""
    begin = [processor_time(pid) for pid in pids]
    time.sleep(seconds)
    return [(processor_time(pid) - before) / seconds for pid, before in zip(pids, begin)]


def percent(shares):
    return f"{statistics.median(shares) * 100:.2f} %"


def bench_idle(lab, table, rounds):
    linux = Linux(lab, rounds.guest, "idm")
    stock = start_stock(lab, lab.directory / "guest")
    pids = [stock, *(int(lab.get(lab.processor(linux.platform, name), "Processor", "Pid"))
                     for name in ("master", *(slave.processor for slave in SLAVES)))]
    for n, slave in enumerate(SLAVES):
        linux.start(slave, f"/dev/rpmsg{n}")
    measure(pids, rounds.idle)          # until what came of the start is over
    shares = list(zip(*(measure(pids, rounds.idle) for _ in range(rounds.idle_rounds))))
    linux.leave()

    ratio = statistics.median(ours / stock for ours, stock in zip(shares[1], shares[0]))
    table.note("Linux with nothing to do, unpatched QEMU (processor time)", percent(shares[0]), "1")
    table.note("the same as the master of two slaves", percent(shares[1]), f"{ratio:.3g}", f"≤ {GOAL:g}: {'met' if ratio <= GOAL else 'MISSED'}")
    for slave, share in zip(SLAVES, shares[2:]):
        table.note(f"its {slave.name}, which waits for a message", percent(share))
