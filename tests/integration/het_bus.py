# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The bus of the integration tests: calls with dbus-python, and every message that goes over it, in order, from `busctl monitor`.
"""

import collections
import json
import os
import subprocess

import dbus
import dbus.lowlevel
import dbus.types

from het_events import DEADLINE, Pipe, Process

SERVICE = "org.hetd1"
ROOT = "/org/hetd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
ERROR = "org.hetd1.Error."
INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"

Message = collections.namedtuple("Message", "kind path interface member data destination reply_cookie cookie sender")


def escape(name):
    """As sd_bus_path_encode() does it"""
    out = "".join(c if c.isalnum() and c.isascii() and not (i == 0 and c.isdigit()) else f"_{ord(c):02x}" for i, c in enumerate(name))
    return out or "_"


def platform_path(name):
    return f"{ROOT}/platform/{escape(name)}"


def processor_path(platform, name):
    return f"{platform_path(platform)}/processor/{escape(name)}"


def options(**values):
    """An a{sv}: numbers become t, truth b, text s, dictionaries a{ss}."""
    out = dbus.Dictionary({}, signature="sv")
    for key, value in values.items():
        if isinstance(value, bool):
            out[key] = dbus.Boolean(value, variant_level=1)
        elif isinstance(value, int):
            out[key] = dbus.UInt64(value, variant_level=1)
        elif isinstance(value, dict):
            out[key] = dbus.Dictionary(value, signature="ss", variant_level=1)
        else:
            out[key] = dbus.String(str(value), variant_level=1)
    return out


class BusError(Exception):
    """What a call was answered with."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class Pending:
    """A call that is on its way."""

    def __init__(self, connection, path, interface, member, signature, arguments):
        self.result = None
        self.error = None
        self.pending = connection.call_async(SERVICE, path, interface, member, signature, arguments, self.on_reply, self.on_error,
                                             timeout=DEADLINE, require_main_loop=False)
        connection.flush()

    def on_reply(self, *arguments):
        self.result = arguments

    def on_error(self, error):
        self.error = BusError(error.get_dbus_name(), error.get_dbus_message())

    def wait(self):
        """Returns what a call returns, or raises what it was answered with."""
        self.pending.block()
        if self.error:
            raise self.error
        return self.result[0] if len(self.result) == 1 else self.result or None


BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="method_call"/> <allow send_destination="*"/> <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


class Bus:
    """A private dbus-daemon, a connection to it, and the record of what went over it."""

    def __init__(self, loop, directory):
        self.loop = loop
        self.messages = []
        self.position = 0
        self.connections = []
        self.directory = directory
        self.address = f"unix:path={directory}/bus"
        config = directory / "bus.conf"
        config.write_text(BUS_CONFIG.format(address=self.address), encoding="utf-8")
        with open(directory / "dbus-daemon.log", "w", encoding="utf-8") as log:
            self.daemon = Process(loop, ["dbus-daemon", "--nofork", "--print-address=1", f"--config-file={config}"],
                                  stdout=subprocess.PIPE, stderr=log)
        out = Pipe(loop, self.daemon.popen.stdout)
        loop.wait(lambda: out.lines or out.ended, "the address of dbus-daemon")
        out.close()
        os.chmod(directory / "bus", 0o777)

        self.monitor = Process(loop, ["busctl", f"--address={self.address}", "--json=short", "monitor"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        says = Pipe(loop, self.monitor.popen.stderr)
        loop.wait(lambda: says.lines or says.ended, "busctl monitor")
        says.close()
        self.stream = Pipe(loop, self.monitor.popen.stdout)
        self.connection = self.connect()

    def environment(self):
        return {**os.environ, "DBUS_SESSION_BUS_ADDRESS": self.address}

    def connect(self):
        """Another connection, for calls beside others"""
        connection = dbus.bus.BusConnection(self.address)
        connection.set_exit_on_disconnect(False)
        self.connections.append(connection)
        return connection

    # --- calls ---

    def call(self, path, interface, member, signature="", *arguments):
        try:
            return self.connection.call_blocking(SERVICE, path, interface, member, signature, arguments, timeout=DEADLINE)
        except dbus.exceptions.DBusException as e:
            raise BusError(e.get_dbus_name(), e.get_dbus_message()) from None

    def begin(self, path, interface, member, signature="", *arguments):
        """Like call(), on a connection of its own, and answered later: Pending.wait()"""
        return Pending(self.connect(), path, interface, member, signature, arguments)

    def get(self, path, interface, name):
        return self.call(path, PROPERTIES, "Get", "ss", f"{SERVICE}.{interface}", name)

    def get_all(self, path, interface):
        return self.call(path, PROPERTIES, "GetAll", "s", f"{SERVICE}.{interface}")

    # --- what went over the bus ---

    def take(self):
        """Makes messages of the lines that have come."""
        lines = self.stream.lines
        for line in lines[self.position:]:
            m = json.loads(line)
            self.messages.append(Message(m["type"], m.get("path"), m.get("interface"), m.get("member"), m["payload"]["data"],
                                         m.get("destination"), m.get("reply_cookie"), m.get("cookie"), m.get("sender")))
        self.position = len(lines)
        return self.messages

    def mark(self):
        """All that was sent before has been recorded; what is waited for from here on came later."""
        since = len(self.take())
        self.connection.call_blocking("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", "", (),
                                      timeout=DEADLINE)
        self.find(lambda m: m.member == "GetId", since, "a call in the record")
        return len(self.messages)

    def search(self, matches, since):
        return next(((i, m) for i, m in enumerate(self.take()[since:], since) if matches(m)), None)

    def find(self, matches, since, what):
        """Waits for a message; returns its position and itself"""
        return self.loop.wait(lambda: self.search(matches, since), what)

    def signal(self, member, since, path=None, where=lambda data: True):
        """Waits for a signal of ours; returns its arguments"""
        return self.find(lambda m: m.kind == "signal" and m.member == member and path in (None, m.path) and where(m.data), since,
                         f"signal {member} {path or ''}")[1].data

    def signals(self, member, since):
        """The arguments of those of ours that have come"""
        return [m.data for m in self.take()[since:] if m.kind == "signal" and m.member == member]

    def changes(self, path, since=0):
        """The properties of an object that were told to have changed, in order: [(position, {name: value})]"""
        return [(i, {name: value["data"] for name, value in m.data[1].items()})
                for i, m in enumerate(self.take()[since:], since)
                if m.kind == "signal" and m.member == "PropertiesChanged" and m.path == path]

    def values(self, path, name, since=0):
        """What a property became, in order"""
        return [changed[name] for _, changed in self.changes(path, since) if name in changed]

    def wait_property(self, path, interface, name, value):
        """Waits until a property has the value (which may be a set of them)."""
        wanted = value if isinstance(value, (set, frozenset)) else {value}
        while True:
            since = len(self.take())
            if (now := self.get(path, interface, name)) in wanted:
                return now
            self.find(lambda m: m.member == "PropertiesChanged" and m.path == path, since,
                      lambda now=now: f"{path} {name}: {wanted}; it is {now}, and was told to be {self.values(path, name)}")

    def close(self):
        for connection in self.connections:
            connection.close()
        self.stream.close()
        self.monitor.end()
        self.daemon.end()
