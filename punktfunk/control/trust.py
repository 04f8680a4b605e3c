"""Which client certificates are paired, for which protocols, with which rights and until when.

Identity is the SHA-256 of the certificate's DER and nothing else. Names and dates inside a client's
certificate are never looked at: all Moonlight clients share one subject name, and some carry dates or
extensions that fail ordinary verification (gamestream.md section 2.2). One list serves GameStream and
punktfunk/1: what a device may do is the owner's word, whatever it speaks (punktfunk-1 section 2.4).
"""

import hashlib
import hmac
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.store import Content, StateFile
from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.wire.native.capabilities import Grant

logger = logging.getLogger(__name__)

MAXIMUM_CLIENTS: Final = 128
MAXIMUM_NAME_CHARACTERS: Final = 64
SEEN_WRITTEN_EVERY_S: Final = 3600
"""``last_seen`` reaches the disk this often at most: clients poll every three seconds."""
LONGEST_NAP_S: Final = 15.0
"""Whoever waits for the end of a client's time looks at the wall clock this often: somebody may set it."""


class ClientKind(StrEnum):
    """What a client speaks. Pairing for one protocol opens no door of the other."""

    GAMESTREAM = "gamestream"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class PairedClient:
    """One paired device. Times are seconds since 1970; ``last_seen_s`` is 0 before its first request."""

    fingerprint: str  # 64 hex digits: SHA-256 of the certificate's DER
    name: str
    added_at_s: int
    last_seen_s: int = 0
    kinds: frozenset[ClientKind] = frozenset({ClientKind.GAMESTREAM})
    grants: Grant = Grant.ALL
    expires_at_s: int = 0  # 0: never

    def expired(self, now_s: float) -> bool:
        """Tell whether its time is over."""
        return 0 < self.expires_at_s <= now_s


def fingerprint_of(certificate_der: bytes) -> str:
    """SHA-256 of a DER certificate as 64 lower-case hex digits."""
    return hashlib.sha256(certificate_der).hexdigest()


def tidy_name(name: str, otherwise: str = "Moonlight") -> str:
    """Make a device name fit for a terminal and a file: printable, one line, bounded.

    What turns the direction of writing is not printable either: no name can pose as another's.
    """
    printable = "".join(character if character.isprintable() else " " for character in name[:256])
    return " ".join(printable.split())[:MAXIMUM_NAME_CHARACTERS] or otherwise


