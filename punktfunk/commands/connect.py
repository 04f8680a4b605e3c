"""``punktfunk connect``, ``punktfunk hosts``: the reference client from the command line."""

import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from punktfunk import paths
from punktfunk.control.client.known_hosts import KnownHosts, Trust
from punktfunk.control.client.receivers import WISHES, receiver_class
from punktfunk.errors import EnvironmentProblem, Misuse, PunktfunkError
from punktfunk.log import printable, set_up_logging
from punktfunk.plan import Mode

LARGEST_SIDE_PX: Final = 16_384
CODEC_NAMES: Final = ("h264", "hevc", "av1")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for."""

    host: str | None = None
    pin: str | None = None
    fingerprint: str | None = None
    mode: str = "1280x720@60"
    bitrate_kbps: int = 0
    codec: tuple[str, ...] = ()
    launch: str = ""
    keep: bool = False
    name: str | None = None
    state: Path | None = None
    headless: bool = False
    frames: int = 0
    seconds: float = 0.0
    verify: bool = False
    as_json: bool = False
    record: Path | None = None
    flight: Path | None = None
    loss_ppm: int = 0
    fullscreen: bool = False
    overlay: bool = False
    relative_mouse: bool = False
    microphone: bool = False
    mute: bool = False
    fixed_size: bool = False
    hardware: str = "auto"
    receiver: str = "auto"
    say: Callable[[str], None] = field(default=lambda line: print(printable(line), file=sys.stderr))


def parse_mode(text: str) -> Mode:
    """Read ``1920x1080@60``; the refresh rate may be left out. Misuse if it is no mode."""
    size, _, rate = text.lower().partition("@")
    width, _, height = size.partition("x")
    try:
        mode = Mode(int(width), int(height), round(float(rate or 60) * 1000))
    except (ValueError, OverflowError):
        mode = Mode(0, 0, 0)
    sides = (mode.width_px, mode.height_px)
    if (
        not all(64 <= side <= LARGEST_SIDE_PX for side in sides)
        or not 1000 <= mode.refresh_millihertz <= 1_000_000
    ):
        raise Misuse(f"{text!r} is no mode", hint="Write it like 1920x1080@60.")
    return mode


def client_folder(state: Path | None) -> Path:
    """Folder of this user's client: its key, and the hosts it knows."""
    return paths.make_private_folder((state or paths.default_state_folder() / "client").expanduser())


def connect(wishes: Wishes) -> bool:
    """Connect and stream until the user or the host ends it; False if frames were wrong."""
    wishes = check_wishes(wishes)
    set_up_logging("warning", sys.stderr)
    connector = make_connector(wishes)
    try:
        if wishes.headless or wishes.record:
            return _headless(wishes, connector)
        open_window(wishes, connector, _keep_telling(connector))
    finally:
        _write_flight(wishes.flight, connector)
    return True


def _keep_telling(connector: Any) -> Callable[..., Any]:
    """Let the window hear what a terminal hears: people look at the window."""
    from punktfunk.control.client.reconnect import keep_connected

    async def keep(factory: Any, use: Any, report: Callable[[str], None]) -> None:
        connector.also_tell(report)
        await keep_connected(factory, use, report)

    return keep


def _write_flight(path: Path | None, connector: Any) -> None:
    if path is None or connector.flight is None:
        return
    try:
        path.write_text(json.dumps(connector.flight.recording()), "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot write {path}: {error.strerror}", hint="Name a file that you may write."
        ) from error


def check_wishes(wishes: Wishes) -> Wishes:
    """Return the wishes if they can be; Misuse otherwise."""
    parse_mode(wishes.mode)
    for name in wishes.codec:
        if name not in CODEC_NAMES:
            raise Misuse(f"--codec {name} is not known", hint=f"It is one of {', '.join(CODEC_NAMES)}.")
    if wishes.receiver not in WISHES:
        raise Misuse(f"--receiver {wishes.receiver} is not known", hint=f"It is one of {', '.join(WISHES)}.")
    if wishes.frames < 0 or wishes.seconds < 0:
        raise Misuse("--frames and --seconds cannot be negative", hint="Leave them out to go on for ever.")
    if not wishes.headless and (wishes.frames or wishes.verify or wishes.as_json):
        raise Misuse("--frames, --verify and --json are for --headless", hint="Add --headless.")
    if wishes.record is not None and wishes.record.is_dir():
        raise Misuse(f"--record {wishes.record} is a folder", hint="Name a file, such as evening.mkv.")
    return wishes


