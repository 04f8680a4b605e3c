"""Hosts that this user has met: the fingerprint of each is pinned, so nobody can answer in its place.

A host is its fingerprint (SHA-256 of its certificate's DER); name and address are how it was found last, and
may change. The file is ``known-hosts.json`` (mode 0600) in the client's state folder; several clients of one
user may run at once, so every change reads it anew under a lock. Source: punktfunk-1 section 2.4.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final

from punktfunk.control.store import Content, StateFile
from punktfunk.control.system.file_lock import lock_file
from punktfunk.control.trust import tidy_name
from punktfunk.errors import ConfigError
from punktfunk.paths import make_private_folder

MAXIMUM_HOSTS: Final = 256
FINGERPRINT_DIGITS: Final = 64
SHORTEST_PREFIX: Final = 4


class Trust(Enum):
    """How a host's fingerprint came to be pinned."""

    PIN = "pin"  # both sides knew a PIN: nobody was between them
    GIVEN = "given"  # the user typed the fingerprint
    FIRST_USE = "first use"  # it was whoever answered first


@dataclass(frozen=True, slots=True)
class KnownHost:
    """One host. ``last_used_s`` is seconds since 1970."""

    fingerprint: str  # 64 hex digits
    name: str
    address: str
    port: int
    trust: Trust
    last_used_s: int


class KnownHosts:
    """The hosts of one state folder. Everything here blocks for a moment; call it in a thread."""

    def __init__(self, folder: Path, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._file = StateFile(folder / "known-hosts.json", kind="known hosts")
        self._wall_clock = wall_clock

    def hosts(self) -> list[KnownHost]:
        """List all, the one used last first."""
        with self._locked():
            return self._read()

    def find(self, wanted: str) -> KnownHost | None:
        """Find a host by name, by address, by ``address:port`` or by a fingerprint's first digits.

        ConfigError when several hosts have the name or the digits; the one used last when several were met
        at an address.
        """
        hosts = self.hosts()
        named = [host for host in hosts if host.name.lower() == wanted.lower()]
        if not named and len(wanted) >= SHORTEST_PREFIX:
            named = [host for host in hosts if host.fingerprint.startswith(wanted.lower())]
        if len(named) > 1:
            listed = ", ".join(f"{host.fingerprint[:8]} at {host.address}" for host in named)
            raise ConfigError(
                f"{wanted!r} fits several hosts: {listed}.", hint="Use the fingerprint's digits."
            )
        if named:
            return named[0]
        return next((host for host in hosts if wanted in {host.address, f"{host.address}:{host.port}"}), None)

    def at(self, address: str, port: int) -> KnownHost | None:
        """Return the host that was last met at this place."""
        return next((host for host in self.hosts() if (host.address, host.port) == (address, port)), None)

    def pin(self, fingerprint: str, name: str, address: str, port: int, trust: Trust) -> KnownHost:
        """Remember a host, or note how a known one was reached. Trust never sinks below what it was.

        Whoever was known at the same place under another fingerprint gives way: the user has just trusted
        this one there.
        """
        if len(fingerprint) != FINGERPRINT_DIGITS:
            raise ValueError(f"a fingerprint has {FINGERPRINT_DIGITS} digits, not {len(fingerprint)}")
        with self._locked():
            hosts = self._read()
            known = next((host for host in hosts if host.fingerprint == fingerprint.lower()), None)
            if known is not None and trust is Trust.FIRST_USE:
                trust = known.trust
            host = KnownHost(
                fingerprint.lower(),
                tidy_name(name.strip() or address),
                address,
                port,
                trust,
                int(self._wall_clock()),
            )
            others = [
                other
                for other in hosts
                if other.fingerprint != host.fingerprint and (other.address, other.port) != (address, port)
            ]
            self._write([host, *others][:MAXIMUM_HOSTS])
        return host

    def note_used(self, host: KnownHost) -> None:
        """Remember that a session with this host began just now."""
        self.pin(host.fingerprint, host.name, host.address, host.port, host.trust)

    def forget(self, wanted: str) -> KnownHost:
        """Remove the host that ``wanted`` finds; ConfigError if there is none."""
        found = self.find(wanted)
        if found is None:
            raise ConfigError(f"No host {wanted!r} is known.", hint="punktfunk hosts lists them.")
        with self._locked():
            self._write([host for host in self._read() if host.fingerprint != found.fingerprint])
        return found

    def _read(self) -> list[KnownHost]:
        hosts = self._file.load(_interpret) or []
        return sorted(hosts, key=lambda host: -host.last_used_s)

    def _write(self, hosts: list[KnownHost]) -> None:
        self._file.save({"hosts": [{**asdict(host), "trust": host.trust.value} for host in hosts]})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_private_folder(self._folder)
        descriptor = os.open(self._folder / "known-hosts.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock_file(descriptor)
            yield
        finally:
            os.close(descriptor)


def _interpret(content: Content) -> list[KnownHost]:
    hosts = []
    for entry in content["hosts"]:
        host = KnownHost(**{**entry, "trust": Trust(entry["trust"])})
        if len(bytes.fromhex(host.fingerprint)) * 2 != FINGERPRINT_DIGITS:
            raise ValueError("a fingerprint is not 32 bytes long")
        if type(host.port) is not int or type(host.last_used_s) is not int:
            raise TypeError("a number is not whole")
        if not isinstance(host.address, str) or not isinstance(host.name, str):
            raise TypeError("name or address is no text")
        hosts.append(replace(host, fingerprint=host.fingerprint.lower(), name=tidy_name(host.name)))
    return hosts