class ClientBook:
    """The paired clients, in memory and on disk. Changes are written in a thread before they count."""

    def __init__(self, folder: Path, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._file = StateFile(
            folder / "clients.json", kind="clients", format_number=2, migrations={1: _add_rights}
        )
        self._clients: dict[str, PairedClient] = self._file.load(_interpret) or {}
        self.wall_clock = wall_clock
        self.changed = trio.Event()
        """Set, and replaced by another, after the next change of any client but of its ``last_seen_s``."""
        self._written_seen_s: dict[str, int] = {}
        self._lock = trio.Lock()

    def clients(self) -> list[PairedClient]:
        """List every paired client, oldest first."""
        return sorted(self._clients.values(), key=lambda client: client.added_at_s)

    def find(
        self, certificate_der: bytes | None, kind: ClientKind = ClientKind.GAMESTREAM
    ) -> PairedClient | None:
        """Find the client that owns this certificate, speaks this protocol and has not expired.

        Compares against every entry, in constant time.
        """
        if certificate_der is None:
            return None
        wanted = fingerprint_of(certificate_der)
        found = None
        for fingerprint, client in self._clients.items():
            if hmac.compare_digest(fingerprint, wanted):
                found = client
        if found is None or kind not in found.kinds or found.expired(self.wall_clock()):
            return None
        return found

    def admitted(self, fingerprint: str, kind: ClientKind) -> PairedClient | None:
        """Find a device that TLS has authenticated, as ``find`` does."""
        client = self.known(fingerprint)
        if client is None or kind not in client.kinds or client.expired(self.wall_clock()):
            return None
        return client

    def known(self, fingerprint: str) -> PairedClient | None:
        """Look up a device that TLS has authenticated, whatever it speaks, expired or not."""
        return self._clients.get(fingerprint)

    async def add(self, certificate_der: bytes, name: str) -> PairedClient:
        """Pair a GameStream certificate. Pairing one that is known already renews its name and date.

        What the owner decided about a known device stays: its grants, and the end of its time unless that
        has come, as otherwise the fresh pairing would be worth nothing.
        """
        return await self._add(fingerprint_of(certificate_der), name, ClientKind.GAMESTREAM, None, 0)

    async def add_native(
        self, fingerprint: str, name: str, *, grants: Grant = Grant.ALL, expires_at_s: int = 0
    ) -> PairedClient:
        """Pair a punktfunk/1 certificate; what the owner grants now replaces what was granted before."""
        return await self._add(fingerprint, name, ClientKind.NATIVE, grants, expires_at_s)

    async def set_rights(
        self, which: str, *, grants: Grant | None = None, expires_at_s: int | None = None
    ) -> PairedClient:
        """Change what the client ``which`` may do, or until when (0: for ever); None leaves it as it is."""
        async with self._lock:
            client = self.select(which)
            client = replace(
                client,
                grants=client.grants if grants is None else grants,
                expires_at_s=client.expires_at_s if expires_at_s is None else expires_at_s,
            )
            await self._commit({**self._clients, client.fingerprint: client})
        return client

    async def rename(self, which: str, name: str) -> PairedClient:
        """Rename the client that ``which`` selects (see ``select``)."""
        async with self._lock:
            client = self.select(which)
            client = replace(client, name=tidy_name(name, otherwise=client.name))
            await self._commit({**self._clients, client.fingerprint: client})
        return client

    async def remove(self, which: str) -> PairedClient:
        """Forget the client that ``which`` selects: whatever it asks next, it is a stranger."""
        async with self._lock:
            client = self.select(which)
            await self._commit(
                {key: other for key, other in self._clients.items() if key != client.fingerprint}
            )
        return client

    async def note_seen(self, client: PairedClient) -> None:
        """Remember that the client asked for something just now; reaches the disk once an hour."""
        now_s = int(self.wall_clock())
        known = self._clients.get(client.fingerprint)
        if known is None or known.last_seen_s == now_s:
            return
        written_s = self._written_seen_s.get(client.fingerprint, known.last_seen_s)
        self._clients = {**self._clients, client.fingerprint: replace(known, last_seen_s=now_s)}
        if abs(now_s - written_s) >= SEEN_WRITTEN_EVERY_S:
            self._written_seen_s[client.fingerprint] = now_s
            try:
                async with self._lock:
                    await trio.to_thread.run_sync(self._file.save, _content(self._clients))
            except EnvironmentProblem as problem:  # a full disk must not keep a paired client out
                logger.warning("last_seen not written reason=%s", problem)
        else:
            self._written_seen_s.setdefault(client.fingerprint, written_s)

    def select(self, which: str) -> PairedClient:
        """Find one client by exact name or by at least four leading digits of its fingerprint."""
        wanted = which.strip()
        matches = [client for client in self._clients.values() if client.name == wanted]
        if not matches and len(wanted) >= 4:
            matches = [key for key in self._clients.values() if key.fingerprint.startswith(wanted.lower())]
        if len(matches) == 1:
            return matches[0]
        if matches:
            listed = ", ".join(f"{client.fingerprint[:8]} ({client.name})" for client in matches)
            raise ConfigError(
                f"{which!r} fits several clients: {listed}.", hint="Use the fingerprint's digits."
            )
        raise ConfigError(
            f"No paired client is called {which!r}.", hint="punktfunk clients list shows them all."
        )

    async def _add(
        self, fingerprint: str, name: str, kind: ClientKind, grants: Grant | None, expires_at_s: int
    ) -> PairedClient:
        async with self._lock:
            known = self._clients.get(fingerprint)
            if known is None and len(self._clients) >= MAXIMUM_CLIENTS:
                raise ConfigError(
                    f"{MAXIMUM_CLIENTS} clients are paired already.",
                    hint="Remove one that is no longer used: punktfunk clients remove NAME.",
                )
            now_s = int(self.wall_clock())
            client = PairedClient(
                fingerprint,
                tidy_name(name),
                now_s,
                kinds=frozenset({kind}),
                grants=Grant.ALL if grants is None else grants,
                expires_at_s=expires_at_s,
            )
            if known is not None:
                client = replace(client, kinds=known.kinds | client.kinds)
                if grants is None:
                    end_s = 0 if known.expired(now_s) else known.expires_at_s
                    client = replace(client, grants=known.grants, expires_at_s=end_s)
            await self._commit({**self._clients, fingerprint: client})
        return client

    async def _commit(self, clients: dict[str, PairedClient]) -> None:
        await trio.to_thread.run_sync(self._file.save, _content(clients))
        self._clients = clients
        told, self.changed = self.changed, trio.Event()
        told.set()


async def end_expired(book: ClientBook, ended: Callable[[PairedClient], Awaitable[None]]) -> None:
    """Call ``ended`` for every client at the end of its time; runs until cancelled."""
    told: set[str] = set()
    while True:
        changed, now_s, clients = book.changed, book.wall_clock(), book.clients()
        over = [client for client in clients if client.expired(now_s)]
        for client in over:
            if client.fingerprint not in told:
                await ended(client)
        told = {client.fingerprint for client in over}
        left_s = [client.expires_at_s - now_s for client in clients if client.expires_at_s > now_s]
        with trio.move_on_after(min([*left_s, LONGEST_NAP_S]) if left_s else math.inf):
            await changed.wait()


def _content(clients: dict[str, PairedClient]) -> Content:
    return {
        "clients": [
            {
                "fingerprint": client.fingerprint,
                "name": client.name,
                "added_at_s": client.added_at_s,
                "last_seen_s": client.last_seen_s,
                "kinds": sorted(client.kinds),
                "grants": int(client.grants),
                "expires_at_s": client.expires_at_s,
            }
            for client in clients.values()
        ]
    }


def _add_rights(content: Content) -> Content:
    """Format 1 knew GameStream clients only, which could do everything for ever."""
    rights = {"kinds": [ClientKind.GAMESTREAM], "grants": int(Grant.ALL), "expires_at_s": 0}
    return {**content, "clients": [{**entry, **rights} for entry in content["clients"]]}


def _interpret(content: Content) -> dict[str, PairedClient]:
    clients = {}
    for entry in content["clients"]:
        client = PairedClient(**entry)
        if len(bytes.fromhex(client.fingerprint)) != hashlib.sha256().digest_size:
            raise ValueError("a fingerprint is not 32 bytes long")
        numbers = client.added_at_s, client.last_seen_s, client.grants, client.expires_at_s
        if any(type(number) is not int for number in numbers):
            raise TypeError("a time or the grants are not a whole number")
        fingerprint = client.fingerprint.lower()
        clients[fingerprint] = replace(
            client,
            fingerprint=fingerprint,
            name=tidy_name(client.name),
            kinds=frozenset(map(ClientKind, client.kinds)),
            grants=Grant(client.grants & Grant.ALL),
        )
    return clients
