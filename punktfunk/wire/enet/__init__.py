"""ENet 1.3, sans-IO: bytes and the time come in, events and datagrams go out."""

from punktfunk.wire.enet.events import (
    Address,
    AddressChanged,
    Connected,
    Delivery,
    Disconnected,
    Event,
    HostConfig,
    PeerId,
    Reason,
    Received,
)
from punktfunk.wire.enet.host import Host

__all__ = [
    "Address",
    "AddressChanged",
    "Connected",
    "Delivery",
    "Disconnected",
    "Event",
    "Host",
    "HostConfig",
    "PeerId",
    "Reason",
    "Received",
]
