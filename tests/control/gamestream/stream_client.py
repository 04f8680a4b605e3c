"""A client as moonlight-common-c behaves after the launch: its RTSP requests and its sealed control messages."""

import re

from punktfunk.control.gamestream.negotiate import HostOffer
from punktfunk.control.gamestream.stream import MediaPorts, Peer, Stream
from punktfunk.plan import AudioSource, Codec, Pacing, RealtimePlan
from punktfunk.wire.gamestream import control
from punktfunk.wire.gamestream.launch import parse_launch
from punktfunk.wire.gamestream.rtsp_frame import Origin, open_frame, seal_frame

KEY = bytes(range(16))
PORTS = MediaPorts(video=47998, control=47999, audio=48000)
OFFER = HostOffer(
    encoders={Codec.H264: "libx264"},
    fec_percent=20,
    pacing=Pacing.FRAME,
    encryption="auto",
    realtime=RealtimePlan(None, 0),
)
ANNOUNCED = {
    "x-nv-video[0].clientViewportWd": 1280,
    "x-nv-video[0].clientViewportHt": 720,
    "x-nv-video[0].maxFPS": 60,
    "x-nv-video[0].packetSize": 1392,
    "x-nv-vqos[0].bw.maximumBitrateKbps": 10_000,
    "x-ml-video.configuredBitrateKbps": 10_000,
    "x-nv-vqos[0].fec.minRequiredFecPackets": 2,
    "x-ml-general.featureFlags": 3,
    "x-ss-general.encryptionEnabled": 1,
}


def make_launch(key=KEY, corever=1, **more):
    query = {
        "rikey": key.hex(),
        "rikeyid": "-7",
        "appid": "1",
        "mode": "1280x720x60",
        "corever": str(corever),
    }
    return parse_launch(query | more)


def make_peer(name="desk", fingerprint="aa", address="192.0.2.7", local_address="192.0.2.1"):
    return Peer(name, fingerprint, address, local_address)


def make_stream(number=1, peer=None, offer=OFFER, corever=1, key=KEY):
    launch = make_launch(key, corever)
    return Stream(number, peer or make_peer(), launch, offer, AudioSource.TONE, PORTS)


def announcement(**changes):
    """The ANNOUNCE body; a value of None leaves its line out."""
    lines = [f"a={name}:{value} \r\n" for name, value in (ANNOUNCED | changes).items() if value is not None]
    return ("v=0\r\no=android 0 14 IN IPv4 192.0.2.1\r\n" + "".join(lines)).encode()


class StreamClient:
    """Builds the seven requests and reads the replies. ``exchange`` carries one message there and back."""

    def __init__(self, key=KEY, *, encrypted=True, host="192.0.2.1"):
        self.key = key
        self.encrypted = encrypted
        self.host = host
        self.cseq = 0
        self.sequence = 0
        self.session = ""
        self.replies = {}

    def request(self, method, target, body=b"", **headers):
        self.cseq += 1
        lines = [
            f"{method} {target} RTSP/1.0",
            f"CSeq: {self.cseq}",
            "X-GS-ClientVersion: 14",
            f"Host: {self.host}",
        ]
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-length: {len(body)}")
        return self.wrap(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    def wrap(self, plain):
        if not self.encrypted:
            return plain
        self.sequence += 1
        return seal_frame(self.key, self.sequence, plain, Origin.CLIENT)

    def unwrap(self, message):
        return open_frame(self.key, message, Origin.HOST)[1] if self.encrypted else message

    def read(self, message):
        """Status, headers and body of a reply, cut up as the client's strtok does."""
        head, _, body = self.unwrap(message).decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert headers["CSeq"]
        if "Session" in headers:
            self.session = headers["Session"].partition(";")[0]
        return int(re.fullmatch(r"RTSP/1.0 (\d{3}) \S.*", first)[1]), headers, body

    def steps(self, announced=None):
        """The conversation, one builder for each request, so that each is built after the reply before it."""
        setup = {"Transport": "unicast;X-GS-ClientPort=50000-50001"}
        body = announcement() if announced is None else announced
        url = "rtspenc://192.0.2.1:48010"
        return {
            "OPTIONS": lambda: self.request("OPTIONS", url),
            "DESCRIBE": lambda: self.request("DESCRIBE", url, Accept="application/sdp"),
            "audio": lambda: self.request("SETUP", "streamid=audio/0/0", **setup),
            "video": lambda: self.request("SETUP", "streamid=video/0/0", **setup),
            "control": lambda: self.request("SETUP", "streamid=control/13/0", **setup),
            "ANNOUNCE": lambda: self.request("ANNOUNCE", "streamid=control/13/0", body),
            "PLAY": lambda: self.request("PLAY", "/"),
        }

    def converse(self, exchange, announced=None, until="PLAY"):
        """Hold the conversation up to and with ``until``; every step must be answered 200."""
        for name, build in self.steps(announced).items():
            self.replies[name] = self.read(exchange(build()))
            assert self.replies[name][0] == 200, (name, self.replies[name])
            if name == until:
                break
        return self.replies


class ControlClient:
    """Seals what the client says on the control stream."""

    def __init__(self, key=KEY, *, version2=True):
        self.cipher = control.ControlCipher(key, version2, origin=control.Origin.CLIENT)

    def idr(self):
        return self.message(0x0302, b"\0\0")

    def message(self, kind, payload):
        return self.cipher.seal(control.MESSAGE_HEADER.pack(kind, len(payload)) + payload)

    def key(self, code=0x41, *, down=True):
        body = bytes((1,)) + (0x8000 | code).to_bytes(2, "little") + bytes(3)
        packet = (4 + len(body)).to_bytes(4, "big") + (3 if down else 4).to_bytes(4, "little") + body
        return self.message(0x0206, packet)
