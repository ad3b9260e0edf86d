#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service manager keeps the memory of windows. Here it is this test, with systemd's protocol; tests/system has systemd itself."""

import array
import fcntl
import os
import resource
import shutil
import signal
import socket

import dbus

from het_harness import MASTER, SLAVE1, SLAVE2, Hetd, TestCase, main, memfd, open_fds, platform_text

CLEAR = 100                     # file descriptors from here on are in nobody's way


class Store:
    """What a service manager keeps of a service, by name."""

    def __init__(self):
        self.fds = {}

    def take(self, data, fds):
        fields = dict(line.split("=", 1) for line in data.decode().split("\n") if "=" in line)
        if "FDSTOREREMOVE" in fields and fields["FDNAME"] in self.fds:
            os.close(self.fds.pop(fields["FDNAME"]))
        for fd in fds:
            if "FDSTORE" in fields and fields["FDNAME"] not in self.fds:
                self.fds[fields["FDNAME"]] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, CLEAR)
            os.close(fd)

    def close(self):
        while self.fds:
            os.close(self.fds.popitem()[1])


def name_of(memory):
    return f"window-{os.fstat(memory).st_ino}"


class ServedHetd(Hetd):
    """A hetd that has such a service manager."""

    def __init__(self, *arguments, store, **more):
        super().__init__(*arguments, **more)
        self.store = store

    def prefix(self):
        moves = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(self.store.fds.values()))
        return ["bash", "-c", f"exec {moves}\nLISTEN_PID=$$ exec \"$@\"", "bash"]

    def environment(self):
        return self.store.fds and {"LISTEN_FDS": str(len(self.store.fds)), "LISTEN_FDNAMES": ":".join(self.store.fds)}

    def inherited_fds(self):
        return tuple(self.store.fds.values())

    def on_notify(self):
        data, control, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(64), socket.MSG_CMSG_CLOEXEC)
        fds = array.array("i")
        for level, kind, payload in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(payload)
        self.told += data.decode().split("\n")
        self.store.take(data, fds)


