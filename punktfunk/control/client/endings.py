"""Why a session did not begin or did not go on, as a sentence with something to do.

The host says it by a close code and, with some codes, a text of its own (punktfunk-1 sections 2.4 and 2.17).
Codes 0, 1 and unknown ones say nothing by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from punktfunk.errors import PunktfunkError
from punktfunk.log import printable
from punktfunk.wire.native.capabilities import CloseCode

MAXIMUM_TEXT_CHARACTERS: Final = 256
"""Longest text of the host that is shown; the protocol allows it 256 bytes."""


class ConnectionEnded(PunktfunkError):
    """A host refused us, left, or cannot be reached. ``code`` is its close code, None when there was none.

    ``again`` says that the same dial may succeed in a moment: the network failed, not the host.
    """

    def __init__(self, message: str, *, hint: str = "", code: int | None = None, again: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.again = again


@dataclass(frozen=True, slots=True)
class _Ending:
    says: str
    hint: str
    again: bool = False


_ENDINGS: Final[Mapping[int, _Ending]] = {
    CloseCode.BUSY: _Ending(
        "{host} is busy with another session",
        "Wait until it has ended, or end it at the host: punktfunk status names it.",
    ),
    CloseCode.QUIT: _Ending("the session was quit", "Connect again to start a new one."),
    CloseCode.APP_EXITED: _Ending("the game on {host} has ended", "Connect again to start another one."),
    CloseCode.NOT_ARMED: _Ending(
        "{host} does not expect a pairing",
        "On the host run: punktfunk pair --native; then use the PIN that it prints within two minutes.",
    ),
    CloseCode.BOUND_TO_OTHER: _Ending(
        "the PIN of {host} is meant for another device",
        "On the host run punktfunk pair --native once more, for this device.",
    ),
    CloseCode.RATE_LIMITED: _Ending(
        "{host} accepts one pairing in two seconds", "Wait a moment and try again."
    ),
    CloseCode.NO_IDENTITY: _Ending(
        "{host} wants a client certificate, and none was sent",
        "Let punktfunk make a new one: remove client-identity.json from its state folder, then pair.",
    ),
    CloseCode.DENIED: _Ending(
        "somebody at {host} denied this device", "Ask them to approve it: punktfunk clients approve NAME."
    ),
    CloseCode.APPROVAL_TIMEOUT: _Ending(
        "nobody at {host} approved this device in time",
        "On the host run punktfunk clients pending and approve it; or pair with a PIN.",
    ),
    CloseCode.SUPERSEDED: _Ending(
        "a newer connection took the place of this one",
        "One punktfunk connect of a device can stream or wait at a time; and some hosts show one client at a "
        "time, the newest.",
    ),
    CloseCode.WIRE_VERSION: _Ending(
        "{host} speaks another version of the protocol", "Update punktfunk on the older of both machines."
    ),
    CloseCode.SETUP_FAILED: _Ending(
        "{host} could not set the session up",
        "punktfunk doctor, run on the host, says what is missing there.",
    ),
    CloseCode.ACCESS_EXPIRED: _Ending(
        "this device may no longer use {host}: its access expired or it was removed",
        "Ask for access at the host (punktfunk clients grant), or pair again: punktfunk connect --pin PIN.",
    ),
    CloseCode.LAUNCH_NOT_ALLOWED: _Ending(
        "this device may not start programs on {host}",
        "Connect without --launch, or grant it at the host: punktfunk clients grant NAME launch.",
    ),
    CloseCode.POWER_ACTION: _Ending("{host} is being shut down, restarted or put to sleep", "Connect later."),
}


def explain(host: str, code: int | None, text: str = "", *, timed_out: bool = False) -> ConnectionEnded:
    """Turn a close into an error; ``text`` is what the peer wrote, as it came."""
    said = printable(text[:MAXIMUM_TEXT_CHARACTERS]).strip()
    if timed_out:
        return ConnectionEnded(
            f"the connection to {host} was lost",
            hint="Look at the network between both machines.",
            again=True,
        )
    ending = _ENDINGS.get(code) if code is not None else None
    if ending is None:
        return ConnectionEnded(
            f"{host} closed the connection" + (f": {said}" if said else ""),
            hint="The host's log says why.",
            code=code,
            again=not code,
        )
    message = ending.says.format(host=host)
    return ConnectionEnded(
        f"{message}: {said}" if said else message, hint=ending.hint, code=code, again=ending.again
    )


def unreachable(host: str, address: str, port: int, waited_s: float) -> ConnectionEnded:
    """Say that nothing answered."""
    return ConnectionEnded(
        f"{host} does not answer: UDP port {port} of {address} was silent for {waited_s:.0f} s",
        hint="Is punktfunk serve running there, with native = true, and does its firewall let UDP in? "
        "punktfunk doctor, run on the host, knows.",
        again=True,
    )


def wrong_fingerprint(host: str, expected: str, seen: str | None) -> ConnectionEnded:
    """Say that another key answered than the one that is pinned."""
    return ConnectionEnded(
        f"{host} shows the fingerprint {shorten(seen)}, but {shorten(expected)} is pinned: "
        "this may be another machine",
        hint="If the host was set up anew: punktfunk hosts forget NAME, then pair again. "
        "Otherwise somebody may be answering in its place.",
    )


def shorten(fingerprint: str | None) -> str:
    """First sixteen digits, in groups: enough for people to compare."""
    if not fingerprint:
        return "none"
    return " ".join(fingerprint[at : at + 4] for at in range(0, 16, 4))
