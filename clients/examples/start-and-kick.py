#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a platform, boots one of its slaves, sends it an interrupt, and ends it all: org.hetd1 from Python.

Usage: start-and-kick.py [--system] FILE SLAVE [NAME=VALUE...]

Needs python3-gi. FILE is opened here and handed to hetd; NAME=VALUE are its variables.
"""

import os
import sys

from gi.repository import Gio, GLib


class Hetd:
    def __init__(self, bus_type):
        self.bus = Gio.bus_get_sync(bus_type)
        self.ended = {}                 # job → (result, message)
        # Before anything is called: what ends at once is not missed
        self.bus.signal_subscribe("org.hetd1", "org.hetd1.Manager", "JobRemoved", "/org/hetd1", None, Gio.DBusSignalFlags.NONE,
                                  self.on_job_removed)

    def on_job_removed(self, _bus, _sender, _path, _interface, _signal, parameters):
        _number, job, result, message = parameters.unpack()
        self.ended[job] = result, message

    def call(self, path, method, arguments=None, fds=()):
        """method with its interface; the result, without the tuple around it if it is one value"""
        interface, name = method.rsplit(".", 1)
        reply, _ = self.bus.call_with_unix_fd_list_sync("org.hetd1", path, interface, name, arguments, None, Gio.DBusCallFlags.NONE, -1,
                                                        Gio.UnixFDList.new_from_array(list(fds)))
        values = reply.unpack()
        return values[0] if len(values) == 1 else values

    def get(self, path, interface, name):
        return self.call(path, "org.freedesktop.DBus.Properties.Get", GLib.Variant("(ss)", (interface, name)))

    def run_job(self, path, method):
        """What starts or ends processes is a job: its end is a signal."""
        job = self.call(path, method, GLib.Variant("(a{sv})", ({},)))
        while job not in self.ended:
            GLib.MainContext.default().iteration(True)
        result, message = self.ended.pop(job)
        if result != "done":
            raise RuntimeError(message or result)

    def define(self, path, variables):
        options = {"Path": GLib.Variant("s", os.path.abspath(path)), "Variables": GLib.Variant("a{ss}", variables)}
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self.call("/org/hetd1", "org.hetd1.Manager.DefinePlatform", GLib.Variant("(sha{sv})", ("", 0, options)), [fd])


def main():
    arguments = sys.argv[1:]
    system = arguments[:1] == ["--system"]
    if len(arguments[system:]) < 2:
        sys.exit(__doc__)
    path, slave, *assignments = arguments[system:]

    hetd = Hetd(Gio.BusType.SYSTEM if system else Gio.BusType.SESSION)
    platform = hetd.define(path, dict(a.split("=", 1) for a in assignments))
    name = hetd.get(platform, "org.hetd1.Platform", "Name")
    hetd.run_job(platform, "org.hetd1.Platform.Start")
    print(f"{name}: {hetd.get(platform, 'org.hetd1.Platform', 'State')}")

    processor = hetd.call("/org/hetd1", "org.hetd1.Manager.GetProcessor", GLib.Variant("(ss)", (name, slave)))
    hetd.call(processor, "org.hetd1.Processor.Boot", GLib.Variant("(a{sv})", ({},)))
    print(f"{slave}: {hetd.get(processor, 'org.hetd1.Processor', 'State')}")
    hetd.call(processor, "org.hetd1.Processor.Kick", GLib.Variant("(ua{sv})", (3, {})))
    print(f"{slave}: it was sent {hetd.get(processor, 'org.hetd1.Processor', 'Interrupts')[0]}")

    hetd.run_job(platform, "org.hetd1.Platform.Stop")
    print(f"{name}: {hetd.get(platform, 'org.hetd1.Platform', 'State')}")
    hetd.call(platform, "org.hetd1.Platform.Remove")


if __name__ == "__main__":
    try:
        main()
    except (GLib.Error, OSError, RuntimeError) as error:
        sys.exit(f"start-and-kick.py: {error}")
