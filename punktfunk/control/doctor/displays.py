"""Where the picture comes from, what kept a better source from being used, what the display settings do."""

from collections.abc import Mapping
from typing import Final

from punktfunk.config import Settings
from punktfunk.control.displays.base import Capabilities
from punktfunk.control.displays.choice import Choice
from punktfunk.control.doctor.finding import Finding, Status
from punktfunk.control.system.packages import install_command
from punktfunk.errors import PunktfunkError

PACKAGES: Final = {name: ["sway"] for name in ("debian", "fedora", "arch", "suse")}
SWAY_WITH_EXT_CAPTURE: Final = (1, 12)
WLR_BACKENDS: Final = frozenset({"attach", "sway", "wlroots", "hyprland", "hyprland-own", "session-sway"})
"""Backends whose pictures come by a Wayland protocol; those of the others come by PipeWire."""
AS_THEY_ARE: Final = frozenset({"gamescope-attached", "mirror", "portal"})
"""Backends that add no display: their pictures are scaled into the client's size."""
SECOND_CLIENT: Final[Mapping[str, str]] = {
    "own": "gets a display of its own",
    "takeover": "takes over",
    "refuse": "is refused while the first one streams",
}
SIDES: Final[Mapping[str, str]] = {
    "right": "to the right of your other displays",
    "left": "to the left of your other displays",
    "above": "above your other displays",
    "below": "below your other displays",
}


def display_findings(choice: Choice, settings: Settings, version: str) -> list[Finding]:
    """Say which backend a session would get and what it can do; ``version`` is its compositor's."""
    backend = choice.backend.name
    asked = "" if settings.display == "auto" else "asked for; "
    reason = "; ".join(choice.reasons)
    return [
        compositor_finding(backend, asked + reason),
        *(_failed(name, found, backend) for name, found in choice.failed if found.hint),
        options_finding(backend, choice.found, settings),
        capture_finding(backend, version),
    ]


def compositor_finding(backend: str, reason: str) -> Finding:
    """Say which display backend a session would get."""
    if backend != "testcard":
        return Finding("compositor", Status.OK, f"{backend}: {reason}")
    return Finding(
        "compositor",
        Status.DEGRADED,
        f"test card: {reason}",
        "Clients see a moving test card instead of a desktop.",
        f"Log into a desktop that docs/displays.md names, or: {install_command(PACKAGES)}; and run punktfunk "
        "as an ordinary user.",
    )


def no_compositor(error: PunktfunkError) -> Finding:
    """Say why the display that the settings ask for cannot be had."""
    return Finding(
        "compositor",
        Status.MISSING,
        str(error),
        "No client gets a picture.",
        error.hint or 'Set display = "auto".',
        vital=True,
    )


def _failed(name: str, found: Capabilities, used: str) -> Finding:
    """Word what a better source lacks."""
    return Finding(
        f"display {name}",
        Status.DEGRADED,
        found.reason,
        f"Clients get {'the test card' if used == 'testcard' else used} instead.",
        found.hint,
    )


def options_finding(backend: str, found: Capabilities, settings: Settings) -> Finding:
    """Say what the display settings come to with this backend."""
    wanted, side = settings.display_arrangement, SIDES[settings.display_position]
    told = [
        "exclusive: your other displays are off meanwhile" if wanted == "exclusive" else f"{wanted}, {side}",
        f"scale {settings.display_scale:g}",
        f"at most {settings.display_limit} at once",
        f"a second client {SECOND_CLIENT[settings.second_client]}",
    ]
    if backend in AS_THEY_ARE:
        told[:2] = ["shown as it is, scaled into the client's size"]
    if found.refresh_most_millihertz:
        told.append(f"up to {found.refresh_most_millihertz / 1000:g} Hz")
    if wanted in found.arrangements:
        return Finding("displays", Status.OK, ", ".join(told))
    return Finding(
        "displays",
        Status.DEGRADED,
        f"{backend} cannot do display_arrangement = {wanted!r}",
        f"A client's display is arranged as {' or '.join(found.arrangements)}.",
        f'Set display_arrangement = "{found.arrangements[0]}".',
    )


def capture_finding(backend: str, version: str) -> Finding:
    """Say how frames leave the compositor."""
    if backend == "testcard":
        return Finding("capture", Status.OK, "none needed: punktfunk draws the test card itself")
    if backend == "mirror":
        return Finding("capture", Status.OK, "wlr-screencopy, or a PipeWire video node of GNOME or KWin")
    if backend not in WLR_BACKENDS:
        return Finding("capture", Status.OK, f"PipeWire video node of {backend}")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    name = "sway" if backend in ("attach", "sway", "session-sway") else backend
    if name == "sway" and numbers >= SWAY_WITH_EXT_CAPTURE:
        return Finding("capture", Status.OK, f"ext-image-copy-capture-v1 (sway {version}), shared memory")
    return Finding(
        "capture", Status.OK, f"wlr-screencopy ({name} {version or 'of unknown version'}), shared memory"
    )
