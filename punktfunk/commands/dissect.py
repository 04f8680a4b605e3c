"""``punktfunk dissect``: print a captured session."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punktfunk.errors import ConfigError, Misuse, RemoteProtocolError
from punktfunk.measure.dissect.media import MediaKey
from punktfunk.measure.dissect.secrets import Secrets, parse_secrets
from punktfunk.measure.dissect.session import Dissector, Event
from punktfunk.measure.dissect.show import as_json, as_line, summary
from punktfunk.wire.native.capabilities import Cipher
from punktfunk.wire.native.packet import SALT_BYTES
from punktfunk.wire.pcap import parse_udp, read_capture

KEY_BYTES = {16: Cipher.AES_128_GCM, 32: Cipher.CHACHA20_POLY1305}


@dataclass(frozen=True, slots=True)
class DissectOptions:
    """What may be opened, and how it is shown."""

    secrets: Path | None = None
    key: str = ""
    salt: str = ""
    clear: bool = False
    packets: bool = False
    as_json: bool = False


def dissect(capture: Path, options: DissectOptions) -> None:
    """Print every event of the capture, and at the end what it held.

    Misuse for a key that is none; ConfigError for files that cannot be read or are something else.
    """
    keys = _read_keys(options.key, options.salt, clear=options.clear)
    dissector = Dissector(_read_secrets(options.secrets), keys, packets=options.packets)
    try:
        for event in _events(capture, dissector):
            start_ns = dissector.start_ns or 0
            if options.as_json:
                print(json.dumps(as_json(event, start_ns)))
            else:
                print(as_line(event, start_ns))
    except BrokenPipeError:  # head took what it wanted
        sys.stderr.close()
        return
    _print_end(dissector, as_json_lines=options.as_json)


def _events(capture: Path, dissector: Dissector) -> Iterator[Event]:
    try:
        with capture.open("rb") as file:
            for packet in read_capture(file.read):
                datagram = parse_udp(packet)
                if datagram is not None:
                    yield from dissector.feed(packet.time_ns, datagram)
    except OSError as error:
        raise ConfigError(f"{capture} cannot be read: {error.strerror}") from error
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{capture}: {error}", hint="Capture with: tcpdump -i any -w FILE udp, or Wireshark."
        ) from error
    yield from dissector.finish()


def _read_secrets(path: Path | None) -> Secrets:
    if path is None:
        return {}
    try:
        return parse_secrets(path.read_text("ascii", "replace"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{path}: {error}", hint="Start the host or the client with SSLKEYLOGFILE=FILE to have one."
        ) from error


def _read_keys(key: str, salt: str, *, clear: bool) -> tuple[MediaKey, ...]:
    keys: list[MediaKey] = []
    if clear:
        keys.append(MediaKey(None))
    if bool(key) != bool(salt):
        raise Misuse("--key and --salt belong together", hint="Both stand in Welcome.")
    if key:
        key_bytes, salt_bytes = _read_hex("--key", key), _read_hex("--salt", salt)
        if len(key_bytes) not in KEY_BYTES or len(salt_bytes) != SALT_BYTES:
            raise Misuse(
                f"a key of {len(key_bytes)} and a salt of {len(salt_bytes)} bytes",
                hint="16 bytes for AES-128-GCM or 32 for ChaCha20-Poly1305, and a salt of 4, in hexadecimal.",
            )
        keys.append(MediaKey(key_bytes, salt_bytes, KEY_BYTES[len(key_bytes)]))
    return tuple(keys)


def _read_hex(flag: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Misuse(f"{flag} is not hexadecimal") from None


def _print_end(dissector: Dissector, *, as_json_lines: bool) -> None:
    counts: dict[str, Any] = dict(dissector.counts)
    if as_json_lines:
        print(json.dumps({"what": "Summary", **counts}))
        return
    print()
    for line in summary(dissector.counts):
        print(line)
    if dissector.counts["QUIC packets not opened"]:
        print(
            "\nQUIC was not opened: that needs --secrets FILE, which a host or client writes when it is "
            "started with SSLKEYLOGFILE=FILE."
        )
    if dissector.counts["media packets not opened"]:
        print("\nMedia was not opened: that needs --secrets, or --key and --salt of the session.")
