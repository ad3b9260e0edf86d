#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes what a Linux guest boots: a kernel image that need not unpack itself, and an initramfs.

Used by scripts/build-guest, and by tests that add files to an initramfs. The results depend on the input only: no times, no owners.

    guest_image.py kernel VMLINUZ OUTPUT        of 32 bits: a uImage; of 64 bits: an Image; of a PC: the bzImage that it is
    guest_image.py initramfs --modules DIR --busybox FILE --init FILE [--module FILE]… [--load NAME]… [--offer NAME]… OUTPUT
    guest_image.py append INITRAMFS OUTPUT NAME=FILE…

Modules to be loaded are named in /etc/modules; those that are only offered are in /root as well, for insmod by hand. Files that are
appended can be executed if they can be here.
"""

import argparse
import gzip
import lzma
import os
import pathlib
import stat
import struct
import sys
import zlib

COMPRESSED_MAX = 8 << 20
XZ_MAGIC = b"\xfd7zXZ\x00"
# What init mounts beside /dev
FSTAB = b"""\
proc /proc proc defaults 0 0
sysfs /sys sysfs defaults 0 0
debugfs /sys/kernel/debug debugfs defaults 0 0
devpts /dev/pts devpts defaults 0 0
"""
KERNEL_ADDRESS = 0x40208000     # the board's memory, and what Debian's armhf kernel keeps free below itself (TEXT_OFFSET)


# --- kernel ---

def is_image(data):
    """Whether it is a kernel of 64 bits; QEMU takes it as it is."""
    return data[56:60] == b"ARM\x64"


def is_bzimage(data):
    """Whether it is a kernel for PCs, which unpacks itself"""
    return data[0x202:0x206] == b"HdrS"


def unpack_kernel(zimage):
    """The kernel in a self-extracting image of 32 bits; the magic may also be in its code, as data."""
    position = -1
    while (position := zimage.find(XZ_MAGIC, position + 1)) >= 0:
        try:
            return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(zimage[position:])
        except lzma.LZMAError:
            pass
    raise ValueError("there is no kernel compressed with xz in it")


def kernel_image(vmlinuz):
    if vmlinuz.startswith(b"\x1f\x8b"):
        vmlinuz = gzip.decompress(vmlinuz)
    return vmlinuz if is_image(vmlinuz) or is_bzimage(vmlinuz) else uimage(unpack_kernel(vmlinuz))


def uimage(kernel, address=KERNEL_ADDRESS, name="Linux"):
    """A kernel with the header of U-Boot, from which QEMU knows where it goes. 5, 2, 2, 0: Linux, Arm, kernel, not compressed"""
    def header(checksum):
        return struct.pack(">7I4B32s", 0x27051956, checksum, 0, len(kernel), address, address, zlib.crc32(kernel),
                           5, 2, 2, 0, name.encode())
    return header(zlib.crc32(header(0))) + kernel


# --- initramfs ---

class Archive:
    """An archive of cpio, as the kernel reads it (format newc)."""

    def __init__(self):
        self.data = bytearray()
        self.names = set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        self.parents(name)
        self.names.add(name)
        self.entry(name, mode, data, device, len(self.names))

    def entry(self, name, mode, data, device, number):
        fields = (number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        self.data += b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        self.pad()
        self.data += data
        self.pad()

    def pad(self):
        self.data += bytes(-len(self.data) % 4)

    def parents(self, name):
        parts = name.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            if "/".join(parts[:i]) not in self.names:
                self.directory("/".join(parts[:i]))

    def directory(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.add(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def finished(self):
        self.entry("TRAILER!!!", 0, b"", (0, 0), 0)
        return bytes(self.data)

    def compressed(self):
        return gzip.compress(self.finished(), 6, mtime=0)


def append(initramfs, files):
    """
    The kernel unpacks archives that follow each other. Files: {name: (data, mode)}. Many megabytes are not compressed, which would
    take longer than all that is done with them; such an archive must be aligned.
    """
    archive = Archive()
    for name, (data, mode) in sorted(files.items()):
        archive.file(name, data, mode)
    if len(archive.data) < COMPRESSED_MAX:
        return initramfs + archive.compressed()
    return initramfs + bytes(-len(initramfs) % 4) + archive.finished()


# --- modules ---

def module_name(path):
    return path.name.split(".ko")[0].replace("-", "_")


def read_module(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def module_info(data, key):
    """The values of key in .modinfo, which is text: key=value, ended by a zero byte"""
    found, position, wanted = [], 0, b"\0" + key.encode() + b"="
    while (position := data.find(wanted, position)) >= 0:
        position += len(wanted)
        found.append(data[position:data.index(b"\0", position)].decode())
    return found


class Modules:
    """Those of Debian's package, and ours."""

    def __init__(self, directory, ours):
        self.directory = directory
        self.release = directory.name
        self.paths = {module_name(p): p for p in sorted(directory.rglob("*.ko*"))}
        self.paths.update({module_name(p): p for p in ours})
        self.loaded = {}                # name: (path in the guest, data, names that it needs), in the order of their need

    def need(self, name):
        if name in self.loaded:
            return
        path = self.paths.get(name)
        if not path:
            sys.exit(f"error: there is no module {name} for {self.release}")
        data = read_module(path)
        needs = [n.replace("-", "_") for value in module_info(data, "depends") for n in value.split(",") if n]
        for needed in needs:
            self.need(needed)
        where = path.relative_to(self.directory) if path.is_relative_to(self.directory) else pathlib.Path("updates", path.name)
        self.loaded[name] = (str(where).removesuffix(".xz"), data, needs)

    def all_needs(self, name):
        """In the order of modules.dep: modprobe loads the last one first."""
        found, new = set(), {name}
        while new:
            new = {n for one in new for n in self.loaded[one][2]} - found
            found |= new
        return [n for n in reversed(self.loaded) if n in found]

    def add_to(self, archive):
        base = f"lib/modules/{self.release}"
        depends, aliases = [], []
        for name, (where, data, _) in self.loaded.items():
            archive.file(f"{base}/{where}", data)
            depends.append(f"{where}:" + "".join(f" {self.loaded[n][0]}" for n in self.all_needs(name)))
            aliases += [f"alias {alias} {name}" for alias in module_info(data, "alias")]
        archive.file(f"{base}/modules.dep", "".join(f"{line}\n" for line in depends).encode())
        archive.file(f"{base}/modules.alias", "".join(f"{line}\n" for line in aliases).encode())


