# SPDX-License-Identifier: LGPL-2.1-or-later
"""Masters and slaves that meet at a socket of their own: no hetd, no bus."""

import os
import socket

from het_harness import BareTestCase, FIRMWARE
from het_qemu import Qemu

SOCKET = "ms_socket"
MASTER_MEMORY = 0x40000000
WINDOWS = {1: 0x60000000, 2: 0x70000000}        # those that the firmware of first-light is linked for


def shared(size, socket_options, **options):
    """The options of both sides: the socket, and the memory that goes over it"""
    more = "".join(f",{name.replace('_', '-')}={value}" for name, value in socket_options.items())
    memory = "".join(f",{name}={value}" for name, value in options.items())
    return ["-object", f"multi-socket-backend,id=foo,path={SOCKET}{more}",
            "-object", f"memory-backend-shared,id=mem,size={size},chardev=foo{memory}", "-m", size]


class StandaloneTestCase(BareTestCase):
    def setUp(self):
        super().setUp()
        self.qemus = 0
        before = os.getcwd()
        os.chdir(self.directory)                # the socket's path is as short as the RFC has it
        self.addCleanup(os.chdir, before)

    def qemu(self, name, *arguments, **options):
        """Names are used again: that of the process is another one each time."""
        self.qemus += 1
        return Qemu(self, f"{name}-{self.qemus}", *arguments, **options)

    def start_master(self, **options):
        """The master of first-light: starts the slave whose program it has, and takes commands"""
        return self.qemu("master", *shared("1G", {"listen": "on"} | options, master="on"), "-machine", "virt,memory-backend=mem",
                         "-cpu", "cortex-a15", "-device", "idm_ipi,master=true,memdev=mem,socket=foo",
                         "-kernel", FIRMWARE / "first-light-master.elf")

    def start_a15(self, number=1, size="64M", **options):
        options.setdefault("window_address", WINDOWS.get(number, 0))
        return self.qemu(f"slave{number}", *shared(size, {"slave_id": number} | options),
                         "-machine", "virt,slave=on,memory-backend=mem", "-cpu", "cortex-a15",
                         "-device", "idm_ipi,master=false,memdev=mem,socket=foo")

    def start_m3(self, number=2, **options):
        return self.qemu(f"slave{number}", *shared("16M", {"slave_id": number, "window_address": WINDOWS[2]} | options),
                         "-machine", "mps2-an385,slave=on,memory-backend=mem",
                         "-device", "idm_ipi-flat,addr=0x50000000,irq=31,master=false,memdev=mem,socket=foo")

    def query(self, qemu, slave=None):
        """What it says of itself, or of its couple with a slave (None: there is no couple)"""
        info = qemu.query()
        return info if slave is None else next((c for c in info["couples"] if c["id"] == slave), None)

    def export_memory(self, master):
        """An fd of all of the master's memory, of which a slave's program is a part"""
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        with ours, theirs, master.qmp() as qmp:
            qmp.name_fd("s", theirs.fileno())
            qmp.call("het-memory-export", id="mem", socket="s")
            _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
        self.addCleanup(os.close, fd)
        return fd