class FdStore(TestCase):
    def setUp(self):
        super().setUp()
        self.assertEqual(self.hetd.end(), 0)
        self.store = Store()
        self.addCleanup(self.store.close)
        self.hetd = ServedHetd(self.loop, self.bus, self.directory, store=self.store)
        self.addCleanup(self.hetd.close)
        self.hetd.start()

    def tearDown(self):
        super().tearDown()
        if not self.has_failed():
            self.assertEqual(self.store.fds, {}, "kept for nobody")

    def start(self):
        self.platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2)).start()
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))
        self.master.console().expect("received vector 3 from slave 1")
        self.master.console().expect("start of slave 1: done")

    def wait_kept(self, n):
        """hetd tells it by another way than it answers."""
        self.loop.wait(lambda: len(self.store.fds) == n, f"{n} windows in the store")

    def wait_names(self, *names):
        self.loop.wait(lambda: sorted(self.store.fds) == sorted(names), f"{names} in the store")

    def name_of_window(self, processor):
        fd, _, _ = processor.get_memory()
        try:
            return name_of(fd)
        finally:
            os.close(fd)

    def window(self, processor):
        fd, offset, size = processor.get_memory()
        try:
            return os.pread(fd, size, offset)
        finally:
            os.close(fd)

    def kill_all(self):
        pids = [p.pid for p in (self.master, self.slave1, self.slave2)]
        self.hetd.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def kill_all_and_start_anew(self):
        self.kill_all()
        self.hetd.take_over()

    def test_all_die(self):
        """What the slaves' programs have left can be looked at, and the next start has it no more."""
        self.start()
        self.wait_kept(2)
        before = self.window(self.slave1)
        self.assertIn(b"booted from the shared window", before)
        self.kill_all_and_start_anew()
        self.platform.wait_state("crashed")
        self.assertEqual(self.slave1.state, "crashed")
        after = self.window(self.slave1)
        self.assertIn(b"booted from the shared window", after)
        self.assertEqual(len(after), len(before))
        self.platform.start()
        self.wait_kept(2)
        self.master.console().expect("received vector 3 from slave 1")

    def test_only_hetd_dies(self):
        self.start()
        self.hetd.kill()
        self.hetd.take_over()
        self.assertEqual(self.platform.state, "running")
        self.wait_kept(2)
        since = self.slave1.console().mark()
        self.slave1.kick(17)
        self.slave1.console().expect("received vector 17 from the master", since)

    def test_granted_by_somebody(self):
        """Memory of a client's own, from an offset"""
        self.start()
        self.slave1.call("Stop")
        self.slave1.call("RevokeMemory")
        self.wait_kept(1)
        size = int(self.slave1.get("Window")[1])
        memory = os.memfd_create("mine", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, memory)
        os.ftruncate(memory, 2 * size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        os.pwrite(memory, b"somebody was here", size + 0x1000)
        self.slave1.grant(memory, Offset=dbus.UInt64(size))
        self.kill_all_and_start_anew()
        self.platform.wait_state("crashed")
        self.assertEqual(self.window(self.slave1)[0x1000:0x1011], b"somebody was here")

    def test_two_windows_in_the_same_memory(self):
        """It is kept as long as one of them is, and the next hetd has both."""
        self.start()
        size = int(self.slave1.get("Window")[1])
        shared, other = memfd(2 * size), memfd(size)
        self.addCleanup(os.close, shared)
        self.addCleanup(os.close, other)
        self.slave1.call("Stop")
        self.slave1.call("RevokeMemory")
        self.slave1.grant(shared)
        for memory in (shared, other, shared):
            self.slave2.call("RevokeMemory")
            self.slave2.grant(memory, Offset=dbus.UInt64(size if memory == shared else 0))
            self.wait_names(*{name_of(shared), name_of(memory)})
        os.pwrite(shared, b"first", 0x1000)
        os.pwrite(shared, b"second", size + 0x1000)
        self.kill_all_and_start_anew()
        self.platform.wait_state("crashed")
        self.assertEqual(self.window(self.slave1)[0x1000:0x1005], b"first")
        self.assertEqual(self.window(self.slave2)[0x1000:0x1006], b"second")

    def change_windows(self, more):
        """So many more that hetd tells of than the kernel keeps, which are ten or more. A blocking call is no turn of the loop: nobody reads."""
        memory = memfd(16 << 20)
        self.addCleanup(os.close, memory)
        with open("/proc/sys/net/unix/max_dgram_qlen", encoding="ascii") as f:
            rounds = int(f.read()) + more
        for _ in range(rounds):
            self.slave2.call("RevokeMemory")
            self.slave2.grant(memory)
        return memory

    def test_service_manager_hangs(self):
        """hetd does not wait for it, and it is told all of that when it is back."""
        self.start()
        memory = self.change_windows(5)
        self.slave2.call("RevokeMemory")
        self.assertEqual(self.slave2.state, "waiting")
        self.wait_kept(1)
        self.slave2.grant(memory)
        self.wait_kept(2)

    def test_service_manager_hangs_for_long(self):
        """What waits for it holds a part of the files that may be open. hetd says when that is full, and when it is over; then what there was no
        room for is kept, too."""
        self.assertEqual(self.hetd.end(), 0)
        self.hetd.launch(limits={resource.RLIMIT_NOFILE: (256, 256)})
        self.hetd.wait_ready()
        self.hetd.first_fds = open_fds(self.hetd.pid)
        self.start()
        self.wait_kept(2)
        memory = self.change_windows(40)
        os.pwrite(memory, b"granted meanwhile", 0x1000)
        self.assertEqual(self.slave2.state, "ready")
        held = sum("memfd:test" in fd for fd in open_fds(self.hetd.pid))
        self.assertLessEqual(held, (256 - 32) // 8 + 1, "those that wait, and that of the window")
        self.assertEqual(self.hetd.log().count("The service manager does not take what it is told"), 1)
        log = self.open_console(self.hetd.log_path, None)
        log.expect("The service manager takes what it is told again")
        self.kill_all_and_start_anew()
        self.platform.wait_state("crashed")
        self.assertEqual(self.window(self.slave2)[0x1000:0x1011], b"granted meanwhile")

    def test_service_manager_is_away(self):
        """What it was not told meanwhile, it is told when something reaches it again."""
        self.start()
        self.wait_kept(2)
        self.hetd.stop_listening()
        self.slave2.call("RevokeMemory")
        self.hetd.listen()
        self.assertEqual(len(self.store.fds), 2)
        memory = memfd(16 << 20)
        self.addCleanup(os.close, memory)
        self.slave2.grant(memory)
        self.wait_names(self.name_of_window(self.slave1), name_of(memory))

    def test_another_service_manager(self):
        """What was lost with the one before, and what that one had, is told to it."""
        self.start()
        self.wait_kept(2)
        memory = self.change_windows(5)
        self.hetd.stop_listening()
        self.slave2.call("RevokeMemory")
        self.store.close()
        self.hetd.listen()
        self.slave2.grant(memory)
        self.wait_names(self.name_of_window(self.slave1), name_of(memory))

    def test_what_nobody_knows(self):
        """Kept for a platform that is gone: the store is told to let it go."""
        self.start()
        self.kill_all()
        shutil.rmtree(self.hetd.runtime)
        self.hetd.start()
        self.assertEqual(self.hetd.platforms(), [])
        self.wait_kept(0)


if __name__ == "__main__":
    main()