def initramfs(modules, load, offer, busybox, init):
    archive = Archive()
    for name in ("dev", "proc", "sys", "tmp", "root", "etc", "run", "bin", "sbin", "usr/bin", "usr/sbin", "lib/firmware"):
        archive.directory(name)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.file("bin/busybox", busybox, 0o755)
    archive.link("bin/sh", "busybox")
    archive.file("etc/fstab", FSTAB)
    archive.file("init", init, 0o755)
    for name in load + offer:
        modules.need(name)
    modules.add_to(archive)
    for name in offer:
        archive.link(f"root/{name}.ko", f"/lib/modules/{modules.release}/{modules.loaded[name][0]}")
    archive.file("etc/modules", "".join(f"{name}\n" for name in load).encode())
    return archive.compressed()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    kernel = commands.add_parser("kernel")
    kernel.add_argument("vmlinuz", type=pathlib.Path)
    root = commands.add_parser("initramfs")
    root.add_argument("--modules", type=pathlib.Path, required=True)
    root.add_argument("--busybox", type=pathlib.Path, required=True)
    root.add_argument("--init", type=pathlib.Path, required=True)
    root.add_argument("--module", type=pathlib.Path, action="append", default=[])
    root.add_argument("--load", action="append", default=[])
    root.add_argument("--offer", action="append", default=[])
    more = commands.add_parser("append")
    more.add_argument("initramfs", type=pathlib.Path)
    for command in (kernel, root, more):
        command.add_argument("output", type=pathlib.Path)
    more.add_argument("file", nargs="+")
    o = parser.parse_args()

    if o.command == "kernel":
        result = kernel_image(o.vmlinuz.read_bytes())
    elif o.command == "initramfs":
        result = initramfs(Modules(o.modules, o.module), o.load, o.offer, o.busybox.read_bytes(), o.init.read_bytes())
    else:
        pairs = ((n, pathlib.Path(f)) for n, f in (pair.split("=", 1) for pair in o.file))
        result = append(o.initramfs.read_bytes(), {n: (f.read_bytes(), 0o755 if os.access(f, os.X_OK) else 0o644) for n, f in pairs})
    o.output.write_bytes(result)


if __name__ == "__main__":
    main()
