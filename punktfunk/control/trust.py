"""Which client certificates are paired. Identity is the SHA-256 of the certificate's DER and nothing else.

Names and dates inside a client's certificate are never looked at: all Moonlight clients share one subject
name, and some carry dates or extensions that fail ordinary verification (gamestream.md section 2.2).
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.store import Content, StateFile
from punktfunk.errors import ConfigError, EnvironmentProblem

logger = logging.getLogger(__name__)

MAXIMUM_CLIENTS: Final = 128
MAXIMUM_NAME_CHARACTERS: Final = 64
SEEN_WRITTEN_EVERY_S: Final = 3600
"""``last_seen`` reaches the disk this often at most: clients poll every three seconds."""


@dataclass(frozen=True, slots=True)
class PairedClient:
    """One paired device. Times are seconds since 1970; ``last_seen_s`` is 0 before its first request."""

    fingerprint: str  # 64 hex digits: SHA-256 of the certificate's DER
    name: str
    added_at_s: int
    last_seen_s: int = 0


def fingerprint_of(certificate_der: bytes) -> str:
    """SHA-256 of a DER certificate as 64 lower-case hex digits."""
    return hashlib.sha256(certificate_der).hexdigest()


def tidy_name(name: str) -> str:
    """Make a device name fit for a terminal and a file: printable, one line, bounded."""
    printable = "".join(character if character.isprintable() else " " for character in name[:256])
    return " ".join(printable.split())[:MAXIMUM_NAME_CHARACTERS] or "Moonlight"


class ClientBook:
    """The paired clients, in memory and on disk. Changes are written in a thread before they count."""

    def __init__(self, folder: Path, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._file = StateFile(folder / "clients.json", kind="clients")
        self._clients: dict[str, PairedClient] = self._file.load(_interpret) or {}
        self._wall_clock = wall_clock
        self._written_seen_s: dict[str, int] = {}
        self._lock = trio.Lock()

    def clients(self) -> list[PairedClient]:
        """List every paired client, oldest first."""
        return sorted(self._clients.values(), key=lambda client: client.added_at_s)

    def find(self, certificate_der: bytes | None) -> PairedClient | None:
        """Find the client that owns this certificate. Compares against every entry, in constant time."""
        if certificate_der is None:
            return None
        wanted = fingerprint_of(certificate_der)
        found = None
        for fingerprint, client in self._clients.items():
            if hmac.compare_digest(fingerprint, wanted):
                found = client
        return found

    async def add(self, certificate_der: bytes, name: str) -> PairedClient:
        """Pair a certificate. Pairing one that is known already renews its name and date."""
        fingerprint = fingerprint_of(certificate_der)
        async with self._lock:
            if fingerprint not in self._clients and len(self._clients) >= MAXIMUM_CLIENTS:
                raise ConfigError(
                    f"{MAXIMUM_CLIENTS} clients are paired already.",
                    hint="Remove one that is no longer used: punktfunk clients remove NAME.",
                )
            client = PairedClient(fingerprint, tidy_name(name), int(self._wall_clock()))
            await self._commit({**self._clients, fingerprint: client})
        return client

    async def rename(self, which: str, name: str) -> PairedClient:
        """Rename the client that ``which`` selects (see ``select``)."""
        async with self._lock:
            client = replace(self.select(which), name=tidy_name(name))
            await self._commit({**self._clients, client.fingerprint: client})
        return client

    async def remove(self, which: str) -> PairedClient:
        """Forget the client that ``which`` selects: its next request is answered with 401."""
        async with self._lock:
            client = self.select(which)
            await self._commit(
                {key: other for key, other in self._clients.items() if key != client.fingerprint}
            )
        return client

    async def note_seen(self, client: PairedClient) -> None:
        """Remember that the client asked for something just now; reaches the disk once an hour."""
        now_s = int(self._wall_clock())
        known = self._clients.get(client.fingerprint)
        if known is None or known.last_seen_s == now_s:
            return
        written_s = self._written_seen_s.get(client.fingerprint, known.last_seen_s)
        self._clients = {**self._clients, client.fingerprint: replace(known, last_seen_s=now_s)}
        if abs(now_s - written_s) >= SEEN_WRITTEN_EVERY_S:
            self._written_seen_s[client.fingerprint] = now_s
            try:
                async with self._lock:
                    await self._commit(self._clients)
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

    async def _commit(self, clients: dict[str, PairedClient]) -> None:
        content = {"clients": [asdict(client) for client in clients.values()]}
        await trio.to_thread.run_sync(self._file.save, content)
        self._clients = clients


def _interpret(content: Content) -> dict[str, PairedClient]:
    clients = {}
    for entry in content["clients"]:
        client = PairedClient(**entry)
        if len(bytes.fromhex(client.fingerprint)) != hashlib.sha256().digest_size:
            raise ValueError("a fingerprint is not 32 bytes long")
        if type(client.added_at_s) is not int or type(client.last_seen_s) is not int:
            raise TypeError("a time is not a whole number")
        clients[client.fingerprint.lower()] = replace(client, name=tidy_name(client.name))
    return clients
