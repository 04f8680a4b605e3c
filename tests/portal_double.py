"""A stand-in for xdg-desktop-portal on a bus: its requests, sessions and calls, and who would click what.

``PortalDouble(...).run(address)`` under Trio. OpenPipeWireRemote gives a real connection to the daemon at ``remote``, or
to nothing.
"""

import os
import socket
from dataclasses import dataclass, field

import trio
from jeepney import (
    DBusAddress,
    HeaderFields,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.io.trio import open_dbus_connection

PATH = "/org/freedesktop/portal/desktop"
PREFIX = "org.freedesktop.portal."


@dataclass
class PortalDouble:
    """versions   of ScreenCast and RemoteDesktop; 0: that part is missing
    clicks        what the user does in each dialog, in turn: "yes", "no", "nothing"; then always yes
    streams       of Start's results
    eis           what ConnectToEIS gives: a function that returns a descriptor; None: it refuses
    """

    remote: str = ""
    node_id: int = 42
    screen_version: int = 5
    remote_version: int = 2
    clicks: list[str] = field(default_factory=list)
    properties: dict = field(
        default_factory=lambda: {"size": ("(ii)", (1280, 720)), "position": ("(ii)", (0, 0))}
    )
    eis: object = None
    asked: list = field(default_factory=list)
    dialogs: int = 0
    tokens: list[str] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    persisting: dict[str, str | None] = field(default_factory=dict)
    junk: object = None

    def members(self):
        """What it was called with, in order."""
        return [member for member, _ in self.asked]

    async def has_no_session(self):
        return not self.sessions

    async def run(self, address, *, task_status=trio.TASK_STATUS_IGNORED):
        async with await open_dbus_connection(address, enable_fds=True) as connection:
            self.connection = connection
            await connection.send(message_bus.RequestName("org.freedesktop.portal.Desktop"))
            while True:
                message = await connection.receive()
                if message.header.message_type is MessageType.method_return:
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                elif message.header.message_type is MessageType.method_call:
                    await self._answer(message)

    async def _answer(self, message):
        fields = message.header.fields
        interface, member = fields[HeaderFields.interface].removeprefix(PREFIX), fields[HeaderFields.member]
        if member != "Get":
            self.asked.append((f"{interface}.{member}", message.body))
        offered = {
            "ScreenCast": self.screen_version,
            "RemoteDesktop": self.remote_version,
            "Session": 1,
            "Request": 1,
        }
        if member == "Get":
            await self._get(message)
            return
        if not offered.get(interface):
            member = "missing"
        match interface, member:
            case _, "CreateSession" | "SelectSources" | "SelectDevices" | "Start":
                await self._request(message, interface, member)
            case "ScreenCast", "OpenPipeWireRemote":
                with self._pipewire() as sock:
                    await self.connection.send(new_method_return(message, "h", (sock.fileno(),)))
            case "RemoteDesktop", "ConnectToEIS" if self.eis is not None:
                handle = self.eis()
                await self.connection.send(new_method_return(message, "h", (handle,)))
                os.close(handle)
            case "Session", "Close":
                self.sessions.discard(fields[HeaderFields.path])
                await self.connection.send(new_method_return(message))
            case _, _ if member.startswith("Notify"):
                await self.connection.send(new_method_return(message))
            case "Request", "Close":
                await self.connection.send(new_method_return(message))
            case _:
                await self._refuse(message)

    def _pipewire(self):
        if not self.remote:
            one, other = socket.socketpair()
            other.close()
            return one
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.remote)
        return sock

    async def _refuse(self, message):
        await self.connection.send(
            new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", ("no such method",))
        )

    async def _get(self, message):
        interface, name = message.body
        values = {
            "ScreenCast": {
                "version": self.screen_version,
                "AvailableSourceTypes": 7,
                "AvailableCursorModes": 3,
            },
            "RemoteDesktop": {"version": self.remote_version, "AvailableDeviceTypes": 7},
        }.get(interface.removeprefix(PREFIX), {"version": 0})
        if not values["version"]:
            await self._refuse(message)
        else:
            await self.connection.send(new_method_return(message, "v", (("u", values[name]),)))

    async def _request(self, message, interface, member):
        sender = message.header.fields[HeaderFields.sender].removeprefix(":").replace(".", "_")
        options = message.body[-1]
        path = f"{PATH}/request/{sender}/{options['handle_token'][1]}"
        await self.connection.send(new_method_return(message, "o", (path,)))
        code, results = 0, {}
        if member == "CreateSession":
            session = f"{PATH}/session/{sender}/{options['session_handle_token'][1]}"
            self.sessions.add(session)
            results = {"session_handle": ("s", session)}
        elif "persist_mode" in options:
            self.persisting[message.body[0]] = options.get("restore_token", ("s", None))[1]
        if member == "Start":
            code, results = self._start(message.body[0], interface)
        if code is None:
            return
        where = DBusAddress(path, interface=f"{PREFIX}Request")
        await self.connection.send(new_signal(where, "Response", "ua{sv}", (code, results)))

    def _start(self, session, interface):
        token = self.persisting.get(session)
        if token is None or token not in self.tokens:
            self.dialogs += 1
            click = self.clicks.pop(0) if self.clicks else "yes"
            if click != "yes":
                return (1 if click == "no" else None), {}
        results = {"streams": ("a(ua{sv})", [(self.node_id, self.properties)])}
        if self.junk is not None:
            return 0, self.junk
        if session in self.persisting:
            self.tokens = [f"token-{len(self.asked)}"]  # the old one is used up
            results["restore_token"] = ("s", self.tokens[0])
        if interface == "RemoteDesktop":
            results["devices"] = ("u", 7)
        return 0, results
