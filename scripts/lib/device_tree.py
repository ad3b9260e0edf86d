# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads device tree blobs. Used by scripts/linux-firmware, and by tests that look at what was made."""

import struct

BEGIN_NODE, END_NODE, PROPERTY, NOP, END = 1, 2, 3, 4, 9
HEADER = struct.Struct(">10I")
MAGIC = 0xd00dfeed


class DeviceTree(dict):
    """{"/path/of/node": {property: bytes}}"""

    def __init__(self, blob):
        super().__init__()
        magic, self.size, structure, self.strings = HEADER.unpack_from(blob)[:4]
        if magic != MAGIC:
            raise ValueError(f"no device tree: it begins with {magic:#x}")
        self.blob = blob[:self.size]
        self.places = {}                # (path, property): from where to where it is in the blob
        self.read(structure)

    def text(self, position):
        return self.blob[position:self.blob.index(b"\0", position)].decode()

    def read(self, position):
        path = []
        while True:
            token, = struct.unpack_from(">I", self.blob, position)
            position += 4
            if token == BEGIN_NODE:
                path.append(self.text(position))
                position += (len(path[-1]) + 4) & ~3
                properties = self["/".join(path) or "/"] = {}
            elif token == END_NODE:
                path.pop()
            elif token == PROPERTY:
                size, offset = struct.unpack_from(">2I", self.blob, position)
                end = position + 8 + ((size + 3) & ~3)
                name = self.text(self.strings + offset)
                properties[name] = self.blob[position + 8:position + 8 + size]
                self.places["/".join(path) or "/", name] = position - 4, end
                position = end
            elif token == END:
                return
            elif token != NOP:
                raise ValueError(f"there is no token {token}")

    def without_seeds(self):
        """A blob of the same length without the random numbers that QEMU has put into it, which libfdt leaves in gaps, too"""
        blob = bytearray(self.blob)
        for (path, name), (start, end) in self.places.items():
            if name.endswith("-seed"):
                blob[start:end] = struct.pack(">I", NOP) * ((end - start) // 4)
            else:
                gap = start + 12 + len(self[path][name])
                blob[gap:end] = bytes(end - gap)
        return bytes(blob)

    def cells(self, path, name):
        value = self[path][name]
        return struct.unpack(f">{len(value) // 4}I", value)

    def string(self, path, name):
        return self[path][name].rstrip(b"\0").decode()
