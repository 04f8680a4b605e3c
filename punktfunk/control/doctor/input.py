"""How keys reach the desktop, and which gamepads can be made."""

from punktfunk.control.doctor.finding import Finding, Status
from punktfunk.control.input.eis.sender import import_libei
from punktfunk.control.pads.access import REMEDY, UHID, UINPUT, Access, examine_node
from punktfunk.errors import EnvironmentProblem

_WLR = "wlr's virtual pointer and keyboard"
_FIRST = {
    **dict.fromkeys(("gnome", "gamescope", "gamescope-attached", "portal"), ("eis", "")),
    "kwin": ("compositor", "KWin's fake input"),
    **dict.fromkeys(("attach", "sway", "sway-attached", "session-sway", "wlroots"), ("compositor", _WLR)),
    **dict.fromkeys(("hyprland", "hyprland-own"), ("compositor", _WLR)),
}
"""By backend: kind and name of its first way; no name is EIS. Others have what their desktop gives."""


def input_finding(backend: str, setting: str, uinput: Access | None = None) -> Finding:
    """Say which way input takes into a display of this backend; each session says which one it got."""
    uinput = uinput or examine_node(UINPUT)
    if backend == "testcard":
        return Finding("input", Status.OK, "none needed: the test card takes none")
    kind, first = _FIRST.get(backend, (setting, "what the desktop gives"))
    first = first or eis_title(backend)
    order = [title for title, of in ((first, kind), ("uinput", "uinput")) if setting in ("auto", of)]
    if setting == "uinput":
        order = ["uinput"]
    if not order:
        return Finding(
            "input",
            Status.MISSING,
            f"{backend} has no {setting}",
            "No session starts.",
            'Set input = "auto".',
        )
    if order == ["uinput"] and not uinput.usable:
        return Finding("input", Status.MISSING, uinput.problem, "No session starts.", REMEDY)
    spare = "" if uinput.usable or "uinput" not in order else f"; {uinput.problem}"
    return Finding("input", Status.OK, f"by {', else by '.join(order)} (input = {setting}){spare}")


def eis_title(backend: str) -> str:
    """Say what stands for EIS where libei is missing: GNOME has calls of its own, the others have not."""
    try:
        import_libei()
    except EnvironmentProblem as problem:
        return f"GNOME's own calls ({problem})" if backend == "gnome" else f"EIS, but {problem}"
    return "EIS"


def pads_finding(setting: str, uinput: Access | None = None, uhid: Access | None = None) -> Finding:
    """Say which gamepads can be made here."""
    if setting == "off":
        return Finding("gamepads", Status.OK, "not wanted (pads = off)")
    uinput, uhid = uinput or examine_node(UINPUT), uhid or examine_node(UHID)
    problems = "; ".join(access.problem for access in (uinput, uhid) if not access.usable)
    if not problems:
        return Finding(
            "gamepads", Status.OK, f"Xbox by uinput, PlayStation and Switch by uhid (pads = {setting})"
        )
    if uinput.usable or uhid.usable:
        instead = "an Xbox 360 pad" if uinput.usable else "a DualSense"
        return Finding("gamepads", Status.DEGRADED, problems, f"Every pad becomes {instead}.", REMEDY)
    return Finding(
        "gamepads", Status.DEGRADED, problems, "Games see no gamepad; the rest streams on.", REMEDY
    )
