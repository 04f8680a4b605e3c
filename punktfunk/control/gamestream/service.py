"""The GameStream host behind its HTTP verbs: ``http.HostView``, made of sessions, apps and ports."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

import trio

from punktfunk.control.apps import Catalogue
from punktfunk.control.gamestream.box_art import read_image
from punktfunk.control.gamestream.http import Refusal
from punktfunk.control.gamestream.sessions import LaunchRefused, Sessions
from punktfunk.control.gamestream.stream import Peer
from punktfunk.control.native.access import Access
from punktfunk.control.readiness import Readiness
from punktfunk.control.trust import ClientBook, ClientKind, PairedClient
from punktfunk.wire.gamestream.applist import AppEntry
from punktfunk.wire.gamestream.launch import LaunchRequest
from punktfunk.wire.gamestream.serverinfo import NO_MAC, CodecMode, ServerInfo
from punktfunk.wire.native.capabilities import Grant

READY_WAIT_S = 15
"""A launch during start-up waits this long: a warm start is through by then, a cold one is not."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What /serverinfo says that does not change while the host runs."""

    name: str
    unique_id: str
    http_port: int
    https_port: int
    rtsp_port: int


class GameStreamService:
    """Implements ``http.HostView``."""

    def __init__(
        self, facts: HostFacts, catalogue: Catalogue, readiness: Readiness, book: ClientBook | None = None
    ) -> None:
        self._facts = facts
        self._book = book
        self._catalogue = catalogue
        self._readiness = readiness
        self.sessions: Sessions | None = None
        self.codec_modes = CodecMode.H264

    def server_info(self, local_address: str, *, client: PairedClient | None) -> ServerInfo:
        """Describe the host to one client; None is somebody unknown."""
        sessions = self.sessions
        return ServerInfo(
            hostname=self._facts.name,
            unique_id=self._facts.unique_id,
            http_port=self._facts.http_port,
            https_port=self._facts.https_port,
            local_address=local_address,
            codec_modes=self.codec_modes,
            paired=client is not None,
            mac=mac_address(local_address) if client is not None else NO_MAC,
            current_app_id=sessions.app_id_for(client.fingerprint if client else None) if sessions else 0,
        )

    def apps(self) -> Sequence[AppEntry]:
        """List the apps."""
        return self._catalogue.entries()

    async def box_art(self, app_id: int) -> bytes:
        """Return an app's picture as PNG, or the placeholder."""
        app = self._catalogue.find(app_id)
        return await trio.to_thread.run_sync(read_image, app.spec.image if app is not None else None)

    async def launch(
        self, client: PairedClient, request: LaunchRequest, local_address: str, remote_address: str
    ) -> str:
        """Start an app and return the RTSP URL of its stream."""
        return await self._begin("launch", client, request, local_address, remote_address)

    async def resume(
        self, client: PairedClient, request: LaunchRequest, local_address: str, remote_address: str
    ) -> str:
        """Return the RTSP URL of a new stream of the running app."""
        return await self._begin("resume", client, request, local_address, remote_address)

    async def cancel(self, client: PairedClient) -> None:
        """End the running app."""
        sessions = await self._ready_sessions()
        try:
            await sessions.cancel(client.fingerprint)
        except LaunchRefused as refusal:
            raise Refusal(refusal.status, str(refusal)) from refusal

    async def _begin(
        self, verb: str, client: PairedClient, request: LaunchRequest, local_address: str, remote_address: str
    ) -> str:
        sessions = await self._ready_sessions()
        access = None
        if self._book is not None:
            access = Access(self._book, client.fingerprint, kind=ClientKind.GAMESTREAM)
            self._check_launch(verb, request, access)
        peer = Peer(client.name, client.fingerprint, remote_address, local_address, access)
        start = sessions.launch if verb == "launch" else sessions.resume
        try:
            await start(peer, request)
        except LaunchRefused as refusal:
            raise Refusal(refusal.status, str(refusal)) from refusal
        return session_url(local_address, self._facts.rtsp_port, encrypted=request.can_encrypt_rtsp)

    def _check_launch(self, verb: str, request: LaunchRequest, access: Access) -> None:
        """Refuse to start a program for a client that may not; it may still see the desktop."""
        app = self._catalogue.find(request.app_id) if request.app_id is not None else None
        starts = verb == "launch" and app is not None and bool(app.spec.command)
        if starts and not access.allows_grant(Grant.LAUNCH):
            raise Refusal(
                403, "This device may not start apps on this host. Choose Desktop, or ask its owner."
            )

    async def _ready_sessions(self) -> Sessions:
        with trio.move_on_after(READY_WAIT_S):
            await self._readiness.ready.wait()
        if self.sessions is None:
            raise Refusal(503, f"This host is still starting: {self._readiness.waiting_for}.")
        return self.sessions


def session_url(local_address: str, port: int, *, encrypted: bool) -> str:
    """Return sessionUrl0: the address that the client just used, IPv6 in brackets, no zone."""
    host = f"[{local_address}]" if ":" in local_address else local_address
    return f"{'rtspenc' if encrypted else 'rtsp'}://{host}:{port}"


def mac_address(local_address: str) -> str:
    """Return the hardware address of the interface that has ``local_address``, for wake on LAN.

    The kernel tells which interface an IPv4 address belongs to only through netlink or ioctl; matching the
    route table in /proc needs neither. Where that gives nothing (IPv6, loopback), clients get the address
    they ignore.
    """
    interface = _interface_of(local_address)
    if interface is None:
        return NO_MAC
    try:
        return Path(f"/sys/class/net/{interface}/address").read_text("ascii").strip() or NO_MAC
    except OSError:
        return NO_MAC


def _interface_of(address: str) -> str | None:
    if ":" in address:
        return _ipv6_interface(address)
    best: tuple[int, str] | None = None
    try:
        rows = Path("/proc/net/route").read_text("ascii").splitlines()[1:]
    except OSError:
        return None
    # The kernel prints these 32 bits as it holds them (route(8), net/ipv4/fib_trie.c, fib_route_seq_show).
    wanted = int.from_bytes(bytes(map(int, address.split("."))), sys.byteorder)
    for row in rows:
        fields = row.split()
        destination, mask = int(fields[1], 16), int(fields[7], 16)
        if mask and wanted & mask == destination and (best is None or mask.bit_count() > best[0]):
            best = (mask.bit_count(), fields[0])
    return best[1] if best else None


def _ipv6_interface(address: str) -> str | None:
    wanted = IPv6Address(address).packed.hex()
    try:
        rows = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((row.split()[5] for row in rows if row.startswith(wanted)), None)
