# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes firmware for remoteproc of a Linux: an ELF file with kernel, initial RAM disk and device tree.

A Linux master can start it on a slave like any other firmware. Where everything goes is said by the device tree, which
het-device-tree(1) makes for a slave with Kernel= and Initrd=: memory, and where the RAM disk is in it. The result depends on the
input only; the seeds of random numbers are left out of the tree.
"""

import argparse
import pathlib
import struct
import sys

from device_tree import DeviceTree

MIB = 1 << 20
BOARD_MEMORY = 0x40000000       # of virt: what the addresses in a uImage are of
VIRTIO_SIZE = MIB               # the end of the window, which the master's driver has for virtio
PAGE = 4096
ALIGNMENT = 64 * 1024
ARM, AARCH64 = 40, 183          # ELF machines
EMPTY_RESOURCE_TABLE = struct.pack("<4I", 1, 0, 0, 0)


class Problem(Exception):
    pass


def align(value, unit):
    return (value + unit - 1) // unit * unit


def find_kernel(data):
    """(ELF machine, offset of the kernel in memory, of its entry point, its bytes); hetd/kernel-image.c has the formats"""
    if data[:4] == b"\x27\x05\x19\x56":
        size, load, entry = struct.unpack_from(">3I", data, 12)
        arch, _, compression = data[29:32]
        if compression or arch not in (2, 22) or load < BOARD_MEMORY or len(data) < 64 + size:
            raise Problem("is no complete, not compressed uImage for Arm at its board's memory")
        return ARM if arch == 2 else AARCH64, load - BOARD_MEMORY, entry - BOARD_MEMORY, data[64:64 + size]
    if data[0x24:0x28] == b"\x18\x28\x6f\x01":
        return ARM, 0x8000, 0x8000, data
    if data[0x38:0x3c] == b"ARM\x64":
        offset, = struct.unpack_from("<Q", data, 8)
        return AARCH64, offset, offset, data
    raise Problem("is no zImage, uImage or arm64 Image")


def stub(machine, tree, entry):
    """What a boot loader does last: the registers as Linux expects them"""
    if machine == ARM:
        # mov r0, #0; mvn r1, #0; ldr r2, tree; ldr pc, entry
        return struct.pack("<6I", 0xe3a00000, 0xe3e01000, 0xe59f2000, 0xe59ff000, tree, entry)
    # ldr x0, tree; mov x1, xzr; mov x2, xzr; mov x3, xzr; ldr x4, entry; br x4
    return struct.pack("<6I2Q", 0x580000c0, 0xaa1f03e1, 0xaa1f03e2, 0xaa1f03e3, 0x58000084, 0xd61f0080, tree, entry)


class Image:
    """An executable ELF file of segments at physical addresses."""

    def __init__(self, machine):
        self.machine = machine
        self.segments = []              # (address, data)
        self.sections = []              # (name, address, size)

    def add(self, address, data):
        self.segments.append((address, data))

    def header(self, entry, sections_at):
        wide = self.machine == AARCH64
        ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
        sizes = (64, 56, 64) if wide else (52, 32, 40)
        flags = 0 if wide else 0x05000000       # EABI 5
        return ident + struct.pack("<HHI3QI6H" if wide else "<HHI3II6H", 2, self.machine, 1, entry, sizes[0], sections_at, flags,
                                   sizes[0], sizes[1], len(self.segments), sizes[2], len(self.sections) + 2, len(self.sections) + 1)

    def program_header(self, address, size, offset):
        if self.machine == AARCH64:
            return struct.pack("<2I6Q", 1, 7, offset, address, address, size, size, PAGE)
        return struct.pack("<8I", 1, offset, address, address, size, size, 7, PAGE)

    def section_header(self, name=0, kind=0, flags=0, address=0, offset=0, size=0, alignment=0):
        layout = "<2I4Q2I2Q" if self.machine == AARCH64 else "<10I"
        return struct.pack(layout, name, kind, flags, address, offset, size, 0, 0, alignment, 0)

    def build(self, entry):
        headers_size = 64 + 56 * len(self.segments)
        data, programs, places = bytearray(align(headers_size, PAGE)), b"", []
        for address, content in self.segments:
            programs += self.program_header(address, len(content), len(data))
            places.append((address, len(content), len(data)))
            data += content + bytes(-len(content) % PAGE)

        names, headers = b"\0", self.section_header()
        for name, address, size in self.sections:
            offset = next(at + address - start for start, length, at in places if start <= address < start + length)
            headers += self.section_header(len(names), 1, 2, address, offset, size, 4)         # PROGBITS, ALLOC
            names += name.encode() + b"\0"
        headers += self.section_header(len(names), 3, 0, 0, len(data), len(names) + len(".shstrtab") + 1, 1)
        names += b".shstrtab\0"

        sections_at = align(len(data) + len(names), 8)
        start = self.header(entry, sections_at) + programs
        data[:len(start)] = start
        return bytes(data) + names + bytes(sections_at - len(data) - len(names)) + headers


def memory_of(tree):
    for path, properties in tree.items():
        if properties.get("device_type") == b"memory\0" and len(properties.get("reg", b"")) == 16:
            return struct.unpack(">2Q", properties["reg"])
    raise Problem("has no memory; it should come from het-device-tree")


def initrd_of(tree):
    chosen = tree.get("/chosen", {})
    values = [chosen.get(f"linux,initrd-{end}") for end in ("start", "end")]
    return tuple(int.from_bytes(v, "big") for v in values) if all(values) else None


def make(kernel, initrd, blob):
    tree = DeviceTree(blob)
    base, size = memory_of(tree)
    place = initrd_of(tree)
    machine, load, entry, code = find_kernel(kernel)
    limit = place[0] if place else base + size - VIRTIO_SIZE

    if bool(initrd) != bool(place) or (place and place[1] - place[0] != len(initrd)):
        raise Problem("is of a slave with another initial RAM disk (Initrd= in the platform file)")
    if place and place[1] > base + size - VIRTIO_SIZE:
        raise Problem("has the initial RAM disk where virtio is, in the last MiB of the memory")

    blob = tree.without_seeds()
    blob += bytes(-len(blob) % 16)
    table_offset = len(blob) + 64
    tree_at = (limit - table_offset - len(EMPTY_RESOURCE_TABLE)) // ALIGNMENT * ALIGNMENT
    if tree_at < base + load + len(code):
        raise Problem(f"is of a slave whose memory is too small: {size / MIB:.1f} MiB, the kernel alone has {len(code) / MIB:.1f} MiB")

    image = Image(machine)
    begin = stub(machine, tree_at, base + entry)
    # Some drivers do not look at the ELF file's entry, and begin at the window's; if the kernel leaves it free
    at_base = load >= len(begin)
    if at_base:
        image.add(base, begin)
    image.add(base + load, code)
    image.add(tree_at, blob + begin + bytes(64 - len(begin)) + EMPTY_RESOURCE_TABLE)
    image.sections.append((".resource_table", tree_at + table_offset, len(EMPTY_RESOURCE_TABLE)))
    if place:
        image.add(place[0], initrd)
    return image.build(base if at_base else tree_at + len(blob))


def main():
    parser = argparse.ArgumentParser(prog="linux-firmware", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", type=pathlib.Path, required=True, help="zImage, uImage or arm64 Image")
    parser.add_argument("--initrd", type=pathlib.Path, help="its initial RAM disk")
    parser.add_argument("--device-tree", type=pathlib.Path, required=True, help="the slave's, of het-device-tree")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="the ELF file")
    o = parser.parse_args()

    about = o.kernel
    try:
        kernel = o.kernel.read_bytes()
        find_kernel(kernel)
        initrd = o.initrd.read_bytes() if o.initrd else b""
        about = o.device_tree
        result = make(kernel, initrd, o.device_tree.read_bytes())
        about = o.output
        o.output.write_bytes(result)
    except OSError as e:
        sys.exit(f"linux-firmware: {e.filename}: {e.strerror}")
    except Problem as e:
        sys.exit(f"linux-firmware: {about}: {e}")
    except (ValueError, IndexError, struct.error) as e:
        sys.exit(f"linux-firmware: {about}: is damaged ({e})")
