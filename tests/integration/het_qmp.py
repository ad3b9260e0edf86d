# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QMP client for tests and benchmarks, as small as it can be: hetd has the real one."""

import json
import socket

DEADLINE = 120          # seconds; an answer takes milliseconds, a loaded machine is given time


class QmpError(Exception):
    pass


class Qmp:
    """It blocks, takes one command at a time, and hands over file descriptors."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(path))
        self.reader = self.socket.makefile("r", encoding="utf-8")
        self.greeting = json.loads(self.reader.readline())
        self.call("qmp_capabilities")

    def call(self, command, fd=None, **arguments):
        message = json.dumps({"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}).encode()
        socket.send_fds(self.socket, [message], [] if fd is None else [fd])
        while line := self.reader.readline():
            reply = json.loads(line)
            if "error" in reply:
                raise QmpError(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]
        raise QmpError(f"{command}: the connection was closed")

    def name_fd(self, name, fd):
        """Hands a file descriptor over; the name is for the command that uses it."""
        self.call("getfd", fd, fdname=name)
        return name

    def close(self):
        self.reader.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