def make_connector(wishes: Wishes) -> Any:
    """Find the host, pair if a PIN was given, and make what opens sessions with it."""
    from punktfunk.control.client import connector as connecting
    from punktfunk.control.client import discovery
    from punktfunk.control.client.options import SessionOptions
    from punktfunk.control.native.identity import load_client_identity
    from punktfunk.wire.native.capabilities import NO_CODECS, CodecBit

    folder = client_folder(wishes.state)
    known = KnownHosts(folder)
    identity = load_client_identity(folder)
    target = connecting.choose(wishes.host, known, discovery.look)
    if wishes.fingerprint is not None:
        from dataclasses import replace

        target = replace(target, fingerprint=connecting.check_fingerprint(wishes.fingerprint))
    name = wishes.name or socket.gethostname() or "punktfunk"
    pin = wishes.pin
    if pin is None and target.fingerprint is None and sys.stdin.isatty():
        pin = _ask_pin(target.name)
    if pin is not None:
        target = _pair(target, identity, pin, name, known, wishes)
    bits = [CodecBit[codec.upper()] for codec in wishes.codec]
    offered = NO_CODECS
    for bit in bits or (CodecBit.H264, CodecBit.HEVC, CodecBit.AV1):
        offered |= bit
    options = SessionOptions(
        mode=parse_mode(wishes.mode),
        name=name,
        bitrate_kbps=wishes.bitrate_kbps,
        codecs=offered,
        preferred_codec=bits[0] if bits else NO_CODECS,
        launch_id=wishes.launch,
        keep_display=wishes.keep,
        loss_ppm=wishes.loss_ppm,
        receiver=wishes.receiver,
    )
    return connecting.Connector(target, identity, options, known, wishes.say, discovery.look)


def _ask_pin(host: str) -> str | None:
    print(f"{printable(host)} is new here. `punktfunk pair --native`, run on it, shows a PIN.")
    return input("PIN (Enter to connect without, and be approved there): ").strip() or None


def _pair(target: Any, identity: Any, pin: str, name: str, known: KnownHosts, wishes: Wishes) -> Any:
    from dataclasses import replace

    from punktfunk.control.client.pairing import check_pin, pair

    check_pin(pin)
    anyone = target if wishes.fingerprint is not None else replace(target, fingerprint=None)
    fingerprint = run_politely(partial(pair, anyone, identity, pin, name))
    known.pin(fingerprint, target.name, target.address, target.port, Trust.PIN)
    wishes.say(f"paired with {target.name}")
    return replace(target, fingerprint=fingerprint)


def _headless(wishes: Wishes, connector: Any) -> bool:
    from punktfunk.control.client.headless import HeadlessOptions, Take, run_headless
    from punktfunk.measure.latency import judge
    from punktfunk.measure.verification import verify

    warm_up(wishes)
    options = HeadlessOptions(
        frames=wishes.frames,
        seconds=wishes.seconds,
        decode=wishes.verify,
        hardware="none" if wishes.hardware == "auto" else wishes.hardware,
        record=wishes.record,
    )
    takes: list[Take] = []
    interrupted = False
    try:
        run_politely(partial(run_headless, connector.session, options, wishes.say, takes))
    except KeyboardInterrupt:
        interrupted = True  # what was seen until then is still worth its report
    reports = []
    all_right = bool(takes)
    for take in takes:
        verdict = verify(take.rows) if wishes.verify else None
        all_right = all_right and bool(take.rows) and (verdict is None or verdict.ok)
        reports.append(
            {
                **judge(take).as_json(),
                "verified": None if verdict is None else verdict.as_json(),
                "audio_packets": take.audio_packets,
                "statistics": take.statistics,
            }
        )
        if not wishes.as_json:
            line = f"{take.host}: {take.mode} {take.codec}, {len(take.rows)} frames"
            print(printable(line) + (f"; {verdict.sentence()}" if verdict is not None else ""))
    if wishes.as_json:
        print(json.dumps({"ok": all_right, "sessions": reports}, indent=1))
    if interrupted:
        raise KeyboardInterrupt
    return all_right


