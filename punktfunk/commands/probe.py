"""``punktfunk probe``: how old pictures are at every stage, live or from a recording of the test card."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punktfunk.commands.connect import Wishes, check_wishes, make_connector, parse_mode, run_politely, warm_up
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure import plot as plotting
from punktfunk.measure.report import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class ProbeWishes:
    """What the command line asks for beside the session itself."""

    session: Wishes
    seconds: float = SECONDS
    window: bool = False
    recording: Path | None = None
    places: tuple[str, ...] = ()
    json_file: Path | None = None
    plot_file: Path | None = None


def probe(wishes: ProbeWishes) -> bool:
    """Measure and show; False if no frame came."""
    if wishes.plot_file is not None:
        plotting.check_plot(wishes.plot_file)
    if wishes.json_file is not None and wishes.json_file.is_dir():
        raise Misuse(f"--json {wishes.json_file} is a folder", hint="Name a file.")
    if wishes.recording is not None:
        return _read(wishes)
    if wishes.seconds <= 0:
        raise Misuse("--seconds must be more than 0", hint="Ten are enough for a first look.")
    return _live(wishes)


def parse_place(text: str, mode_text: str) -> Any:
    """Read ``X,Y,WIDTHxHEIGHT`` or four corners ``X,Y X,Y X,Y X,Y``; Misuse if it is neither."""
    from punktfunk.realtime import Quad

    mode = parse_mode(mode_text)
    try:
        if "x" in text:
            x, y, size = text.split(",")
            width, height = (float(side) for side in size.split("x"))
            left, top = float(x), float(y)
            corners: Sequence[tuple[float, float]] = (
                (left, top),
                (left + width, top),
                (left + width, top + height),
                (left, top + height),
            )
        else:
            corners = [(float(x), float(y)) for x, y in (corner.split(",") for corner in text.split())]
        first, second, third, fourth = corners
    except ValueError:
        raise Misuse(
            f"--at {text!r} is no place",
            hint="Write X,Y,WIDTHxHEIGHT, or four corners clockwise: 'X,Y X,Y X,Y X,Y'.",
        ) from None
    return Quad((first, second, third, fourth), mode.width_px, mode.height_px)


def _read(wishes: ProbeWishes) -> bool:
    from punktfunk.measure.recorded import judge_recording, recording_table
    from punktfunk.realtime import read_recording

    assert wishes.recording is not None
    if wishes.plot_file is not None:
        raise Misuse("--plot draws live probes only", hint="Leave it out with --recording.")
    quads = [parse_place(text, wishes.session.mode) for text in wishes.places]
    report = judge_recording(read_recording(wishes.recording, quads))
    print(recording_table(report))
    _write_json(wishes.json_file, {"recording": str(wishes.recording), **report.as_json()})
    return any(card.changes for card in report.cards)


def _live(wishes: ProbeWishes) -> bool:
    from punktfunk.measure.latency import judge, table

    session = replace(wishes.session, headless=True, verify=not wishes.window)
    connector = make_connector(check_wishes(session))
    warm_up(session)
    presented: dict[int, int] = {}
    takes = (_in_window if wishes.window else _headless)(wishes, connector, presented)
    takes = [take for take in takes if take.rows]
    if not takes:
        raise EnvironmentProblem(
            "no frame came", hint="The host's log says why; punktfunk doctor helps there."
        )
    take = max(takes, key=lambda one: len(one.rows))
    found = judge(take, presented)
    print(table(found))
    if not wishes.window:
        print("nothing was presented: --window measures up to the screen as well")
    _write_json(wishes.json_file, {"machine": machine(), **found.as_json(), "statistics": take.statistics})
    if wishes.plot_file is not None:
        from punktfunk.measure.latency_plot import plot_latency

        plot_latency(wishes.plot_file, take, presented, machine())
    return True


def _headless(wishes: ProbeWishes, connector: Any, _presented: dict[int, int]) -> list[Any]:
    from punktfunk.control.client.headless import HeadlessOptions, Take, run_headless

    takes: list[Take] = []
    hardware = wishes.session.hardware
    options = HeadlessOptions(
        seconds=wishes.seconds, decode=True, hardware="none" if hardware == "auto" else hardware
    )
    try:
        run_politely(partial(run_headless, connector.session, options, wishes.session.say, takes))
    except KeyboardInterrupt:
        wishes.session.say("stopped early; this is what was seen until then")
    return takes


def _in_window(wishes: ProbeWishes, connector: Any, presented: dict[int, int]) -> list[Any]:
    """Show a window for so long, and read what its decoder and its screen noted about each frame."""
    from punktfunk.commands.connect import open_window
    from punktfunk.control.client.watched import Watched

    watched = Watched(wishes.seconds)
    open_window(wishes.session, connector, watched.keep)
    for take, shown in zip(watched.takes, watched.presented, strict=True):
        if len(take.rows) == max(len(other.rows) for other in watched.takes):
            presented.clear()
            presented.update(shown)
    return watched.takes


def _write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot write {path}: {error.strerror}", hint="Name a file that you may write."
        ) from error
