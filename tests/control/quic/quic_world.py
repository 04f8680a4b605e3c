"""A server without a network: packets are handed to it, and what it sends is kept."""

import logging
import socket

from quic_pair import client_config, host_config

from punktfunk.control.complaints import Complaints
from punktfunk.control.quic.config import build_configuration
from punktfunk.control.quic.core import Core
from punktfunk.control.quic.paths import Datagram, Path
from punktfunk.control.quic.server import QuicServer
from punktfunk.control.sockets import BoundSocket

PATH = Path("192.0.2.7", 4000, 0, 0, "127.0.0.1", 0)


def first_packet(**changes):
    """What a client sends first: its ClientHello in an Initial of 1200 bytes."""
    config = client_config(**changes)
    core = Core(config, build_configuration(config, is_client=True))
    core.connect(PATH, 0.0)
    return core.datagrams_to_send(0.0)[0][0]


FIRST = first_packet()


class World:
    """A server whose socket nobody reads; packets are handed to it, and what it sends is kept."""

    def __init__(self, **changes):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        log = logging.getLogger("quiet")
        log.disabled = True
        self.now_s = 1000.0
        complaints = Complaints(log, clock_s=lambda: self.now_s)
        self.server = QuicServer([BoundSocket(self.sock, "127.0.0.1")], host_config(**changes), complaints)
        self.sent = []
        self.server.endpoint.send = lambda data, path: self.sent.append((data, path))

    def give(self, data, path=PATH):
        link = self.server.endpoint._link_of(Datagram(data, path, 0))
        if link is not None:
            link.settle()

    def close(self):
        self.server.endpoint.close()
        self.sock.close()