def open_window(wishes: Wishes, connector: Any, keep: Callable[..., Any]) -> None:
    """Show the host in a window until the user closes it, or until ``keep`` returns."""
    try:
        from punktfunk.control.client.window.options import WindowOptions
        from punktfunk.control.client.window.run import run_window
    except ImportError as error:
        raise EnvironmentProblem(
            f"the window needs SDL: {error}", hint="pip install 'punktfunk[client]', or use --headless."
        ) from error
    warm_up(wishes)
    mode = parse_mode(wishes.mode)
    options = WindowOptions(
        title=f"{printable(connector.target.name)} - punktfunk",
        width_px=mode.width_px,
        height_px=mode.height_px,
        fullscreen=wishes.fullscreen,
        overlay=wishes.overlay,
        relative_mouse=wishes.relative_mouse,
        microphone=wishes.microphone,
        mute=wishes.mute,
        follow_size=not wishes.fixed_size,
        hardware=wishes.hardware,
    )
    run_window(connector.session, options, keep)


def warm_up(wishes: Wishes) -> None:
    """Compile the kernels if this machine has not yet, and prepare the process for its threads."""
    from punktfunk import realtime

    if not realtime.is_warm():
        from punktfunk.commands.warm import warm

        wishes.say("kernels: compiling, once for this machine and version")
        warm(Console(stderr=True, highlight=False))
    receiver_class(wishes.receiver)  # loads the kernels now, and not in the midst of a handshake
    realtime.prepare_process()


def run_politely(function: Callable[[], Awaitable[Any]]) -> Any:
    """Run under Trio until done, SIGINT or SIGTERM; the first leaves the host politely."""
    import trio

    async def until_told() -> Any:
        result: Any = None
        failure: Exception | None = None
        told: list[int] = []

        async def watch(signals: Any, scope: trio.CancelScope) -> None:
            async for number in signals:
                told.append(number)
                signal.signal(number, signal.SIG_DFL)  # the second one ends the process
                scope.cancel()

        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, signals, nursery.cancel_scope)
                try:
                    result = await function()
                except PunktfunkError as error:
                    failure = error
                nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if told and result is None:
            raise KeyboardInterrupt
        return result

    return trio.run(until_told)


def list_hosts(state: Path | None, *, as_json: bool) -> None:
    """Print the hosts that are known and those that announce themselves."""
    from punktfunk.control.client import discovery

    known = KnownHosts(client_folder(state)).hosts()
    found = discovery.look()
    rows = [
        {
            "name": host.name,
            "address": f"{host.address}:{host.port}",
            "fingerprint": host.fingerprint,
            "trust": host.trust.value,
            "here": any(other.fingerprint == host.fingerprint for other in found),
        }
        for host in known
    ]
    met = {host.fingerprint for host in known}
    rows += [
        {
            "name": host.name,
            "address": f"{host.address}:{host.port}",
            "fingerprint": host.fingerprint,
            "trust": "none yet",
            "here": True,
        }
        for host in found
        if host.fingerprint not in met
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print("No host is known, and none announces itself. Start one there: punktfunk serve")
        return
    table = Table("name", "address", "fingerprint", "trust", "here now", box=box.SIMPLE, pad_edge=False)
    for row in rows:
        cells = (row["name"], row["address"], str(row["fingerprint"])[:16], row["trust"])
        table.add_row(*(printable(str(cell)) for cell in cells), "yes" if row["here"] else "")
    Console(highlight=False, markup=False).print(table)


def forget_host(host: str, state: Path | None) -> None:
    """Forget a host and its pin."""
    print(f"forgotten: {KnownHosts(client_folder(state)).forget(host).name}")
