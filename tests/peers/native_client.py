"""A client of punktfunk/1 in a process of its own, for tests: ``native_client.py '{"port": 9777, ...}'``.

Says one JSON object a line: each session as it begins, what it did, and at the end a summary of every session.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import trio

from punktfunk import realtime
from punktfunk.control.client.connector import Connector
from punktfunk.control.client.dial import Target
from punktfunk.control.client.headless import HeadlessOptions, Take, run_headless
from punktfunk.control.client.known_hosts import KnownHosts
from punktfunk.control.client.options import SessionOptions
from punktfunk.control.client.session import ClientSession
from punktfunk.control.native.identity import load_client_identity
from punktfunk.measure.verification import verify
from punktfunk.plan import Mode
from punktfunk.wire.native.datagrams import MicFrame


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def summarise(take: Take) -> dict[str, object]:
    sizes = [(row.width_px, row.height_px) for row in take.rows if row.width_px]
    changes = [at for at in range(1, len(sizes)) if sizes[at] != sizes[at - 1]]
    decoded = [row for row in take.rows if row.width_px]
    return {
        "frames": len(take.rows),
        "verified": verify(take.rows).as_json(),
        "sizes": [list(size) for size in dict.fromkeys(sizes)],
        "picture_to_picture_ms": [
            round((decoded[at].decoded_ns - decoded[at - 1].decoded_ns) / 1e6, 1) for at in changes
        ],
        "keys_after_change": [decoded[at].is_key for at in changes],
        "wrong": sum(
            take.statistics.get(name, 0) for name in ("not_authentic", "malformed", "contradicting")
        ),
        "injected_losses": take.statistics.get("injected_losses"),
        "audio_packets": take.audio_packets,
        "audio_missing": take.statistics.get("audio_missing"),
        "clock_offset_ns": take.statistics.get("clock_offset_ns"),
        "clock_rtt_ns": take.statistics.get("clock_rtt_ns"),
    }


async def act(asked: dict[str, object], session: ClientSession) -> None:
    began = session.video.counters()["frames"]
    say(event="session", mode=str(session.mode), fingerprint=session.connection.peer_fingerprint)
    while session.video.counters()["frames"] < began + 20:  # noqa: ASYNC110 -- counters ring no bell
        await trio.sleep(0.01)
    say(event="streaming")
    if "voice_hz" in asked:
        await speak(session, asked["voice_hz"])
    for mode in asked.get("modes", []):
        asked_ns = time.monotonic_ns()
        now = await session.reconfigure(Mode(*mode))
        say(event="mode", mode=str(now), answer_ms=(time.monotonic_ns() - asked_ns) / 1e6)


async def speak(session: ClientSession, tone_hz: float) -> None:
    """Send a tone as the microphone does, until the session ends."""
    encoder, began_s, sent = realtime.VoiceEncoder(), trio.current_time(), 0
    while True:
        times_s = (np.arange(encoder.PACKET_SAMPLES) + sent * encoder.PACKET_SAMPLES) / encoder.RATE_HZ
        samples = (np.sin(2 * np.pi * tone_hz * times_s) * 8000).astype("<i2")
        for opus in encoder.encode(samples.tobytes()):
            session.send_datagram(MicFrame(sent, time.monotonic_ns(), opus))
        sent += 1
        await trio.sleep_until(began_s + sent * 0.01)


def main() -> None:
    asked = json.loads(sys.argv[1])
    folder = Path(asked["state"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = SessionOptions(
        mode=Mode(*asked.get("mode", (640, 360, 60_000))),
        name=asked.get("name", "native client"),
        idle_timeout_s=asked.get("idle_s", 8.0),
        loss_ppm=asked.get("loss_ppm", 0),
        bitrate_kbps=asked.get("bitrate_kbps", 0),
    )
    target = Target(asked.get("address", "127.0.0.1"), asked["port"], "host")
    connector = Connector(
        target,
        load_client_identity(folder),
        options,
        KnownHosts(folder),
        lambda text: say(event="said", text=text),
    )
    realtime.VideoReceiver  # noqa: B018 -- kernels are loaded before the first handshake, as the product does it
    takes: list[Take] = []
    headless = HeadlessOptions(
        frames=asked.get("frames", 0),
        seconds=asked.get("seconds", 0),
        decode=True,
        record=Path(asked["record"]) if "record" in asked else None,
    )
    run = partial(
        run_headless,
        connector.session,
        headless,
        lambda text: say(event="said", text=text),
        takes,
        partial(act, asked),
    )
    trio.run(run)
    say(event="done", takes=[summarise(take) for take in takes])


if __name__ == "__main__":
    main()
