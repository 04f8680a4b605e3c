"""Tells the local network that this host exists, by mDNS: ``_nvstream._tcp``, and ``_punktfunk._udp``.

What a service says of itself beside its port (TXT keys) is its owner's business: ``native/advert``.
python-zeroconf runs in threads of its own. The host name in our records differs from the machine's, as avahi
answers for that one and both would fight over it. Addresses come and go (Wi-Fi, docks, VPNs), so they are
looked at again from time to time. Spec: gamestream.md section 1, punktfunk-1 section 2.11.
"""

import ipaddress
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

logger = logging.getLogger(__name__)

GAMESTREAM: Final = "_nvstream._tcp.local."
NATIVE: Final = "_punktfunk._udp.local."
LOOK_AGAIN_S: Final = 15.0
MAXIMUM_LABEL_BYTES: Final = 63
EVERY_ADDRESS: Final = ("::", "0.0.0.0")  # noqa: S104 -- compared, not bound
_UNFIT: Final = re.compile(r"[^A-Za-z0-9-]+")


class _WithoutTraceback(logging.Filter):
    """For zeroconf, which says with one that an interface (often loopback) has no multicast: it goes on."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


_WITHOUT_TRACEBACK: Final = _WithoutTraceback()


def _no_keys(_addresses: Sequence[str]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Service:
    """One service of this host. ``keys`` gives its TXT record, made of the addresses; it runs in a thread."""

    service_type: str
    port: int
    keys: Callable[[Sequence[str]], Mapping[str, str]] = _no_keys


def instance_label(name: str) -> str:
    """Turn the host's name into an instance label: letters, digits and hyphens, at most 63 bytes.

    Only cosmetic: clients show the name that serverinfo tells.
    """
    return _UNFIT.sub("-", name).strip("-")[:MAXIMUM_LABEL_BYTES].strip("-") or "punktfunk"


def host_label(name: str, host_id: str) -> str:
    """Make a host label that is ours alone, such as ``desk-punktfunk-1a2b3c4d``."""
    ending = f"-punktfunk-{host_id.replace('-', '')[:8]}"
    return instance_label(name)[: MAXIMUM_LABEL_BYTES - len(ending)].rstrip("-").lower() + ending


def announced_addresses(bind: Sequence[str]) -> list[str]:
    """List the addresses that clients can reach us on: those of the interfaces, or the ones we are bound to.

    Loopback is announced only when we are bound to nothing else.
    """
    import ifaddr  # zeroconf's own dependency

    named = [address.partition("%")[0] for address in bind if address not in EVERY_ADDRESS]
    if len(named) == len(bind):
        return sorted(set(named))
    versions = {4, 6} if "::" in bind else {4}
    found = set(named)
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.version in versions and not address.is_loopback:
                found.add(str(address))
    return sorted(found)


@asynccontextmanager
async def announced(
    name: str, host_id: str, services: Sequence[Service], bind: Sequence[str] = ("::",)
) -> AsyncIterator[None]:
    """Announce the services while the block runs. A network that cannot be used is logged, never fatal."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_announced, name, host_id, services, tuple(bind))
        yield
        nursery.cancel_scope.cancel()


async def _keep_announced(name: str, host_id: str, services: Sequence[Service], bind: Sequence[str]) -> None:
    announcement: _Announcement | None = None
    shown: list[str] = []
    try:
        while True:
            addresses = await trio.to_thread.run_sync(announced_addresses, bind)
            if addresses != shown:
                if announcement is not None:
                    await trio.to_thread.run_sync(announcement.withdraw)
                    announcement = None
                shown = addresses
                if addresses:
                    announcement = await trio.to_thread.run_sync(
                        _Announcement.try_make, name, host_id, services, addresses
                    )
                    if announcement is None:
                        shown = []  # try again next time
            await trio.sleep(LOOK_AGAIN_S)
    finally:
        if announcement is not None:
            # Bounded: zeroconf sends its goodbyes within about half a second.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(announcement.withdraw)


class _Announcement:
    """All services, registered with one zeroconf. Everything here blocks and runs in a worker thread."""

    def __init__(self, name: str, host_id: str, services: Sequence[Service], addresses: list[str]) -> None:
        from zeroconf import InterfaceChoice, IPVersion, ServiceInfo, Zeroconf

        logging.getLogger("zeroconf").addFilter(_WITHOUT_TRACEBACK)  # the same one is added once
        loopback_only = all(ipaddress.ip_address(address).is_loopback for address in addresses)
        with_ipv6 = any(":" in address for address in addresses)
        self._zeroconf = Zeroconf(
            interfaces=addresses if loopback_only else InterfaceChoice.All,
            ip_version=IPVersion.All if with_ipv6 else IPVersion.V4Only,
        )
        self.names: list[str] = []
        try:
            for service in services:
                info = ServiceInfo(
                    service.service_type,
                    f"{instance_label(name)}.{service.service_type}",
                    port=service.port,
                    properties=dict(service.keys(addresses)),
                    parsed_addresses=addresses,
                    server=f"{host_label(name, host_id)}.local.",
                )
                self._zeroconf.register_service(info, allow_name_change=True)
                self.names.append(info.name)
        except BaseException:
            self._zeroconf.close()
            raise

    @classmethod
    def try_make(
        cls, name: str, host_id: str, services: Sequence[Service], addresses: list[str]
    ) -> "_Announcement | None":
        """Announce, or log why that cannot be done here."""
        from zeroconf import Error

        try:
            announcement = cls(name, host_id, services, addresses)
        except (Error, OSError, RuntimeError) as error:
            logger.warning("not announced by mDNS reason=%r", error)
            return None
        logger.info(
            "announced by mDNS names=%s addresses=%s", ",".join(announcement.names), ",".join(addresses)
        )
        return announcement

    def withdraw(self) -> None:
        """Say goodbye and stop zeroconf's threads."""
        self._zeroconf.unregister_all_services()
        self._zeroconf.close()
