"""RealtimeKit's calls over a real bus of our own, answered by a double that knows its interface."""

import shutil
import subprocess
import threading

import pytest
from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.realtimekit import RealtimeKit

NAME = "org.freedesktop.RealtimeKit1"
PROPERTIES = {"MaxRealtimePriority": ("i", 20), "RTTimeUSecMax": ("x", 200_000)}


class Double(threading.Thread):
    """Answers until its connection is closed by the bus going away."""

    def __init__(self, address, *, refuse=False):
        super().__init__(name="rtkit-double", daemon=True)
        self.connection = open_dbus_connection(bus=address)
        self.connection.send_and_get_reply(message_bus.RequestName(NAME), timeout=5)
        self.refuse = refuse
        self.calls = []
        self.start()

    def run(self):
        while True:
            try:
                message = self.connection.receive()
            except (OSError, EOFError):
                self.connection.close()
                return
            if message.header.message_type is not MessageType.method_call:
                continue
            if message.header.fields[HeaderFields.member] == "Get":
                reply = new_method_return(message, "v", (PROPERTIES[message.body[1]],))
            elif self.refuse:
                reply = new_error(
                    message, "org.freedesktop.DBus.Error.AccessDenied", "s", ("Too many threads.",)
                )
            else:
                self.calls.append(message.body)
                reply = new_method_return(message)
            self.connection.send(reply)


@pytest.fixture
def bus():
    """The address of a private bus."""
    if not shutil.which("dbus-daemon"):
        pytest.skip("dbus-daemon is not installed")
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"], stdout=subprocess.PIPE, text=True
    )
    yield daemon.stdout.readline().strip()
    daemon.terminate()
    daemon.wait()
    daemon.stdout.close()
    for thread in threading.enumerate():
        if isinstance(thread, Double):
            thread.join(5)


def kit_on(bus):
    return RealtimeKit(lambda: open_dbus_connection(bus=bus))


def test_terms_and_promotion(bus):
    double = Double(bus)
    assert kit_on(bus).terms() == (20, 200_000)
    kit_on(bus).make_realtime(1234, 11)
    ((_process_id, thread_id, priority),) = double.calls
    assert (thread_id, priority) == (1234, 11)


def test_a_thread_that_shall_run_first(bus):
    double = Double(bus)
    kit_on(bus).make_preferred(1234, -10)
    ((_process_id, thread_id, niceness),) = double.calls
    assert (thread_id, niceness) == (1234, -10)


def test_a_refusal_carries_its_words(bus):
    Double(bus, refuse=True)
    with pytest.raises(EnvironmentProblem, match="Too many threads"):
        kit_on(bus).make_realtime(1234, 11)


def test_nobody_there(bus):
    with pytest.raises(EnvironmentProblem, match="Get refused"):
        kit_on(bus).terms()


def test_no_bus_at_all(tmp_path):
    kit = RealtimeKit(lambda: open_dbus_connection(bus=f"unix:path={tmp_path}/none"))
    with pytest.raises(EnvironmentProblem, match="system bus"):
        kit.terms()
