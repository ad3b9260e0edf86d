# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other end of hetd's monitor connections, where a real QEMU cannot be made to do what a test is about."""

import json
import os
import socket
import threading


class Monitor:
    """The monitor of a QEMU that is none: it answers as one that was just started, and holds back what it is told to."""

    def __init__(self, test, name, role="slave"):
        self.role = role
        self.path = test.directory / f"{name}.qmp"
        self.commands, self.results, self.hold, self.more = [], [], set(), {}
        self.fds = []                   # what has come and was not taken yet
        self.held, self.go_on = threading.Event(), threading.Event()
        self.sending = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(1)
        self.peer = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        test.addCleanup(self.close)

    def run(self):
        try:
            self.peer, _ = self.listener.accept()
            self.send({"QMP": {"version": {"qemu": {"major": 10, "minor": 0, "micro": 13}}, "capabilities": []}})
            buffer = b""
            while True:
                data, fds, _, _ = socket.recv_fds(self.peer, 65536, 16)
                self.fds += fds
                if not data:
                    return
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self.answer(json.loads(line))
                self.drop_fds()
        except OSError:
            pass                        # the test, or hetd, has ended the connection
        finally:
            self.drop_fds()

    def drop_fds(self):
        while self.fds:
            os.close(self.fds.pop())

    def send(self, *messages):
        """All of them in one piece"""
        with self.sending:
            self.peer.sendall(b"".join(json.dumps(message).encode() + b"\r\n" for message in messages))

    @staticmethod
    def make_event(name, **data):
        return {"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 0}}

    def event(self, name, **data):
        self.send(self.make_event(name, **data))

    def state(self, state, reason):
        self.event("HET_SLAVE_STATE", id=0, state=state, reason=reason)

    def answer(self, command):
        name = command["execute"]
        self.commands.append(name)
        if name == "het-request-complete":
            self.results.append(command["arguments"]["result"])
        if name in self.hold:
            self.held.set()
            self.go_on.wait(60)
        if name == "het-memory-grant":
            self.event("HET_MEMORY_GRANTED", id="m")
            self.state("ready", "granted")
        results = {"query-het": {"role": self.role, "state": "waiting", "reason": "none", "boots": 0, "couples": [],
                                 "memory": [{"id": "m", "granted": False}]},
                   "query-status": {"status": "running", "running": True}}
        self.send({"return": results.get(name, {}), "id": command["id"]})
        if name in self.more:
            self.more[name]()

    def close(self):
        self.go_on.set()
        for s in (self.peer, self.listener):
            if s:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass                # it has ended already
                s.close()
        self.thread.join()
