"""What a stream would hear, and where a client's microphone would be: sound servers and their programs."""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from punktfunk.control.desktop.services import PIPEWIRE_PACKAGES, PULSE_PACKAGES, WIREPLUMBER_PACKAGES
from punktfunk.control.doctor.finding import Finding, Status
from punktfunk.control.sound.servers import pipewire_path, pulse_path
from punktfunk.control.system.packages import install_command
from punktfunk.plan import SoundServerKind

if TYPE_CHECKING:
    from punktfunk.config import Settings

_HEARD = {
    "client": "the client hears it",
    "both": "the client and this machine hear it",
    "host": "only this machine hears it, streams are silent",
}


class Probe(Protocol):
    """``realtime.probe_sound``'s answer."""

    @property
    def server(self) -> SoundServerKind | None:
        """Which server; None where none is usable."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def default_sink(self) -> str:
        """Where programs play now."""

    @property
    def problem(self) -> str:
        """Why there is none."""

    @property
    def hint(self) -> str:
        """What to do."""


def sound_findings(
    settings: "Settings",
    probe: Callable[[str, str], Probe],
    environment: Mapping[str, str] = os.environ,
    which: Callable[[str], str | None] = shutil.which,
) -> list[Finding]:
    """Say what programs play into, and what private sessions need; nothing where no desktop is heard."""
    if settings.audio in ("tone", "silence") or settings.display == "testcard":
        return []
    findings = [] if settings.session != "off" else [_running(settings, probe, environment)]
    missing = {
        "pipewire": PIPEWIRE_PACKAGES,
        "wireplumber": WIREPLUMBER_PACKAGES,
        "pipewire-pulse": PULSE_PACKAGES,
    }
    missing = {program: packages for program, packages in missing.items() if which(program) is None}
    if not missing:
        return [
            *findings,
            Finding("private sound", Status.OK, "private sessions have a PipeWire of their own"),
        ]
    silent = "pipewire" in missing or "wireplumber" in missing
    wanted = {
        family: [name for packages in missing.values() for name in packages[family]]
        for family in PIPEWIRE_PACKAGES
    }
    findings.append(
        Finding(
            "private sound",
            Status.DEGRADED,
            f"{', '.join(missing)} not installed",
            "Private sessions are silent."
            if silent
            else "Programs that know only PulseAudio (most games) are silent in private sessions.",
            install_command(wanted),
        )
    )
    return findings


def _running(
    settings: "Settings", probe: Callable[[str, str], Probe], environment: Mapping[str, str]
) -> Finding:
    found = probe(pipewire_path(environment), pulse_path(environment))
    if found.server is None:
        return Finding(
            "sound",
            Status.DEGRADED,
            found.problem,
            "Streams of the desktop that you are logged into are silent and have no microphone.",
            found.hint,
        )
    voice = "clients may bring their microphone" if settings.microphone else "microphones are off by setting"
    plays = f"programs play into {found.default_sink or 'nothing yet'}, and into a stream while there is one"
    return Finding(
        "sound",
        Status.OK,
        f"{found.server.value} {found.version}: {plays}; {_HEARD[settings.audio_mode]}; {voice}",
    )
