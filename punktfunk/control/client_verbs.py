"""The owner's words about paired clients, for the admin socket: who they are, what they may, until when."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from punktfunk.control.native.rights import describe_grants, parse_duration_s, parse_grants
from punktfunk.control.trust import ClientBook, PairedClient

Result = dict[str, Any]
Verb = Callable[[Mapping[str, str]], Awaitable[Result]]


class ClientVerbs:
    """Answers the verbs about the book. ``removed`` ends the GameStream session of a client just unpaired."""

    def __init__(self, book: ClientBook, removed: Callable[[PairedClient], Awaitable[None]]) -> None:
        self._book = book
        self._removed = removed

    def verbs(self) -> dict[str, Verb]:
        """Give every verb with what answers it."""
        return {
            "clients.list": self._list,
            "clients.rename": self._rename,
            "clients.remove": self._remove,
            "clients.grant": self._grant,
            "clients.expire": self._expire,
        }

    async def _list(self, _request: Mapping[str, str]) -> Result:
        now_s = self._book.wall_clock()
        return {"clients": [describe_client(client, now_s) for client in self._book.clients()]}

    async def _rename(self, request: Mapping[str, str]) -> Result:
        return _brief(await self._book.rename(request.get("client", ""), request.get("name", "")))

    async def _remove(self, request: Mapping[str, str]) -> Result:
        client = await self._book.remove(request.get("client", ""))
        await self._removed(client)
        return _brief(client)

    async def _grant(self, request: Mapping[str, str]) -> Result:
        client = await self._book.set_rights(
            request.get("client", ""),
            grants=parse_grants(request.get("grants", "")),
            expires_at_s=self._end_s(request),
        )
        return describe_client(client, self._book.wall_clock())

    async def _expire(self, request: Mapping[str, str]) -> Result:
        client = await self._book.set_rights(request.get("client", ""), expires_at_s=self._end_s(request))
        return describe_client(client, self._book.wall_clock())

    def _end_s(self, request: Mapping[str, str]) -> int | None:
        """Read ``for``; None where it is not there."""
        if "for" not in request:
            return None
        duration_s = parse_duration_s(request["for"])
        return int(self._book.wall_clock()) + duration_s if duration_s else 0


def describe_client(client: PairedClient, now_s: float) -> Result:
    """Write a client in values that JSON knows; times as ISO 8601 in UTC, empty for never."""
    return {
        "name": client.name,
        "fingerprint": client.fingerprint,
        "added_at": readable(client.added_at_s),
        "last_seen": readable(client.last_seen_s),
        "kinds": sorted(client.kinds),
        "grants": describe_grants(client.grants),
        "expires_at": readable(client.expires_at_s),
        "expired": client.expired(now_s),
    }


def readable(time_s: int) -> str:
    """Write a time as ISO 8601 in UTC; nothing for 0, which means never."""
    return dt.datetime.fromtimestamp(time_s, dt.UTC).isoformat() if time_s > 0 else ""


def _brief(client: PairedClient) -> Result:
    return {"name": client.name, "fingerprint": client.fingerprint}
