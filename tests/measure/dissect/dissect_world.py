"""A session that never touched a network: two aioquic machines, their secrets, and a capture of it all."""

import io
import ssl
import struct
from datetime import UTC, datetime, timedelta

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion, encode_quic_retry
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT, HOST = ("192.0.2.1", 50_000), ("192.0.2.2", 9777)
CLIENT_MEDIA, HOST_MEDIA = ("192.0.2.1", 50_001), ("192.0.2.2", 47_000)


def ethernet(source, destination, payload):
    """An Ethernet frame of an IPv4 UDP datagram."""
    addresses = b"".join(bytes(int(part) for part in host.split(".")) for host, _ in (source, destination))
    ports = struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0) + addresses
    return bytes(12) + b"\x08\x00" + ip + ports + payload


def pcap(rows, order="<", magic=0xA1B2C3D4, per_second=10**6, link=1):
    """A capture file; rows of (time_ns, bytes)."""
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link)]
    for time_ns, data in rows:
        fraction = time_ns % 10**9 * per_second // 10**9
        parts.append(struct.pack(order + "IIII", time_ns // 10**9, fraction, len(data), len(data)) + data)
    return b"".join(parts)


def pcapng(rows, order="<", link=1, power=9):
    """The same as pcapng, with nanoseconds."""

    def block(kind, body):
        body += bytes(-len(body) % 4)
        length = struct.pack(order + "I", 12 + len(body))
        return struct.pack(order + "I", kind) + length + body + length

    parts = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    option = struct.pack(order + "HH", 9, 1) + bytes((power,)) + bytes(3) + bytes(4)
    parts.append(block(1, struct.pack(order + "HHI", link, 0, 0) + option))
    parts.append(block(5, bytes(12)))
    for time_ns, data in rows:
        units = time_ns * 10**power // 10**9
        head = struct.pack(order + "IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
        parts.append(block(6, head + data + bytes(-len(data) % 4)))
    return b"".join(parts)


def certificate():
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "punktfunk")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    return builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256()), key


class Conversation:
    """Both ends of a QUIC connection; every datagram is written down. The clock is the test's."""

    def __init__(self, *, retry=False):
        self.secrets = io.StringIO()
        common = {"alpn_protocols": ["pkf1"], "max_datagram_frame_size": 65_536}
        leaf, key = certificate()
        self.client = QuicConnection(
            configuration=QuicConfiguration(
                is_client=True,
                verify_mode=ssl.CERT_NONE,
                secrets_log_file=self.secrets,
                server_name="punktfunk",
                **common,
            )
        )
        self.rows = []
        self.now = 1000.0
        self.client.connect(HOST, now=self.now)
        self.host = QuicConnection(
            configuration=QuicConfiguration(is_client=False, certificate=leaf, private_key=key, **common),
            original_destination_connection_id=self.client.original_destination_connection_id,
            retry_source_connection_id=self.send_back() if retry else None,
        )
        self.run()

    def send_back(self):
        """A Retry: the client must show that it is where it says; returns the id that it must use."""
        for data, _ in self.client.datagrams_to_send(now=self.now):
            self.note(CLIENT, HOST, data)
        retry = encode_quic_retry(
            version=QuicProtocolVersion.VERSION_1,
            source_cid=b"retry-id",
            destination_cid=self.client.host_cid,
            original_destination_cid=self.client.original_destination_connection_id,
            retry_token=b"token",
        )
        self.note(HOST, CLIENT, retry)
        self.client.receive_datagram(retry, HOST, now=self.now)
        return b"retry-id"

    def note(self, source, destination, payload):
        """Write a datagram down as captured now."""
        self.rows.append((int(self.now * 1e9), ethernet(source, destination, payload)))

    def run(self):
        """Carry datagrams until nobody says any more."""
        moved = True
        while moved:
            moved = False
            for sender, receiver, source, destination in (
                (self.client, self.host, CLIENT, HOST),
                (self.host, self.client, HOST, CLIENT),
            ):
                for data, _ in sender.datagrams_to_send(now=self.now):
                    moved = True
                    self.note(source, destination, data)
                    receiver.receive_datagram(data, source, now=self.now)
            self.now += 0.001

    def say(self, end, stream, data, *, end_stream=False):
        """Send on a stream, and carry it."""
        end.send_stream_data(stream, data, end_stream)
        self.run()

    def throw(self, end, data):
        """Send a QUIC datagram, and carry it."""
        end.send_datagram_frame(data)
        self.run()
