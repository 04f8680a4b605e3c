"""The owner's words to the front door of punktfunk/1, for the admin socket: show a PIN, decide who waits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import trio

from punktfunk.control.client_verbs import describe_client
from punktfunk.control.native.approval import ApprovalDesk
from punktfunk.control.native.arming import WINDOW_S, Arm, ArmingDesk
from punktfunk.control.native.rights import describe_grants, parse_duration_s, parse_grants
from punktfunk.control.trust import ClientBook
from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.wire.native.capabilities import Grant

Result = dict[str, Any]
Verb = Callable[[Mapping[str, str]], Awaitable[Result]]

NAMES: Final = ("pair.native", "pair.native.wait", "clients.pending", "clients.approve", "clients.deny")


class NativeVerbs:
    """Answers ``pair.native`` and ``pair.native.wait``, ``clients.pending``, ``.approve`` and ``.deny``."""

    def __init__(self, book: ClientBook, arming: ArmingDesk, approval: ApprovalDesk) -> None:
        self._book = book
        self._arming = arming
        self._approval = approval
        self._arm: Arm | None = None

    def verbs(self) -> dict[str, Verb]:
        """Give every verb with what answers it."""
        answers = self._pair, self._wait, self._pending, self._approve, self._deny
        return dict(zip(NAMES, answers, strict=True))

    async def _pair(self, request: Mapping[str, str]) -> Result:
        await trio.lowlevel.checkpoint()
        window_s = parse_duration_s(request.get("for", f"{WINDOW_S}s"))
        self._arm = self._arming.arm(
            window_s=window_s,
            fingerprint=self._device(request.get("device", "")),
            grants=_grants(request),
            access_s=_access_s(request),
        )
        return {
            "pin": self._arm.pin,
            "seconds": window_s,
            "device": self._arm.fingerprint,
            "grants": describe_grants(self._arm.grants),
        }

    async def _wait(self, _request: Mapping[str, str]) -> Result:
        """Wait for what becomes of the PIN shown last."""
        arm = self._arm
        if arm is None:
            raise ConfigError("No PIN was shown yet.", hint="punktfunk pair --native shows one.")
        await self._arming.wait_ended(arm)
        if not arm.paired:
            raise EnvironmentProblem(
                f"pairing failed: {arm.outcome}", hint="`punktfunk pair --native` shows a new PIN."
            )
        return {"name": arm.outcome}

    async def _pending(self, _request: Mapping[str, str]) -> Result:
        await trio.lowlevel.checkpoint()
        now_s = trio.current_time()
        return {
            "clients": [
                {
                    "number": entry.number,
                    "name": entry.name,
                    "address": entry.address,
                    "fingerprint": entry.fingerprint,
                    "seconds": round(now_s - entry.knocked_s),
                    "state": entry.state,
                }
                for entry in self._approval.pending()
            ]
        }

    async def _approve(self, request: Mapping[str, str]) -> Result:
        client = await self._approval.approve(
            request.get("client", ""),
            name=request.get("name", ""),
            grants=_grants(request),
            access_s=_access_s(request),
        )
        return describe_client(client, self._book.wall_clock())

    async def _deny(self, request: Mapping[str, str]) -> Result:
        await trio.lowlevel.checkpoint()
        entry = self._approval.deny(request.get("client", ""))
        return {"name": entry.name, "fingerprint": entry.fingerprint}

    def _device(self, which: str) -> str:
        """Turn the first digits of a device that has knocked into its fingerprint."""
        for entry in self._approval.pending():
            if len(which) >= 4 and entry.fingerprint.startswith(which.lower()):
                return entry.fingerprint
        return which


def switched_off() -> dict[str, Verb]:
    """Give the same verbs for a host that does not serve punktfunk/1."""

    async def refuse(_request: Mapping[str, str]) -> Result:
        await trio.lowlevel.checkpoint()
        raise ConfigError("punktfunk/1 is switched off here.", hint="Set native = true and restart the host.")

    return dict.fromkeys(NAMES, refuse)


def _grants(request: Mapping[str, str]) -> Grant:
    return parse_grants(request["grants"]) if "grants" in request else Grant.ALL


def _access_s(request: Mapping[str, str]) -> int:
    return parse_duration_s(request["expires"]) if "expires" in request else 0
