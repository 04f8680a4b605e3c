"""A TLS secrets file: lines of label, client random, secret (draft-ietf-tls-keylogfile)."""

from typing import Final

from punktfunk.errors import RemoteProtocolError

CLIENT: Final = "CLIENT_TRAFFIC_SECRET_0"
HOST: Final = "SERVER_TRAFFIC_SECRET_0"
CLIENT_HANDSHAKE: Final = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
HOST_HANDSHAKE: Final = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
LABELS: Final = (CLIENT, HOST, CLIENT_HANDSHAKE, HOST_HANDSHAKE)

Secrets = dict[bytes, dict[str, bytes]]
"""By client random: label and secret."""


def parse_secrets(text: str) -> Secrets:
    """Read a file; RemoteProtocolError if no line of it is a secret of TLS 1.3."""
    secrets: Secrets = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3 or words[0] not in LABELS:
            continue
        try:
            random, secret = bytes.fromhex(words[1]), bytes.fromhex(words[2])
        except ValueError:
            continue
        secrets.setdefault(random, {})[words[0]] = secret
    if not secrets:
        raise RemoteProtocolError("no secret of TLS 1.3 in it: lines are LABEL, client random, secret")
    return secrets
