# SPDX-License-Identifier: LGPL-2.1-or-later
"""
A platform of QEMUs without hetd: what hetd does, by QEMU's own Python library qemu.qmp.

Whoever has made windows and couples can go: the QEMUs hold what they were given. The commands are described in docs/qmp.md, the
control page in docs/idm-registers.md.
"""

import fcntl
import os
import struct

from qemu.qmp import QMPClient

PAGE_SIZE = 4096
PAGE_MAGIC, PAGE_VERSION = 0x50544548, 1
F_ADD_SEALS, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW = 1033, 1, 2, 4
PT_LOAD, EM_ARM, EM_RISCV = 1, 40, 243


def sealed_memory(name, size):
    """Memory that can be handed to another process: nobody can make it smaller behind our back."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
    return fd


class Window:
    """The part of the master's memory that a slave works in. address: in the master, and where the slave sees it, too."""

    def __init__(self, address, size):
        self.address, self.size = address, size
        self.fd = sealed_memory("het-window", size)

    def close(self):
        os.close(self.fd)

    def load(self, path):
        """Copies an ELF program that is linked at the window's addresses into it, and returns its entry."""
        with open(path, "rb") as file:
            data = file.read()
        try:
            return self.load_segments(data)
        except (struct.error, IndexError) as e:
            raise ValueError(f"{path}: it is no whole ELF program") from e

    def load_segments(self, data):
        if data[:4] != b"\x7fELF":
            raise ValueError("it is no ELF program")
        wide = data[4] == 2
        entry, table = struct.unpack_from("<QQ" if wide else "<II", data, 24)
        entry_size, count = struct.unpack_from("<HH", data, 54 if wide else 42)
        for i in range(count):
            header = table + i * entry_size
            if wide:
                kind, _, offset, _, address, file_size, memory_size = struct.unpack_from("<IIQQQQQ", data, header)
            else:
                kind, offset, _, address, file_size, memory_size = struct.unpack_from("<IIIIII", data, header)
            if kind == PT_LOAD and memory_size:
                self.write(address, data[offset:offset + file_size], memory_size)
        return entry

    def write(self, address, data, size):
        if address < self.address or address + size > self.address + self.size:
            raise ValueError(f"the program has {size} bytes at {address:#x}, which is not inside the window")
        os.pwrite(self.fd, data + bytes(size - len(data)), address - self.address)


class Couple:
    """The channel of the master and one slave: a control page, and two eventfds each way."""

    def __init__(self, number):
        self.number = number
        self.page = sealed_memory("het-couple", PAGE_SIZE)
        os.pwrite(self.page, struct.pack("=III", PAGE_MAGIC, PAGE_VERSION, number), 0)
        self.to_master, self.to_slave, self.to_master_halt, self.to_slave_halt = (
            os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(4))

    def close(self):
        for fd in (self.page, self.to_master, self.to_slave, self.to_master_halt, self.to_slave_halt):
            os.close(fd)

    def of_master(self):
        return {"page": self.page, "rx": self.to_master, "tx": self.to_slave, "rx-halt": self.to_master_halt,
                "tx-halt": self.to_slave_halt}

    def of_slave(self):
        return {"page": self.page, "rx": self.to_slave, "tx": self.to_master, "rx-halt": self.to_slave_halt,
                "tx-halt": self.to_master_halt}


class Monitor(QMPClient):
    """A QMP monitor that file descriptors can be handed to."""

    async def hand_over(self, fds, prefix):
        """Gives each descriptor a name in QEMU that the next command uses; returns the same dictionary with the names."""
        names = {}
        for role, fd in fds.items():
            names[role] = f"{prefix}-{role}"
            self.send_fd_scm(fd)
            await self.execute("getfd", {"fdname": names[role]})
        return names

    async def query(self):
        return await self.execute("query-het")

    async def memory_id(self):
        """Of a slave: its memory-backend-shared"""
        memory = (await self.query())["memory"]
        if not memory:
            raise ValueError("this QEMU has no memory-backend-shared: it is no slave")
        return memory[0]["id"]


async def attach(master, slave, couple, window):
    """
    Makes a slave's QEMU the master's slave with the couple's number. The window comes first, on both sides: as soon as a guest sees
    the couple it may look for it. What was done before an error is undone.
    """
    number = couple.number
    memory = await slave.memory_id()
    names = await slave.hand_over({"window": window.fd}, f"het-{number}")
    await slave.execute("het-memory-grant", {"id": memory, "memory": names["window"], "bus-address": window.address})
    try:
        names = await slave.hand_over(couple.of_slave(), f"het-{number}")
        await slave.execute("het-master-attach", {"id": number, "couple": names})
        try:
            names = await master.hand_over(couple.of_master() | {"window": window.fd}, f"het-{number}")
            memory_name = names.pop("window")
            await master.execute("het-slave-attach", {
                "id": number, "couple": names,
                "window": {"memory": memory_name, "address": window.address, "size": window.size}})
        except Exception:
            await slave.execute("het-master-detach")
            raise
    except Exception:
        await slave.execute("het-memory-revoke", {"id": memory})
        raise


async def detach(master, slave, number):
    """Stops the slave, takes its memory away, and closes the couple; either may be None when its process is gone."""
    if slave:
        await slave.execute("het-slave-stop")
        await slave.execute("het-master-detach")
        await slave.execute("het-memory-revoke", {"id": await slave.memory_id()})
    if master:
        await master.execute("het-slave-detach", {"id": number})
