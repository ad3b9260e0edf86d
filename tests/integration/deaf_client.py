#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
A client on the bus that reads nothing, as no library would let one be.

Usage: deaf_client.py SOCKET COUNT PATH INTERFACE MEMBER   (a method of org.hetd1 without arguments)

It prints a line when all calls are on their way, and stays connected.
"""

import os
import signal
import socket
import struct
import sys


def field(code, kind, text):
    data = text.encode()
    return struct.pack("<BBcxI", code, 1, kind.encode(), len(data)) + data + b"\0"


def call(serial, destination, path, interface, member):
    fields = b""
    for one in (field(1, "o", path), field(2, "s", interface), field(3, "s", member), field(6, "s", destination)):
        fields += b"\0" * (-len(fields) % 8) + one
    message = struct.pack("<cBBBIII", b"l", 1, 0, 1, 0, serial, len(fields)) + fields
    return message + b"\0" * (-len(message) % 8)


def main():
    path, count, *method = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as bus:
        bus.connect(path)
        user = str(os.geteuid()).encode().hex()
        bus.sendall(f"\0AUTH EXTERNAL {user}\r\nBEGIN\r\n".encode())
        bus.sendall(call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"))
        for serial in range(2, 2 + int(count)):
            bus.sendall(call(serial, "org.hetd1", *method))
        print("sent", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
