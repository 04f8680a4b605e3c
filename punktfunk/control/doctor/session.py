"""The desktop session of our own that the settings ask for: which parts of it are installed."""

import os
import tempfile
from pathlib import Path

from punktfunk.control.desktop.kinds import (
    absence,
    build_parts,
    find_kind,
    how_to_install,
    missing_parts,
    refuse,
)
from punktfunk.control.desktop.parts import Part
from punktfunk.control.desktop.services import base_environment
from punktfunk.control.doctor.finding import Finding, Status
from punktfunk.errors import EnvironmentProblem, PunktfunkError

CHECK = "session"


def examine_session(name: str) -> list[Finding]:
    """Say of every part whether it could be started; nothing is started."""
    with tempfile.TemporaryDirectory(prefix="punktfunk-doctor-") as folder:
        environment = base_environment(Path(folder), os.environ)
        try:
            parts = build_parts(find_kind(name), Path(folder), environment)
            missing = missing_parts(parts, environment)
            refuse(name, parts, environment)
        except PunktfunkError as problem:
            return [_none(problem)]
    there = [part for part in parts if part not in missing]
    found = f"{name}, of its own: {', '.join(part.program for part in there)}"
    return [Finding(CHECK, Status.OK, found), *_degraded(missing)]


def _none(problem: PunktfunkError) -> Finding:
    consequence = "serve does not start." if isinstance(problem, EnvironmentProblem) else ""
    return Finding(CHECK, Status.MISSING, str(problem), consequence, problem.hint, vital=True)


def _degraded(missing: list[Part]) -> list[Finding]:
    if not missing:
        return []
    return [
        Finding(
            CHECK, Status.DEGRADED, absence(missing), "The session runs without.", how_to_install(missing)
        )
    ]
