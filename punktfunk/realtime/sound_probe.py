"""Which sound server a session's programs would play into here: looked at, nothing changed."""

from pathlib import Path
from typing import NamedTuple

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundRole, SoundServerKind
from punktfunk.realtime.sound_node import SERVER_HINT


class SoundProbe(NamedTuple):
    """What was found. ``server`` None: nothing usable, and ``problem`` says why."""

    server: SoundServerKind | None
    version: str = ""
    default_sink: str = ""
    problem: str = ""
    hint: str = ""


def probe_sound(pipewire_path: str, pulse_path: str) -> SoundProbe:
    """Ask the servers that listen on these sockets; takes some milliseconds, at most some seconds."""
    try:
        if pulse_path and Path(pulse_path).is_socket():
            from punktfunk.realtime.pulse.connection import PulseConnection
            from punktfunk.realtime.pulse.defaults import is_genuine

            if is_genuine(pulse_path):
                with PulseConnection(pulse_path) as connection:
                    told = connection.information()
                return SoundProbe(SoundServerKind.PULSE, told.name, told.default_sink)
        if not Path(pipewire_path).is_socket():
            return SoundProbe(None, problem=f"no sound server listens on {pipewire_path}", hint=SERVER_HINT)
        from punktfunk.realtime.pipewire.defaults import change_default
        from punktfunk.realtime.pipewire.library import library_version

        defaults = change_default(pipewire_path, SoundRole.SINK, None)
        return SoundProbe(SoundServerKind.PIPEWIRE, library_version(), defaults.effective)
    except EnvironmentProblem as problem:
        return SoundProbe(None, problem=str(problem), hint=problem.hint)
