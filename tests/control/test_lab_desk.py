"""Verbs of the lab, on a stream that only notes what it is told."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control import lab
from punktfunk.control.lab import LabDesk
from punktfunk.errors import EnvironmentProblem, LocalProtocolError, PunktfunkError, RemoteProtocolError
from punktfunk.realtime import Variant

FOLDER = {"folder": "/somewhere"}
MINE = Variant("fec8", "mine", 777, 0)
OTHER = Variant("fec8", "other", 888, 0)


class Stream:
    """Makes a frame whenever somebody looks."""

    def __init__(self) -> None:
        self.using: dict[str, Variant] = {}
        self.swaps: list[str] = []
        self.rows: list[list[int]] = []
        self.ended = False
        self.look: Callable[[], None] = int

    def swap(self, kind: str, variant: Variant | None) -> None:
        if kind == "fec16":
            raise LocalProtocolError("this stream has another code")
        self.swaps.append(variant.name if variant else "default")
        self.using.pop(kind, None)
        if variant:
            self.using[kind] = variant

    def latencies(self) -> Any:
        self.look()
        if self.ended:
            return None
        now_ns = 1000 * (1 + len(self.rows))
        number = self.using["fec8"].number if "fec8" in self.using else 0
        self.rows.append([now_ns, now_ns + 100, now_ns + 200, now_ns + 900, number | 5 << 32, 1234])
        return np.array(self.rows, np.int64)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    known = {"mine": MINE, "other": OTHER, "twin": Variant("fec8", "twin", 777, 0)}
    monkeypatch.setattr(lab, "load_checked", lambda _folder, _kind, name: known[name])
    return Stream()


def desk(found: Stream | None) -> Callable[..., Any]:
    verbs = LabDesk(lambda: found).verbs()

    async def ask(verb: str, **request: str) -> Any:
        return await verbs[f"lab.{verb}"](request)

    return ask


@pytest.mark.trio
async def test_there_and_back(stream: Stream) -> None:
    ask = desk(stream)
    there = await ask("swap", kind="fec8", name="mine", **FOLDER)
    assert there == {"kind": "fec8", "name": "mine", "number": 777, "before": "default"}
    back = await ask("swap", kind="fec8", name="default")
    assert back == {"kind": "fec8", "name": "default", "number": 0, "before": "mine"}
    assert stream.swaps == ["mine", "default"]


@pytest.mark.trio
async def test_frames_name_what_made_them(stream: Stream) -> None:
    ask = desk(stream)
    await ask("frames")
    await ask("swap", kind="fec8", name="mine", **FOLDER)
    frames = (await ask("frames"))["frames"]
    assert [(frame["fec"], frame["seal"], frame["pace"]) for frame in frames] == [
        ("default", "default", "5"),
        ("mine", "default", "5"),
    ]
    assert frames[0] == {
        "captured_ns": 1000, "encoded_ns": 1100, "first_ns": 1200, "last_ns": 1900, "bytes": 1234,
        "fec": "default", "seal": "default", "pace": "5",
    }  # fmt: skip


@pytest.mark.trio
async def test_a_comparison_takes_turns_and_leaves_all_as_it_was(stream: Stream, autojump_clock: Any) -> None:
    ask = desk(stream)
    await ask("swap", kind="fec8", name="other", **FOLDER)
    answer = await ask("compare", kind="fec8", name="mine", seconds="2", turn_s="0.25", **FOLDER)
    assert answer["number"] == 777
    assert [frame[0] for frame in answer["frames"]] == [0, 777] * 4
    assert answer["frames"][0] == [0, 100, 800, 1234]
    assert stream.swaps == ["other", *["default", "mine"] * 4, "other"]


@pytest.mark.trio
async def test_a_comparison_that_is_cut_off_leaves_all_as_it_was(stream: Stream, autojump_clock: Any) -> None:
    ask = desk(stream)
    with trio.CancelScope() as scope:
        stream.look = lambda: scope.cancel() if stream.swaps == ["default", "mine"] else None
        await ask("compare", kind="fec8", name="mine", seconds="2", turn_s="0.25", **FOLDER)
    assert scope.cancelled_caught
    assert stream.swaps == ["default", "mine", "default"]
    assert not stream.using


@pytest.mark.trio
async def test_refusals(stream: Stream) -> None:
    ask = desk(stream)
    for request in (
        {"kind": "decode", "name": "mine", **FOLDER},
        {"kind": "", "name": "mine", **FOLDER},
        {"kind": "fec8", "name": "mine"},
        {"kind": "fec8", "name": "mine", "folder": "relative"},
    ):
        with pytest.raises(RemoteProtocolError):
            await ask("swap", **request)
    for seconds, turn_s in (("", "1"), ("0", "1"), ("61", "1"), ("nan", "1"), ("5", "0"), ("5", "x")):
        with pytest.raises(RemoteProtocolError, match="is a number from"):
            await ask("compare", kind="fec8", name="mine", seconds=seconds, turn_s=turn_s, **FOLDER)
    with pytest.raises(RemoteProtocolError, match="no comparison with itself"):
        await ask("compare", kind="fec8", name="default", seconds="5", turn_s="1")
    with pytest.raises(LocalProtocolError):
        await ask("swap", kind="fec16", name="mine", **FOLDER)
    assert stream.swaps == []
    await ask("swap", kind="fec8", name="mine", **FOLDER)
    with pytest.raises(EnvironmentProblem, match="would be recorded like mine"):
        await ask("swap", kind="fec8", name="twin", **FOLDER)
    stream.ended = True
    with pytest.raises(EnvironmentProblem, match="has ended"):
        await ask("frames")
    with pytest.raises(EnvironmentProblem, match="no stream is running"):
        await desk(None)("frames")


@settings(max_examples=40)
@given(
    st.sampled_from(["lab.swap", "lab.compare"]),
    st.sampled_from(["fec8", "seal", "decode", "", "\0"]),
    st.sampled_from(["mine", "default", "../x", "evp", "\0", "\ud800"]) | st.text(max_size=5),
    st.sampled_from(["/", "/root", "/proc/1/fd", "/\0", "/\ud800", "relative"])
    | st.text(max_size=9).map("/".__add__),
)
def test_no_request_ends_the_host(verb: str, kind: str, name: str, folder: str) -> None:
    async def ask() -> None:
        request = {"kind": kind, "name": name, "folder": folder, "seconds": "0", "turn_s": "nan"}
        with suppress(PunktfunkError):
            await LabDesk(Stream).verbs()[verb](request)

    trio.run(ask)


@pytest.mark.trio
async def test_a_new_stream_begins_with_the_defaults(stream: Stream) -> None:
    streams = [stream]
    verbs = LabDesk(lambda: streams[-1]).verbs()
    request = {"kind": "fec8", "name": "mine", **FOLDER}
    assert (await verbs["lab.swap"](request))["before"] == "default"
    streams.append(Stream())
    assert (await verbs["lab.swap"](request))["before"] == "default"
