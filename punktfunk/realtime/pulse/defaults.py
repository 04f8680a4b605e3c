"""The default sink and source of PulseAudio, as ``pipewire.defaults`` has them for PipeWire."""

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundRole
from punktfunk.realtime.pipewire.defaults import Defaults
from punktfunk.realtime.pulse.connection import PulseConnection


def change_pulse_default(
    socket_path: str, role: SoundRole, name: str | None, *, only_if: str | None = None
) -> Defaults:
    """Make ``name`` the default for ``role``, as ``change_default`` does.

    PulseAudio knows no default that nobody chose: "" changes nothing, and its rules choose once our device
    is gone. EnvironmentProblem if it does not answer.
    """
    with PulseConnection(socket_path) as connection:
        told = connection.information()
        current = told.default_source if role is SoundRole.MICROPHONE else told.default_sink
        if name and only_if in (None, current):
            connection.set_default(name, source=role is SoundRole.MICROPHONE)
        return Defaults(current, current)


def is_genuine(socket_path: str) -> bool:
    """Tell whether PulseAudio itself listens there, not PipeWire in its place; False if nobody answers."""
    try:
        with PulseConnection(socket_path) as connection:
            return "pipewire" not in connection.information().name.lower()
    except EnvironmentProblem:
        return False
