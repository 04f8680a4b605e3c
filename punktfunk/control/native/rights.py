"""Grants and durations as people write them, and what they read of them.

    gamepad pointer keyboard clipboard microphone launch power manage     one right each, joined by commas
    full (or all), controller (gamepad only), view (nothing: watch and listen)     presets

Grants: punktfunk-1 section 2.4.
"""

import re
from typing import Final

from punktfunk.errors import ConfigError
from punktfunk.wire.native.capabilities import NO_GRANTS, Grant

NAMES: Final = {
    "gamepad": Grant.GAMEPAD,
    "pointer": Grant.POINTER,
    "keyboard": Grant.KEYBOARD,
    "clipboard": Grant.CLIPBOARD,
    "microphone": Grant.MICROPHONE,
    "launch": Grant.LAUNCH,
    "power": Grant.POWER,
    "manage": Grant.MANAGE_GAMES,
}
PRESETS: Final = {"full": Grant.ALL, "all": Grant.ALL, "controller": Grant.GAMEPAD, "view": NO_GRANTS}

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PIECE: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
LONGEST_S: Final = 10 * 366 * 86400


def parse_grants(text: str) -> Grant:
    """Read ``gamepad,keyboard`` or a preset; ConfigError, with the words that are known."""
    words = [word for word in re.split(r"[,\s]+", text.strip().lower()) if word]
    if len(words) == 1 and words[0] in PRESETS:
        return PRESETS[words[0]]
    unknown = [word for word in words if word not in NAMES]
    if unknown or not words:
        wrong = f"{unknown[0][:32]!r} is no right." if unknown else "No right is named."
        raise ConfigError(
            wrong, hint=f"Name some of {', '.join(NAMES)}, joined by commas; or full, controller or view."
        )
    granted = Grant(0)
    for word in words:
        granted |= NAMES[word]
    return granted


def describe_grants(grants: Grant) -> str:
    """Write grants as ``parse_grants`` reads them, a preset's name where one fits."""
    for preset, meaning in PRESETS.items():
        if grants == meaning:
            return preset
    return ",".join(name for name, grant in NAMES.items() if grant & grants)


def parse_duration_s(text: str) -> int:
    """Read ``90s``, ``2m``, ``1h30m`` or ``7d`` as seconds; ``never`` is 0. ConfigError for all else."""
    wanted = text.strip().lower()
    if wanted in {"never", "forever"}:
        return 0
    pieces = _PIECE.findall(wanted)
    total_s = sum(int(count) * _UNITS_S[unit] for count, unit in pieces)
    if "".join(count + unit for count, unit in pieces) != wanted or not 0 < total_s <= LONGEST_S:
        raise ConfigError(
            f"{text[:32]!r} is no duration.", hint="Write 90s, 2m, 1h30m or 7d; never means without an end."
        )
    return total_s
