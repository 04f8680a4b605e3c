"""RealtimeKit, the system service that makes threads of ordinary users realtime (SCHED_RR), over D-Bus.

Its terms: RLIMIT_RTTIME at most ``cpu_time_us``, priority at most ``priority``. It sets RESET_ON_FORK itself.
Interface: org.freedesktop.RealtimeKit1.xml of the rtkit project.
"""

import os
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, NamedTuple

from punktfunk.errors import EnvironmentProblem

CALL_TIMEOUT_S: Final = 2.0


class Terms(NamedTuple):
    """The most that RealtimeKit grants."""

    priority: int
    cpu_time_us: int


class RealtimeKit:
    """Blocking calls to RealtimeKit; each at most two seconds. Refusals raise EnvironmentProblem.

    ``connect`` opens a jeepney blocking connection; tests pass one to a bus of their own.
    """

    def __init__(self, connect: Callable[[], Any] | None = None) -> None:
        self._connect = connect or _connect_system_bus

    def terms(self) -> Terms:
        """Ask for the limits that the service was started with."""
        return Terms(int(self._property("MaxRealtimePriority")), int(self._property("RTTimeUSecMax")))

    def make_realtime(self, thread_id: int, priority: int) -> None:
        """Give a thread of this process SCHED_RR with ``priority``."""
        self._call(
            "org.freedesktop.RealtimeKit1",
            "MakeThreadRealtimeWithPID",
            "ttu",
            (os.getpid(), thread_id, priority),
        )

    def make_preferred(self, thread_id: int, niceness: int) -> None:
        """Give a thread of this process a niceness below 0; threads and children that it starts have 0."""
        self._call(
            "org.freedesktop.RealtimeKit1",
            "MakeThreadHighPriorityWithPID",
            "tti",
            (os.getpid(), thread_id, niceness),
        )

    def _property(self, name: str) -> Any:
        body = ("org.freedesktop.RealtimeKit1", name)
        (_signature, value) = self._call("org.freedesktop.DBus.Properties", "Get", "ss", body)[0]
        return value

    def _call(self, interface: str, method: str, signature: str, body: tuple[Any, ...]) -> Any:
        from jeepney import DBusAddress, MessageType, new_method_call

        address = DBusAddress(
            "/org/freedesktop/RealtimeKit1", bus_name="org.freedesktop.RealtimeKit1", interface=interface
        )
        try:
            with closing(self._connect()) as connection:
                reply = connection.send_and_get_reply(
                    new_method_call(address, method, signature, body), timeout=CALL_TIMEOUT_S
                )
        except (OSError, KeyError, ValueError) as error:
            raise EnvironmentProblem(
                f"the system bus cannot be used: {error or type(error).__name__}",
                hint="Install and start dbus and rtkit, or raise RLIMIT_RTPRIO.",
            ) from error
        if reply.header.message_type == MessageType.error:
            detail = reply.body[0] if reply.body else "no detail"
            raise EnvironmentProblem(f"{method} refused: {detail}", hint="Is rtkit installed?")
        return reply.body


def _connect_system_bus() -> Any:
    from jeepney.io.blocking import open_dbus_connection

    return open_dbus_connection(bus="SYSTEM")
