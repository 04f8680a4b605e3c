"""``punktfunk doctor``: looks at the machine, changes nothing.

``examine`` asks every part of the host what it would do here; the checks that read the system themselves live
in the modules of this folder, each a function from what it reads to a ``Finding``.
"""

from collections.abc import Callable, Iterable

import trio

from punktfunk import paths, realtime
from punktfunk.config import Settings
from punktfunk.control.chosen import display_options
from punktfunk.control.displays.choice import walk_backends
from punktfunk.control.doctor.displays import display_findings, no_compositor
from punktfunk.control.doctor.finding import Finding, Status, run_command
from punktfunk.control.doctor.firewall import examine_firewall
from punktfunk.control.doctor.input import input_finding, pads_finding
from punktfunk.control.doctor.machine import examine_kernels, examine_realtime
from punktfunk.control.doctor.network import examine_buffers, examine_ports
from punktfunk.control.doctor.picture import (
    encoder_findings,
    examine_audio,
    examine_gpu,
    sway_version,
)
from punktfunk.control.doctor.session import examine_session
from punktfunk.control.doctor.sound import sound_findings
from punktfunk.errors import PunktfunkError


def examine(settings: Settings, progress: Callable[[str], None] = lambda _check: None) -> list[Finding]:
    """Make every check; takes some seconds, as encoders are tried and kernels checked.

    ``progress`` is told what is being looked at.
    """
    findings: list[Finding] = []
    progress("compositor")
    findings += _display(settings)
    findings.append(pads_finding(settings.pads))
    progress("encoders")
    reports = realtime.probe_encoders(settings.encoder)
    findings += examine_gpu(reports)
    findings += encoder_findings(reports)
    findings.append(examine_audio(settings.audio))
    findings += sound_findings(settings, realtime.probe_sound)
    progress("network")
    base = settings.port if settings.gamestream else None
    native_port = settings.native_port if settings.native else None
    findings.append(examine_ports(base, settings.bind, native_port))
    findings.append(examine_firewall(base, run_command, native_port=native_port))
    findings.append(examine_buffers())
    progress("kernels")
    findings.append(examine_realtime(settings.realtime_priority))
    findings.append(
        examine_kernels(
            realtime.is_warm,
            realtime.self_check,
            realtime.simd_mode,
            realtime.cache_problems,
            realtime.seal_choice,
        )
    )
    return findings


def can_stream(findings: Iterable[Finding]) -> bool:
    """Tell whether ``serve`` could stream: nothing vital is missing."""
    return not any(finding.vital and finding.status is Status.MISSING for finding in findings)


def _display(settings: Settings) -> list[Finding]:
    if settings.session != "off":
        return examine_session(settings.session)
    folder, options = paths.runtime_folder(settings.state), display_options(settings)
    try:
        choice = trio.run(walk_backends, settings.display, folder, options)
    except PunktfunkError as error:
        return [no_compositor(error)]
    version = choice.found.version
    if choice.backend.name == "sway" and not version:
        version = sway_version(run_command)
    return [
        *display_findings(choice, settings, version),
        input_finding(choice.backend.name, settings.input),
    ]
