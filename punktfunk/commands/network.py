"""``punktfunk record`` and ``punktfunk replay``: the network of a session, kept and played back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from punktfunk.commands.progress import warm_kernels
from punktfunk.errors import Misuse
from punktfunk.measure.network.recording import read
from punktfunk.measure.network.replay import Replayed, ReplayOptions, replay
from punktfunk.measure.network.report import write_json

_MS = 1_000_000


def record(file: Path, wishes: Any) -> None:
    """Connect as ``wishes`` of ``commands.connect`` say, without a window, and record the packets."""
    import trio

    from punktfunk.commands.connect import check_wishes, make_connector, run_politely, warm_up
    from punktfunk.control.client.headless import HeadlessOptions, run_headless
    from punktfunk.measure.network.session_log import LOG_ROWS, SessionLog

    if file.is_dir():
        raise Misuse(f"{file} is a folder", hint="Name a file, such as evening.pfnet.")
    connector = make_connector(check_wishes(replace(wishes, headless=True)))
    warm_up(wishes)
    connector.options = replace(connector.options, packet_log_rows=LOG_ROWS)
    log = SessionLog(file, wishes.seconds)

    async def until_done() -> None:
        with trio.CancelScope() as scope:
            also = partial(log.record, done=scope.cancel)
            await run_headless(connector.session, HeadlessOptions(), wishes.say, [], also)

    with suppress(KeyboardInterrupt):  # which is how a recording without an end is ended
        run_politely(until_done)
    log.check()
    lost = f"; {log.overwritten_count} packets came too fast for the log" if log.overwritten_count else ""
    print(f"written: {file}, {log.row_count} packets{lost}")
    print(f"next:    punktfunk replay {file}")


def replay_files(
    files: Sequence[Path], options: ReplayOptions, json_file: Path | None, expect: str | None
) -> bool:
    """Play recordings and show what became of them; False where ``expect`` is another digest."""
    if expect is not None and len(files) != 1:
        raise Misuse("--expect is the digest of one recording", hint="Give one file.")
    if options.engine not in ("kernels", "model"):
        raise Misuse(f"--engine {options.engine} is not known", hint="Use kernels or model.")
    if not options.adapt and (options.parity is not None or options.automatic or options.invalidate):
        raise Misuse("--parity, --automatic and --invalidate change what was sent", hint="Add --adapt.")
    if options.engine == "kernels":
        warm_kernels()
    played = []
    for file in files:
        facts, rows = read(file)
        found = replay(facts, rows, options)
        played.append(found)
        print(f"{file}:")
        print(_words(found))
    if json_file is not None:
        write_json(json_file, {"replays": [found.as_json() for found in played]})
    if expect is None or played[0].digest.startswith(expect.lower()):
        return True
    print(f"\nThe digest is not {expect}: something that this recording shows has changed.")
    return False


def _words(found: Replayed) -> str:
    facts, outcome = found.facts, found.outcome
    how = "today's adaptation" if found.options.adapt else "as it was"
    rate = f"{facts.bitrate_kbps / 1000:g} Mbit/s" if facts.bitrate_kbps else "automatic rate"
    lost_percent = 100 * found.recorded_lost / max(1, found.recorded_packets)
    came = f"{found.recorded_frames} frames, {found.recorded_packets} packets"
    lost = f"{found.recorded_lost} lost ({lost_percent:.2f} %)"
    broken = f"{outcome.lost_frames} frames lost, {outcome.recovered_frames} repaired"
    frozen = f"{outcome.freezes} freezes ({outcome.frozen_ns / _MS:.0f} ms), {outcome.asks} asks"
    p50, p99 = (f"{outcome.latency_ns(share) / _MS:.2f} ms" for share in (0.5, 0.99))
    lines = [
        f"recorded  {came}, {lost}; {rate} at {facts.refresh_hz} Hz",
        f"replayed  {how}: {broken}, {frozen}",
        f"parity    {100 * outcome.parity_share:.1f} %; latency beyond the best, p50 {p50}, p99 {p99}",
        f"digest    {found.digest}",
    ]
    if outcome.corrupt_frames:
        lines.append(f"CORRUPT   {outcome.corrupt_frames} frames")
    return "\n".join(f"  {line}" for line in lines)


def parse_parity(text: str | None) -> int | None:
    """Read a fixed parity; Misuse outside 0 to 90."""
    if text is None or text == "adaptive":
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 90:
        raise Misuse(f"--parity {text} is no percentage", hint="It may be 0 to 90, or adaptive.")
    return int(text)
