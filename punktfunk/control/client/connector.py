"""Which host is meant, and sessions with it: the pin it must have, and what is remembered of it."""

import ipaddress
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.client.dial import Target
from punktfunk.control.client.discovery import FoundHost
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.known_hosts import FINGERPRINT_DIGITS, KnownHosts, Trust
from punktfunk.control.client.opening import open_session
from punktfunk.control.client.options import SessionOptions
from punktfunk.control.client.session import ClientSession
from punktfunk.control.native.identity import NativeIdentity
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.wire.native.capabilities import DEFAULT_PORT

if TYPE_CHECKING:
    from punktfunk.control.flight import ClientFlight

Look = Callable[[], list[FoundHost]]
Report = Callable[[str], None]
_BRACKETED: Final = re.compile(r"\[(?P<host>[^\]]+)\](?::(?P<port>\d{1,5}))?")


def parse_place(text: str) -> tuple[str, int]:
    """Read ``address``, ``address:port``, ``name`` or ``[IPv6]:port``; Misuse if it is none of these."""
    if found := _BRACKETED.fullmatch(text):
        host, port = found["host"], found["port"]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, None
    number = int(port) if port and port.isascii() and port.isdigit() else DEFAULT_PORT
    if not host or (port is not None and not port.isdigit()) or not 0 < number < 1 << 16:
        raise Misuse(f"{text!r} is no host", hint="Give a name, an address, ADDRESS:PORT or [IPv6]:PORT.")
    return host, number


def check_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 lower-case digits; Misuse if it is none."""
    digits = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", digits):
        raise Misuse(
            f"a fingerprint has {FINGERPRINT_DIGITS} hex digits, not {len(digits)}",
            hint="punktfunk serve prints it at its start.",
        )
    return digits


def choose(host: str | None, known: KnownHosts, look: Look) -> Target:
    """Find out where to dial and which pin to insist on. ``look`` listens for announcements; it blocks."""
    if host is None:
        return _choose_any(known, look)
    met = known.find(host)
    if met is not None:
        return Target(met.address, met.port, met.name, met.fingerprint)
    address, port = parse_place(host)
    if not _is_address(address) and "." not in address:
        for found in look():
            if found.name.lower() == address.lower():
                return _target_of(found, known)
    pinned = known.at(address, port)
    return Target(address, port, host, pinned.fingerprint if pinned else None)


def find_again(target: Target, look: Look) -> Target | None:
    """Look for a pinned host that no longer answers where it was; None if nobody announces itself as it."""
    try:
        found = [host for host in look() if host.fingerprint == target.fingerprint]
    except EnvironmentProblem:
        return None
    moved = [host for host in found if (host.address, host.port) != (target.address, target.port)]
    return replace(target, address=moved[0].address, port=moved[0].port) if moved else None


def _choose_any(known: KnownHosts, look: Look) -> Target:
    found = look()
    if len(found) == 1:
        return _target_of(found[0], known)
    if found:
        listed = "; ".join(f"{host.name} at {host.address}" for host in found)
        raise Misuse(f"several hosts are here: {listed}", hint="Name one: punktfunk connect NAME.")
    met = known.hosts()
    if len(met) == 1:
        return Target(met[0].address, met[0].port, met[0].name, met[0].fingerprint)
    raise EnvironmentProblem(
        "no host announces itself on this network",
        hint="Name one: punktfunk connect ADDRESS. On the host, punktfunk serve must run, and its firewall "
        "let mDNS (UDP 5353) and UDP 9777 in.",
    )


def _target_of(found: FoundHost, known: KnownHosts) -> Target:
    """Dial where an announcement says. It proves nothing: it picks among our pins, and never makes one."""
    met: Sequence[str] = [host.fingerprint for host in known.hosts()]
    if found.fingerprint in met:
        return Target(found.address, found.port, found.name, found.fingerprint)
    pinned = known.at(found.address, found.port)
    return Target(found.address, found.port, found.name, pinned.fingerprint if pinned else None)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


class Connector:
    """Makes sessions with one host. Who answered the first dial must answer every other."""

    def __init__(
        self,
        target: Target,
        identity: NativeIdentity,
        options: SessionOptions,
        known: KnownHosts,
        report: Report,
        look: Look | None = None,
    ) -> None:
        self.target = target
        self.identity = identity
        self.options = options
        self._known = known
        self._listeners = [report]
        self._look = look
        self.flight: ClientFlight | None = None
        """What became of each frame of the last session; ``punktfunk why-late`` reads it."""

    def also_tell(self, report: Report) -> None:
        """Add somebody who hears the lines for people."""
        self._listeners.append(report)

    def _report(self, text: str) -> None:
        for report in self._listeners:
            report(text)

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[ClientSession]:
        """Open a session; ConnectionEnded says why there is none."""
        async with AsyncExitStack() as stack:
            try:
                session = await stack.enter_async_context(self._open())
            except ConnectionEnded as problem:
                if not problem.again or not await self._follow():
                    raise
                session = await stack.enter_async_context(self._open())
            await self._remember(session)
            self.flight = session.frames.flight
            yield session
            self.options = replace(self.options, mode=session.mode)

    def _open(self) -> AbstractAsyncContextManager[ClientSession]:
        return open_session(self.target, self.identity, self.options, self._report)

    async def _follow(self) -> bool:
        """Look once whether a pinned host that does not answer has moved."""
        if self._look is None or self.target.fingerprint is None:
            return False
        look, self._look = self._look, None
        moved = await trio.to_thread.run_sync(find_again, self.target, look)
        if moved is None:
            return False
        self._report(f"{moved.name} is at {moved.address} now")
        self.target = moved
        return True

    async def _remember(self, session: ClientSession) -> None:
        fingerprint = session.connection.peer_fingerprint
        if fingerprint is None:
            raise ConnectionEnded(f"{self.target.name} has no certificate", hint="Update its punktfunk.")
        first = self.target.fingerprint is None
        if first:
            self._report(f"first time with {self.target.name}: its fingerprint is {fingerprint}, pinned now")
        self.target = replace(self.target, fingerprint=fingerprint)
        target = self.target
        await trio.to_thread.run_sync(
            self._known.pin, fingerprint, target.name, target.address, target.port, Trust.FIRST_USE
        )
