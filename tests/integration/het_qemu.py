# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMUs that the tests themselves start."""

import os
import selectors
import signal
import socket
import threading

from het_events import DEADLINE
from het_harness import FIRMWARE, QEMU, options
from het_qmp import Qmp

MASTER_ARGUMENTS = ("-machine", "virt", "-cpu", "cortex-a15", "-m", "1G", "-device", "idm_ipi", "-S",
                    "-kernel", FIRMWARE / "first-light-master.elf")
SLAVE1_ARGUMENTS = ("-object", "memory-backend-shared,id=late,size=64M", "-machine", "virt,slave=on,memory-backend=late",
                    "-cpu", "cortex-a15", "-m", "64M", "-device", "idm_ipi")
SLAVE2_ARGUMENTS = ("-object", "memory-backend-shared,id=late,size=16M", "-machine", "mps2-an385,slave=on,memory-backend=late",
                    "-m", "16M", "-device", "idm_ipi-flat,addr=0x50000000,irq=31")

# Registers of slave 2 in the master's IDM, see docs/idm-registers.md
IDM_SLAVE2 = 0x0c000000 + 0x1000 + 2 * 0x40
CONTROL = IDM_SLAVE2 + 0x1c
START, STOP, RESULT_PENDING, RESULT_DONE = 1, 2, 1, 2


class Registers:
    """What the guest of a master reads and writes, without a guest that does."""

    def __init__(self, test):
        self.test, self.path = test, test.directory / "qtest"
        self.arguments = f"ExtraArguments=-qtest unix:{self.path},server=on,wait=off\n"

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.test.addCleanup(self.socket.close)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(self.path))
        self.answers = self.socket.makefile("r")
        self.test.addCleanup(self.answers.close)
        return self

    def write(self, address, value):
        self.socket.sendall(f"writel {address:#x} {value:#x}\n".encode())
        self.test.assertEqual(self.answers.readline(), "OK\n")

    def read(self, address):
        self.socket.sendall(f"readl {address:#x}\n".encode())
        return int(self.answers.readline().split()[1], 16)


class Qemu:
    """A QEMU of ours; its monitor can be connected to at once, since the socket is made here."""

    def __init__(self, test, name, *arguments, console=None, emulator=QEMU):
        """console: the arguments of a character device, in the place of a socket with a log"""
        self.monitor = test.directory / f"{name}.qmp"
        self.log, self.path = test.directory / f"{name}.log", test.directory / f"{name}.console"
        self.log.touch()                        # so that it can be watched at once
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.monitor))
            listener.listen(4)
            self.errors = test.directory / f"{name}.stderr"
            with open(self.errors, "w", encoding="utf-8") as stderr:
                self.process = test.start_process(
                    emulator, "-nodefaults", "-no-user-config", "-display", "none",
                    "-chardev", f"socket,id=qmp,fd={listener.fileno()},server=on,wait=off", "-mon", "chardev=qmp,mode=control",
                    "-chardev", console or f"socket,id=console,path={self.path},server=on,wait=off,logfile={self.log}",
                    "-serial", "chardev:console", *arguments, pass_fds=[listener.fileno()], stderr=stderr)
        self.pid = self.process.pid
        self.test = test

    def console(self):
        return self.test.open_console(str(self.log), str(self.path))

    def stderr(self):
        return self.errors.read_text(encoding="utf-8", errors="replace")

    def query(self):
        """What it says of itself; hetd must not be connected."""
        with self.qmp() as qmp:
            return qmp.call("query-het")

    def qmp(self):
        return Qmp(self.monitor)

    def count_fds(self):
        """With one connection to its monitor: it accepts ours when it has closed the one before."""
        with self.qmp():
            return len(os.listdir(f"/proc/{self.pid}/fd"))


def stop_while_attached(test, qemu, where):
    """It does not answer hetd, which is to attach it as slave2: the platform can be stopped meanwhile, and the attempt ends"""
    os.kill(qemu.pid, signal.SIGSTOP)
    pending = test.slave2.begin("Attach", "sa{sv}", where, options())
    test.slave2.wait_state("starting")
    test.platform.stop()
    with test.assertRaises(Exception):
        pending.wait()
    test.assertEqual(test.slave2.state, "defined")
    os.kill(qemu.pid, signal.SIGCONT)


class Proxy:
    """Between hetd and a monitor, with the file descriptors that are sent: a connection that can be cut."""

    def __init__(self, upstream, path):
        self.upstream, self.path = upstream, path
        self.pairs = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.wake, self.ended = os.eventfd(0), False
        self.selector.register(self.wake, selectors.EVENT_READ, self.end)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended:
            for key, _ in self.selector.select():
                if not self.ended and key.fileobj in self.selector.get_map():
                    key.data()

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self.upstream))
        self.pairs.append((client, server))
        self.selector.register(client, selectors.EVENT_READ, lambda: self.forward(client, server))
        self.selector.register(server, selectors.EVENT_READ, lambda: self.forward(server, client))

    def forward(self, source, to):
        try:
            data, fds, _, _ = socket.recv_fds(source, 65536, 16)
        except ConnectionError:
            data, fds = b"", []
        if data and fds:
            socket.send_fds(to, [data], fds)
        elif data:
            to.sendall(data)
        for fd in fds:
            os.close(fd)
        if not data:
            for s in (source, to):
                self.selector.unregister(s)
                s.close()
            self.pairs = [pair for pair in self.pairs if source not in pair]

    def cut(self):
        """Both ends see the connection closed; another one can be made."""
        for client, server in list(self.pairs):
            client.shutdown(socket.SHUT_RDWR)

    def end(self):
        self.ended = True

    def close(self):
        os.eventfd_write(self.wake, 1)
        self.thread.join()
        self.selector.close()
        os.close(self.wake)
        self.listener.close()
        for pair in self.pairs:
            for s in pair:
                s.close()
        os.unlink(self.path)
