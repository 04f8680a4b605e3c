"""Two machines and a bad network between them: what the conversations of this folder are made of."""

import random

from link import SECOND, Link, Network

from punktfunk.wire.enet import Connected, Disconnected, Host, HostConfig, Received

SERVER = ("192.0.2.1", 47999)
CLIENT = ("192.0.2.2", 50000)
SERVER6 = ("2001:db8::1", 47999, 0, 0)
CLIENT6 = ("2001:db8::2", 50000, 0, 0)


def seeded(seed):
    return random.Random(seed).randbytes


def pair(link=None, server=SERVER, client=CLIENT, seed=1, connect_data=0x1234, **limits):
    """A network with a server and a client that opened 48 channels, and the client's name for it."""
    network = Network(link or Link())
    network.add(server, Host(HostConfig(**limits), seeded(seed)))
    network.add(client, Host(HostConfig(accepts=False), seeded(seed + 1000)))
    peer = machine(network, client).connect(server, 48, connect_data, network.now_ns)
    return network, peer


def connected(link=None, **arguments):
    """As `pair`, and the handshake is over before the network goes bad: network, client's and server's peer."""
    server = arguments.get("server", SERVER)
    network, peer = pair(None, **arguments)
    network.run(SECOND // 4)
    network.link = link or network.link
    (event,) = of_kind(network, server, Connected)
    return network, peer, event.peer


def machine(network, address):
    return network._machines[address]


def of_kind(network, address, kind):
    return [event for event in network.events[address] if isinstance(event, kind)]


def received(network, address, channel=None):
    events = of_kind(network, address, Received)
    return [event.payload for event in events if channel in (None, event.channel)]


def endings(network, address):
    return [(event.data, event.reason) for event in of_kind(network, address, Disconnected)]
